"""How slices lie above one another: places along the normal, tilt, shift (pure).

Patient coordinates are DICOM's, mm; the vectors are a handful, so that plain floats and numpy both do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from segmentation.geometry import ORTHOGONAL_TOLERANCE

Point = tuple[float, float, float]
Orientation = tuple[float, float, float, float, float, float]

SAME_PLACE_MM = 0.1  # nearer slices are two at one place; no CT is scanned so densely
SAME_COSINE = 1e-3  # of direction cosines


@dataclass(frozen=True)
class SliceStack:
    """Parallel slices, from the feet to the head where they are axial.

    Args:
        positions_mm: along the normal, ascending, one for each place.
        instance_numbers: of the first slice at each place.
        repeated_mm: the places that have more than one slice.
        steepness_deg: between the normal and the axis from feet to head, 0 to 90.
        rotation_deg: between the rows and the axis from right to left, 0 to 90.
        shear_deg: between the normal and the line on which the first pixels lie, as a tilted gantry makes it.
        shift_mm: by how much first pixels lie off that line, across the normal.
    """

    positions_mm: tuple[float, ...]
    instance_numbers: tuple[int | None, ...]
    repeated_mm: tuple[float, ...]
    steepness_deg: float
    rotation_deg: float
    shear_deg: float
    shift_mm: float

    @classmethod
    def of(cls, orientation: Orientation, slices: Sequence[tuple[Point, int | None]]) -> "SliceStack":
        """Return the stack of slices, given as position and instance number, that share an orientation."""
        row, column = np.array(orientation[:3]), np.array(orientation[3:])
        normal = np.cross(row, column)
        normal *= -1 if normal[2] < -ORTHOGONAL_TOLERANCE else 1  # to the head, as Grid.normal
        origins = np.array([position for position, _ in slices])
        along = origins @ normal
        order = np.argsort(along, kind="stable")
        numbers = [slices[index][1] for index in order]
        across = (origins @ np.stack([row, column], axis=1))[order]
        firsts = _first_at_each_place(along[order].tolist())
        places = along[order][firsts]
        shear, shift = _shear_and_shift(places, across[firsts])
        return cls(
            positions_mm=tuple(places.tolist()),
            instance_numbers=tuple(numbers[index] for index in firsts),
            repeated_mm=tuple(
                float(along[order][index]) for index, after in pairwise([*firsts, len(slices)]) if after > index + 1
            ),
            steepness_deg=_angle_deg(normal[2]),
            rotation_deg=_angle_deg(row[0]),
            shear_deg=shear,
            shift_mm=shift,
        )


@lru_cache(maxsize=256)  # the slices of a series share theirs
def is_orthonormal(orientation: Orientation) -> bool:
    """Whether the two directions are orthogonal unit vectors, as exactly as a grid asks for."""
    row, column = orientation[:3], orientation[3:]
    lengths_are_one = all(abs(math.hypot(*vector) - 1) <= ORTHOGONAL_TOLERANCE for vector in (row, column))
    return lengths_are_one and abs(float(np.dot(row, column))) <= ORTHOGONAL_TOLERANCE


@lru_cache(maxsize=256)
def is_same_orientation(one: Orientation, other: Orientation) -> bool:
    """Whether two orientations differ by no more than how they were rounded."""
    return all(abs(a - b) <= SAME_COSINE for a, b in zip(one, other, strict=True))


def _first_at_each_place(ascending_mm: Sequence[float]) -> list[int]:
    """Return the indices of the positions that lie clear of the place before."""
    firsts: list[int] = []
    for index, position in enumerate(ascending_mm):
        if not firsts or position - ascending_mm[firsts[-1]] > SAME_PLACE_MM:
            firsts.append(index)
    return firsts


def _shear_and_shift(along: np.ndarray, across: np.ndarray) -> tuple[float, float]:
    """Return the angle of the line of first pixels to the normal, degrees, and how far they lie off it, mm.

    The median of the steps tells the line, so that one sudden shift is not taken for a tilt.

    Args:
        along: float64, (places,), mm, ascending.
        across: float64, (places, 2), mm, in the plane.
    """
    if len(along) < 2:
        return 0.0, 0.0
    slope = np.median(np.diff(across, axis=0) / np.diff(along)[:, None], axis=0)
    off = across - along[:, None] * slope
    return math.degrees(math.atan(math.hypot(*slope))), float(np.ptp(off, axis=0).max())


def _angle_deg(cosine: float) -> float:
    return math.degrees(math.acos(min(1.0, abs(float(cosine)))))
