"""A hole and what surrounds it as one closed planar contour: the keyhole of PS3.3 C.8.8.6.3 (pure)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def keyhole(outer: NDArray[np.float64], holes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return one ring that goes round the outer and, over bridges of no width, round its holes.

    PS3.3 C.8.8.6.3 shows the keyhole as the way to a hole in a CLOSED_PLANAR contour: every reader fills it, whereas
    CLOSEDPLANAR_XOR is newer than many.

    Args:
        outer: float64, (points, 2), row and column.
        holes: the same, each within `outer`, none within another.
    """
    ring = outer
    # From the rightmost on, so that the way to the right is free of holes that are not joined yet.
    for hole in sorted(holes, key=lambda points: -float(points[:, 1].max())):
        ring = _joined(ring, hole)
    return ring


def _joined(ring: NDArray[np.float64], hole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ring with a hole, joined along the hole's row from its rightmost point to the ring's nearest edge."""
    begin = int(hole[:, 1].argmax())
    row, column = hole[begin]
    following = np.roll(ring, -1, axis=0)
    crossed = np.flatnonzero((ring[:, 0] <= row) != (following[:, 0] <= row))
    here, there = ring[crossed], following[crossed]
    at = here[:, 1] + (row - here[:, 0]) / (there[:, 0] - here[:, 0]) * (there[:, 1] - here[:, 1])
    to_the_right = np.flatnonzero(at >= column)
    if len(to_the_right):
        nearest = to_the_right[at[to_the_right].argmin()]
        edge, landing = int(crossed[nearest]), np.array([row, at[nearest]])
    else:  # simplification has pushed the hole through the ring: any bridge does, for it is walked there and back
        edge = int(np.hypot(*(ring - hole[begin]).T).argmin())
        landing = ring[edge]
    round_the_hole = np.roll(hole, -begin, axis=0)
    return np.concatenate([ring[: edge + 1], [landing], round_the_hole, hole[[begin]], [landing], ring[edge + 1 :]])
