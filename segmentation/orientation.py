"""Turning slices to patient axes and masks back, from the directions of the grid alone (pure).

Patient Position (0018,5100) is often empty or wrong; Image Orientation (Patient) is what the planes really are.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from segmentation.errors import GeometryError
from segmentation.geometry import Grid

Voxel = TypeVar("Voxel", bound=np.generic)
MIN_COSINE = 0.9  # 26 degrees: more and rows and columns no longer say which way is left


@dataclass(frozen=True)
class Turn:
    """How a slice's pixels lie in the patient.

    Args:
        transposed: whether the row index runs from side to side.
        rows_flipped: whether, once transposed, the row index grows to the front.
        columns_flipped: whether, once transposed, the column index grows to the patient's right.
    """

    transposed: bool
    rows_flipped: bool
    columns_flipped: bool

    def to_patient(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        """Return a view, (slices to the head, rows to the back, columns to the left), of voxels in pixel order."""
        turned = voxels.transpose(0, 2, 1) if self.transposed else voxels
        return turned[:, :: -1 if self.rows_flipped else 1, :: -1 if self.columns_flipped else 1]

    def to_pixels(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        """Return a view in the CT's own pixel order of voxels in patient axes; the inverse of `to_patient`."""
        turned = voxels[:, :: -1 if self.rows_flipped else 1, :: -1 if self.columns_flipped else 1]
        return turned.transpose(0, 2, 1) if self.transposed else turned


def turn_of(grid: Grid) -> Turn:
    """Return how an axial grid has to be turned.

    Raises:
        GeometryError: for planes that are not axial, or turned in their plane so far that no side is left or right.
    """
    along_columns, along_rows = grid.row_direction, grid.column_direction
    transposed = abs(along_columns[1]) > abs(along_columns[0])
    if transposed:
        along_columns, along_rows = along_rows, along_columns
    if abs(along_columns[0]) < MIN_COSINE or abs(along_rows[1]) < MIN_COSINE:
        raise GeometryError("the slices are not axial, or are turned too far in their plane to tell left from right")
    return Turn(bool(transposed), bool(along_rows[1] < 0), bool(along_columns[0] < 0))
