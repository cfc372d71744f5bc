"""The contours of a ROI to its mask: even-odd on each slice, unless contours overlap (pure).

A contour within another is a hole, PS3.3 C.8.8.6.3 or vendor's habit; two that overlap in part are two drawings of one
organ, of which even-odd would drop what they share.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from segmentation.organ_mask import OrganMask
from segmentation.rasterise import fill_contours, fill_planes


def combine(
    rings: Sequence[NDArray[np.float64]], slices: Sequence[int], shape: tuple[int, int, int]
) -> tuple[OrganMask | None, list[str]]:
    """Return the mask of all rings, or None if it has no voxel, and what was odd.

    Args:
        rings: float64, (points, 2) each, fractional row and column on the CT.
        slices: the slice index of each ring.
        shape: slices, rows, columns of the CT.
    """
    if not rings:
        return None, []
    box = _box(rings, slices, shape)
    corner = np.array([box[1].start, box[2].start])
    moved = [ring - corner for ring in rings]
    planes = [index - box[0].start for index in slices]
    size = (box[0].stop - box[0].start, box[1].stop - box[1].start, box[2].stop - box[2].start)
    mask = fill_planes(moved, planes, size)
    notes = []
    for plane, group in _crowded(planes):
        repeated, partial = _relations([moved[member] for member in group], size[1:])
        if repeated:
            notes.append(f"slice {plane + box[0].start}: a contour is there more than once and counts once")
            kept = [moved[member] for place, member in enumerate(group) if place not in repeated]
            mask[plane] = fill_contours(kept, *size[1:])
        if partial:
            notes.append(f"slice {plane + box[0].start}: contours overlap in part and were united; please review")
            mask[plane] = np.any([fill_contours([moved[member]], *size[1:]) for member in group], axis=0)
    if not mask.any():
        return None, notes
    return OrganMask(shape, (box[0].start, box[1].start, box[2].start), mask), notes


def _box(
    rings: Sequence[NDArray[np.float64]], slices: Sequence[int], shape: tuple[int, int, int]
) -> tuple[slice, slice, slice]:
    """Return the voxels that the rings may reach, at least one along each axis."""
    lowest = np.min([ring.min(axis=0) for ring in rings], axis=0)
    highest = np.max([ring.max(axis=0) for ring in rings], axis=0)
    start = np.clip(np.floor(lowest).astype(int), 0, np.array(shape[1:]) - 1)
    stop = np.clip(np.ceil(highest).astype(int) + 1, start + 1, shape[1:])
    rows, columns = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return slice(min(slices), max(slices) + 1), rows, columns


def _crowded(planes: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield each plane that has several rings, with the rings' indices."""
    groups: dict[int, list[int]] = {}
    for member, plane in enumerate(planes):
        groups.setdefault(plane, []).append(member)
    yield from ((plane, group) for plane, group in sorted(groups.items()) if len(group) > 1)


def _relations(rings: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> tuple[set[int], bool]:
    """Return which rings repeat an earlier one, and whether two overlap without one being within the other.

    What counts are the pixels: lines that cross between pixel centres change no mask.
    """
    low = np.array([ring.min(axis=0) for ring in rings])
    high = np.array([ring.max(axis=0) for ring in rings])
    filled: dict[int, tuple[NDArray[np.intp], NDArray[np.bool_]]] = {}
    repeated: set[int] = set()
    partial = False
    for later in range(1, len(rings)):
        near = np.all((low[:later] <= high[later]) & (high[:later] >= low[later]), axis=1)
        for earlier in np.flatnonzero(near):
            one, other = (filled.setdefault(member, _filled(rings[member], size)) for member in (int(earlier), later))
            shared = _shared(one, other)
            sizes = int(np.count_nonzero(one[1])), int(np.count_nonzero(other[1]))
            if shared and sizes == (shared, shared):
                repeated.add(later)
            elif shared and shared not in sizes:
                partial = True
    return repeated, partial


def _filled(ring: NDArray[np.float64], size: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return a ring's pixels and the corner of the box that they stand in: thousands of planes are too much."""
    start = np.clip(np.floor(ring.min(axis=0)).astype(np.intp), 0, np.array(size) - 1)
    stop = np.clip(np.ceil(ring.max(axis=0)).astype(np.intp) + 1, start + 1, size)
    rows, columns = stop - start
    return start, fill_contours([ring - start], int(rows), int(columns))


def _shared(one: tuple[NDArray[np.intp], NDArray[np.bool_]], other: tuple[NDArray[np.intp], NDArray[np.bool_]]) -> int:
    """Return how many pixels two boxes of pixels have in common."""
    start = np.maximum(one[0], other[0])
    stop = np.minimum(one[0] + one[1].shape, other[0] + other[1].shape)
    if np.any(stop <= start):
        return 0
    (first, second) = (
        mask[tuple(slice(int(a), int(b)) for a, b in zip(start - corner, stop - corner, strict=True))]
        for corner, mask in (one, other)
    )
    return int(np.count_nonzero(first & second))
