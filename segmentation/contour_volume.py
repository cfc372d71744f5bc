"""The volume of a ROI from its contours alone, where there is no CT at hand (pure).

The area within the contours of each plane, times half the way to the planes above and below. A contour within another
is a hole. It is what a planning system's list of structures shows, not the volume of the voxels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from segmentation.contour_data import points_of

FILLED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})  # PS3.3 C.8.8.6.3; others enclose nothing
OFF_PLANE_MM = 0.1  # of a point from its contour's plane: what rounding leaves
GAP = 2.5  # times the usual distance of a ROI's planes: beyond it another part of the organ begins


class VolumeError(Exception):
    """Why the contours tell no volume."""


@dataclass(frozen=True, eq=False)
class _Ring:
    """A contour in its plane: the plane's place along the normal, mm, and points (n, 2), mm."""

    place_mm: float
    points: NDArray[np.float64]
    area_mm2: float


def contour_volume_cm3(contours: Sequence[Dataset]) -> float:
    """Return the volume that the items of a ROI's Contour Sequence enclose.

    Args:
        contours: the items, in any order.

    Raises:
        VolumeError: if they enclose nothing, lie in one plane or in planes that are not parallel, or overlap in part.
    """
    filled = [item for item in contours if str(item.get("ContourGeometricType") or "") in FILLED]
    try:
        loops = [loop for item in filled if len(loop := points_of(item)) >= 3]
    except ValueError as error:
        raise VolumeError(str(error)) from None
    if not loops:
        raise VolumeError("no contour encloses anything")
    rings = _flattened(loops)
    places = np.array([ring.place_mm for ring in rings])
    order = np.argsort(places, kind="stable")
    # Points are written with some decimals: planes closer than the tolerance are one.
    starts = np.flatnonzero(np.diff(places[order], prepend=-np.inf) > OFF_PLANE_MM)
    groups = np.split(order, starts[1:])
    if len(groups) < 2:
        raise VolumeError("its contours lie in one plane, whose thickness only the CT tells")
    areas_mm2 = np.array([_area_mm2([rings[index] for index in group]) for group in groups])
    heights = np.array([float(places[group].mean()) for group in groups])
    return float(areas_mm2 @ _thickness_mm(heights)) / 1000.0


def _flattened(loops: Sequence[NDArray[np.float64]]) -> list[_Ring]:
    """Return the contours in the coordinates of their common direction of planes."""
    normals = [np.cross(loop - loop[0], np.roll(loop, -1, axis=0) - loop[0]).sum(axis=0) / 2 for loop in loops]
    largest = max(normals, key=lambda vector: float(np.linalg.norm(vector)))
    size = float(np.linalg.norm(largest))
    if not size > 0:
        raise VolumeError("no contour encloses anything")
    normal = largest / size
    across = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    across /= np.linalg.norm(across)
    frame = np.stack([across, np.cross(normal, across)], axis=1)
    rings = []
    for loop, area in zip(loops, normals, strict=True):
        along = loop @ normal
        if np.ptp(along) > 2 * OFF_PLANE_MM:
            raise VolumeError("its contours do not lie in parallel planes")
        rings.append(_Ring(float(along.mean()), loop @ frame, abs(float(area @ normal))))
    return rings


def _area_mm2(rings: Sequence[_Ring]) -> float:
    """Return the area within an odd number of the rings of one plane."""
    total = 0.0
    for ring in rings:
        depth = sum(_is_within(ring.points, other.points) for other in rings if other is not ring)
        total += -ring.area_mm2 if depth % 2 else ring.area_mm2
    return total


def _is_within(points: NDArray[np.float64], ring: NDArray[np.float64]) -> bool:
    """Whether a contour lies within another.

    Raises:
        VolumeError: if only part of it does.
    """
    if np.any(points.max(axis=0) < ring.min(axis=0)) or np.any(points.min(axis=0) > ring.max(axis=0)):
        return False
    start, end = ring, np.roll(ring, -1, axis=0)
    spans = (start[:, 1] <= points[:, 1, None]) != (end[:, 1] <= points[:, 1, None])
    rise = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    crossing = start[:, 0] + (points[:, 1, None] - start[:, 1]) / rise * (end[:, 0] - start[:, 0])
    inside = np.count_nonzero(spans & (crossing > points[:, 0, None]), axis=1) % 2 == 1
    if inside.any() and not inside.all():
        raise VolumeError("its contours touch or overlap: only filling them on the CT tells what they enclose")
    return bool(inside.all())


def _thickness_mm(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how thick a slab each plane stands for: half the way to either neighbour, and as much at an end."""
    steps = np.diff(heights)
    usual = float(np.median(steps))
    known = steps <= GAP * usual
    below = np.where(np.append(False, known), np.append(0.0, steps), np.nan)
    above = np.where(np.append(known, False), np.append(steps, 0.0), np.nan)
    below, above = np.where(np.isnan(below), above, below), np.where(np.isnan(above), below, above)
    return np.nan_to_num((below + above) / 2, nan=usual)
