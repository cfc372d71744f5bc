"""One item of a Contour Sequence, PS3.3 C.8.8.6, to a ring on a slice of the CT (pure)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.tag import BaseTag, Tag

from segmentation.contour_data import points_of
from segmentation.geometry import Grid

# Looked up by tag, and raw where they can be: pydicom's conversion of each value takes longer than all else here.
CONTOUR_IMAGES = Tag("ContourImageSequence")
GEOMETRIC_TYPE = Tag("ContourGeometricType")
NUMBER_OF_POINTS = Tag("NumberOfContourPoints")
REFERENCED_INSTANCE = Tag("ReferencedSOPInstanceUID")
FILLED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
ENCLOSES_NOTHING = frozenset({"POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"})
LARGEST_OFF_PLANE_MM = 0.5
OUTSIDE_PX = 1.0  # beyond the edge of the outermost pixels: what rounding and smoothing of an organ at the edge leave


class ContourError(Exception):
    """Why a contour cannot be placed on the CT."""


@dataclass(frozen=True, eq=False)
class Target:
    """The CT that contours are read onto.

    Args:
        grid: where the voxels lie.
        slice_of_uid: slice index by SOP Instance UID.
    """

    grid: Grid
    slice_of_uid: dict[str, int]

    @cached_property
    def off_plane_mm(self) -> float:
        """How far a point may lie from its plane: a quarter of the smallest slice spacing, at most 0.5 mm."""
        gaps = np.diff(self.grid.positions_mm)
        return min(LARGEST_OFF_PLANE_MM, float(gaps.min()) / 4) if len(gaps) else LARGEST_OFF_PLANE_MM


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed planar contour on a slice.

    Args:
        slice_index: on the grid.
        row_column: float64, (points, 2), fractional.
        notes: what is odd about it and did no harm.
    """

    slice_index: int
    row_column: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_contour(item: Dataset, target: Target) -> Contour | None:
    """Return the contour of an item, None if it encloses nothing.

    Raises:
        ContourError: if the item cannot be understood or does not lie on the CT.
    """
    kind = _text(item, GEOMETRIC_TYPE)
    if kind in ENCLOSES_NOTHING:
        return None
    if kind not in FILLED:
        raise ContourError(f"its geometric type {kind!r} is unknown")
    try:
        points = points_of(item)
    except ValueError as error:
        raise ContourError(str(error)) from None
    if len(points) < 3:
        return None
    index = _slice_of(points, target)
    row_column = target.grid.to_row_column(index, points)
    beyond = np.array(target.grid.shape[1:]) - 0.5 + OUTSIDE_PX
    outside = np.any((row_column < -0.5 - OUTSIDE_PX) | (row_column > beyond), axis=1)
    if outside.any():
        raise ContourError(f"{outside.sum()} of its {len(points)} points lie outside the image")
    return Contour(index, row_column, _notes(item, len(points), index, target))


def _slice_of(points: NDArray[np.float64], target: Target) -> int:
    """Return the slice whose plane all points lie on."""
    grid = target.grid
    along = points @ grid.normal
    index = int(np.abs(grid.positions_mm - along[0]).argmin())
    off_mm = float(np.abs(along - grid.positions_mm[index]).max())
    if not off_mm <= target.off_plane_mm:
        raise ContourError(
            f"a point lies {off_mm:.2f} mm off the nearest slice, {target.off_plane_mm:.2f} mm are tolerated"
        )
    return index


def _notes(item: Dataset, points: int, index: int, target: Target) -> tuple[str, ...]:
    """Return what is odd but harmless.

    Raises:
        ContourError: for a reference to an image that the CT does not have: then it is not this CT that was drawn on.
    """
    notes = []
    images = item[CONTOUR_IMAGES].value or [] if CONTOUR_IMAGES in item else []
    referenced = [_text(image, REFERENCED_INSTANCE) for image in images]
    if "" in referenced:
        notes.append("its reference to an image is empty; the plane was followed")
        referenced = [uid for uid in referenced if uid]
    if any(uid not in target.slice_of_uid for uid in referenced):
        raise ContourError("it refers to an image that the CT does not have")
    if any(target.slice_of_uid[uid] != index for uid in referenced):
        notes.append("it refers to another slice than the one whose plane it lies on; the plane was followed")
    stated = _text(item, NUMBER_OF_POINTS)
    if stated not in {"", str(points)}:
        notes.append(f"it has {points} points and says {stated}")
    return tuple(notes)


def _text(item: Dataset, tag: BaseTag) -> str:
    """Return the value of an attribute of plain ASCII as it is written, without its padding; empty if there is none."""
    if tag not in item:
        return ""
    value = item.get_item(tag).value
    return value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else str(value or "")
