"""Whether contours that were moved cross each other: a system may refuse one that does (pure)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segmentation.rasterise import following

MOST_EDGES = 1000  # of which every pair is looked at in some hundredths of a second


def pinched(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the planes of a mask, (planes, rows, columns), on which two pixels touch at a corner only.

    There two lines come closer than they may be moved; anywhere else a pixel's centre lies between them.
    """
    here, right, below, across = mask[:, :-1, :-1], mask[:, :-1, 1:], mask[:, 1:, :-1], mask[:, 1:, 1:]
    return np.asarray(((here == across) & (right == below) & (here != right)).any(axis=(1, 2)))


def may_cross(rings: Sequence[NDArray[np.float64]]) -> bool:
    """Whether an edge of rings crosses another, or there are too many to tell; to touch is not to cross."""
    start = np.concatenate(rings)
    if len(start) > MOST_EDGES:
        return True
    end = start[following(np.array([len(ring) for ring in rings]))]
    # An edge is crossed by one whose ends lie on either side of it; two cross if each does so.
    parted = _side(start, end, start) * _side(start, end, end) < 0
    return bool(np.any(parted & parted.T))


def _side(start: NDArray[np.float64], end: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each edge and point on which side of it the point lies: below, above or 0, (edges, points)."""
    along = (end - start)[:, None]
    to = points[None] - start[:, None]
    return np.asarray(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0])
