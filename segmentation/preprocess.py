"""From a CT to what the network sees, and the way back for what it says (pure).

The network has one grid, whatever the CT's: the CT is averaged down to it, and probabilities, not masks, are brought
back up, so that contours are as smooth as the CT's pixels allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.bundle import Preprocessing
from segmentation.geometry import Grid
from segmentation.orientation import Turn, Voxel, turn_of
from segmentation.resampling import Matrix, Places, averaging_matrix, cubic_matrix, resample
from segmentation.volume import Volume

AIR_HU = -1024
BODY_HU = -300  # between air and fat; skin, masks and the couch's shell are above, lung is below
BOX_MARGIN_MM = 10.0
COUCH_SEARCH_MM = 4.0  # pixel of the picture on which body and couch are told apart


@dataclass(frozen=True, eq=False)
class NetworkGrid:
    """The network's grid over the body's box of a CT.

    Args:
        turn: of the CT.
        box: the body's, on the CT in patient axes.
        of: where the box's voxel centres lie, mm along each axis.
        at: where the network's voxel centres lie, mm along each axis, evenly spaced.
        voxel_mm: the network's, along each axis.
    """

    turn: Turn
    box: tuple[slice, slice, slice]
    of: tuple[Places, Places, Places]
    at: tuple[Places, Places, Places]
    voxel_mm: tuple[float, float, float]

    @classmethod
    def over(cls, grid: Grid, box: tuple[slice, slice, slice], preprocessing: Preprocessing) -> Self:
        """Return the network's grid that covers a box (in patient axes) of a CT's grid."""
        turn = turn_of(grid)
        pixel_mm = (grid.row_spacing_mm, grid.column_spacing_mm)
        row_mm, column_mm = reversed(pixel_mm) if turn.transposed else pixel_mm
        rows, columns = (np.arange(part.start, part.stop, dtype=np.float64) for part in box[1:])
        of = (grid.positions_mm[box[0]], rows * row_mm, columns * column_mm)
        voxel_mm = (preprocessing.slice_mm, preprocessing.pixel_mm, preprocessing.pixel_mm)
        first, second, third = (evenly_over(a, mm) for a, mm in zip(of, voxel_mm, strict=True))
        return cls(turn, box, of, (first, second, third), voxel_mm)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns of the network's grid."""
        return len(self.at[0]), len(self.at[1]), len(self.at[2])

    def down(self, hu: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return a CT, in pixel order, averaged to the network's grid; float32."""
        body = self.turn.to_patient(hu)[self.box]
        first, second, third = (
            averaging_matrix(of, at, mm) for of, at, mm in zip(self.of, self.at, self.voxel_mm, strict=True)
        )
        # In-plane first and a slice at a time: the CT in float32 would be four times the memory that it has.
        plane = np.zeros((len(body), len(second), len(third)), dtype=np.float32)
        for index in np.flatnonzero(body.any(axis=(1, 2))):  # most slices of a mask are empty
            plane[index] = second @ np.asarray(body[index], dtype=np.float32) @ third.T
        return np.tensordot(first, plane, axes=(1, 0)).astype(np.float32)

    def up(
        self, values: NDArray[np.float32], part: tuple[slice, slice, slice]
    ) -> tuple[tuple[slice, slice, slice], NDArray[np.float32]]:
        """Return a part of the network's grid at the CT's resolution.

        Args:
            values: float32, the part's shape.
            part: where it lies on the network's grid; nothing of interest touches its border.

        Returns:
            The place on the CT in patient axes, and the values there, float32; the place may be empty.
        """
        places: list[slice] = []
        matrices: list[Matrix] = []
        for axis in range(3):
            at = (self.of[axis] - self.at[axis][part[axis].start]) / self.voxel_mm[axis]
            inside = np.flatnonzero((at >= -0.5) & (at <= values.shape[axis] - 0.5))
            low = int(inside[0]) if len(inside) else 0
            places.append(slice(self.box[axis].start + low, self.box[axis].start + low + len(inside)))
            matrices.append(cubic_matrix(values.shape[axis], at[inside]))
        return (places[0], places[1], places[2]), resample(values, (matrices[0], matrices[1], matrices[2]))


def evenly_over(of: Places, step_mm: float) -> Places:
    """Return evenly spaced places that cover given ones, centred on them; one place at least."""
    half = (of[-1] - of[0]) / 2
    count = max(1, round((2 * half + (2 * half / (len(of) - 1) if len(of) > 1 else 0)) / step_mm))
    places: Places = of[0] + half + (np.arange(count) - (count - 1) / 2) * step_mm
    return places


def to_values(hu: NDArray[np.generic], knots: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """Return HU as the network sees them: a piecewise linear map; air is 0."""
    return np.interp(np.asarray(hu, dtype=np.float32), [knot[0] for knot in knots], [knot[1] for knot in knots]).astype(
        np.float32
    )


def with_context(values: NDArray[Voxel], indices: Sequence[int], context: Sequence[int]) -> NDArray[Voxel]:
    """Return slices with their neighbours as channels, (slices, context, rows, columns); the end slices repeat."""
    wanted = np.asarray(indices)[:, None] + np.asarray(context)[None, :]
    return np.asarray(values[np.clip(wanted, 0, len(values) - 1)])


def body_box(volume: Volume) -> tuple[slice, slice, slice]:
    """Return the box of the body, with a margin, on a CT in patient axes; the whole CT where there is none.

    The body is the largest thing in each slice, looked at coarsely, so that the couch and the head rest do not widen
    the box; slices without any body at the ends are left out.
    """
    grid = volume.grid
    turn = turn_of(grid)
    pixel_mm = (grid.row_spacing_mm, grid.column_spacing_mm)
    row_mm, column_mm = reversed(pixel_mm) if turn.transposed else pixel_mm
    turned = turn.to_patient(volume.hu)
    size = (
        max(1, round(turned.shape[2] * column_mm / COUCH_SEARCH_MM)),
        max(1, round(turned.shape[1] * row_mm / COUCH_SEARCH_MM)),
    )
    found = np.stack(
        [
            largest_thing(cv2.resize(np.asarray(one, dtype=np.float32), size, interpolation=cv2.INTER_AREA))
            for one in turned
        ]
    )
    if not found.any():
        return (slice(0, turned.shape[0]), slice(0, turned.shape[1]), slice(0, turned.shape[2]))
    slices = np.flatnonzero(found.any(axis=(1, 2)))
    rows, columns = (
        widened(np.flatnonzero(found.any(axis=axes)), coarse, fine, BOX_MARGIN_MM / mm)
        for axes, coarse, fine, mm in (
            ((0, 2), size[1], turned.shape[1], row_mm),
            ((0, 1), size[0], turned.shape[2], column_mm),
        )
    )
    return slice(int(slices[0]), int(slices[-1]) + 1), rows, columns


def largest_thing(hu: NDArray[np.integer | np.floating]) -> NDArray[np.bool_]:
    """Return the largest connected region above air of a slice; bool, empty where it is under 20 pixels."""
    # Opening parts the body from a couch that touches it.
    solid = ndimage.binary_opening(hu > BODY_HU)
    labels, count = ndimage.label(solid)
    if not count:
        return np.zeros(hu.shape, dtype=np.bool_)
    sizes = np.bincount(labels.ravel())[1:]
    largest: NDArray[np.bool_] = labels == int(sizes.argmax()) + 1
    return largest & bool(sizes.max() >= 20)


def widened(occupied: NDArray[np.int64], coarse: int, fine: int, margin: float) -> slice:
    """Return occupied indices of a coarse axis as a range of the fine axis, with a margin in fine steps."""
    scale = fine / coarse
    return slice(max(0, int(occupied[0] * scale - margin)), min(fine, int((occupied[-1] + 1) * scale + margin) + 1))
