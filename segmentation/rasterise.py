"""Which pixels lie within closed planar contours: the scan-line that every mask of ours comes from (pure).

A pixel belongs to a contour when its centre does. A centre that lies exactly on an edge belongs to the contour on its
left and upper side only, so that contours that share an edge share no pixel.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fill_contours(rings: Sequence[NDArray[np.float64]], rows: int, columns: int) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie within an odd number of rings.

    Args:
        rings: float64, (points, 2) each, fractional row and column, the last point joined to the first.
        rows: of the image; what lies outside it is cut off.
        columns: of the image.

    Returns:
        bool, (rows, columns).
    """
    plane: NDArray[np.bool_] = fill_planes(rings, [0] * len(rings), (1, rows, columns))[0]
    return plane


def fill_planes(
    rings: Sequence[NDArray[np.float64]], planes: Sequence[int], shape: tuple[int, int, int]
) -> NDArray[np.bool_]:
    """Fill every plane of a stack by its own rings, even-odd, in one go.

    Args:
        rings: as in `fill_contours`.
        planes: which plane each ring lies on, 0 to `shape[0]` - 1.
        shape: planes, rows, columns.

    Returns:
        bool, `shape`.
    """
    inside = np.zeros(shape, dtype=np.bool_)
    if not rings:
        return inside
    lengths = np.array([len(ring) for ring in rings])
    start = np.concatenate(rings)
    edge, row = _rows_crossed(start[:, 0], start[following(lengths), 0], shape[1])
    end = start[following(lengths)[edge]]
    start = start[edge]
    along = (row - start[:, 0]) / (end[:, 0] - start[:, 0])
    column = np.ceil(start[:, 1] + along * (end[:, 1] - start[:, 1])).clip(min=0)
    seen = column < shape[2]  # what begins right of the image toggles none of its pixels
    plane = np.repeat(np.asarray(planes), lengths)[edge]
    at = ((plane * shape[1] + row) * shape[2])[seen] + column[seen].astype(np.intp)
    places, crossings = np.unique(at, return_counts=True)
    inside.reshape(-1)[places[crossings % 2 == 1]] = True
    # Each crossing toggles all that is right of it, in its own row.
    return np.asarray(np.logical_xor.accumulate(inside, axis=2))


def following(lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each point of the joined rings the index of the next one on its own ring."""
    following = np.arange(1, int(lengths.sum()) + 1)
    ends = np.cumsum(lengths)
    following[ends - 1] = ends - lengths
    return following


def _rows_crossed(
    start_row: NDArray[np.float64], end_row: NDArray[np.float64], rows: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which edge crosses which row of pixel centres, once for each crossing.

    An edge crosses the rows from its upper end, included, to its lower end, excluded: a vertex on a row counts once and
    a horizontal edge never.
    """
    first = np.ceil(np.minimum(start_row, end_row)).clip(0, rows).astype(np.intp)
    last = np.ceil(np.maximum(start_row, end_row)).clip(0, rows).astype(np.intp)
    count = last - first
    edge = np.repeat(np.arange(len(count)), count)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    return edge, row
