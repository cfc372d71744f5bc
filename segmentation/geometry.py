"""Where voxels lie: between array indices and patient millimetres (pure).

Patient coordinates are DICOM's (PS3.3 C.7.6.2.1.1): millimetres, x to the patient's left, y to the back, z to the head.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from segmentation.errors import GeometryError

ORTHOGONAL_TOLERANCE = 1e-3  # of a direction cosine: what a DS of 6 decimals and a sloppy exporter leave


@dataclass(frozen=True, eq=False)
class Grid:
    """The voxel centres of a stack of parallel planes of equal size; planes may be unevenly spaced.

    Array order everywhere is slice, row, column. Slices are in ascending order along `normal`, which always points to
    the head where the planes are not sagittal or coronal.

    Args:
        origins: float64, (slices, 3), patient mm: the centre of row 0, column 0 of each slice (Image Position).
        row_direction: float64, (3,), unit vector along which the column index grows (Image Orientation, first triple).
        column_direction: float64, (3,), unit vector along which the row index grows (second triple).
        row_spacing_mm: between the centres of neighbouring rows (first value of Pixel Spacing).
        column_spacing_mm: between the centres of neighbouring columns (second value).
        rows: how many rows a slice has.
        columns: how many columns.

    Raises:
        GeometryError: for a spacing that is not positive, directions that are not orthogonal unit vectors, or slices
            that are not in ascending order.
    """

    origins: NDArray[np.float64]
    row_direction: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    row_spacing_mm: float
    column_spacing_mm: float
    rows: int
    columns: int

    def __post_init__(self) -> None:
        if not (self.row_spacing_mm > 0 and self.column_spacing_mm > 0):
            raise GeometryError(f"pixel spacing must be positive, got {self.row_spacing_mm}, {self.column_spacing_mm}")
        if not (self.rows > 0 and self.columns > 0 and self.origins.ndim == 2 and self.origins.shape[1] == 3):
            raise GeometryError(f"a grid needs slices, rows and columns, got {self.shape}")
        for name, vector in (("row", self.row_direction), ("column", self.column_direction)):
            if not math.isclose(float(np.linalg.norm(vector)), 1.0, abs_tol=ORTHOGONAL_TOLERANCE):
                raise GeometryError(f"the {name} direction is not a unit vector")
        if not abs(float(self.row_direction @ self.column_direction)) <= ORTHOGONAL_TOLERANCE:
            raise GeometryError("the row and column directions are not orthogonal")
        if not np.all(np.diff(self.positions_mm) > 0):
            raise GeometryError("slices must be in ascending order, each at a place of its own")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.origins), self.rows, self.columns

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector, (3,), across the planes: to the head, or along the cross product where they hold the z axis."""
        across = np.cross(self.row_direction, self.column_direction)
        across /= np.linalg.norm(across)
        return -across if across[2] < -ORTHOGONAL_TOLERANCE else across

    @cached_property
    def positions_mm(self) -> NDArray[np.float64]:
        """The planes' places along `normal`, (slices,), mm, ascending."""
        return self.origins @ self.normal

    @property
    def slice_spacing_mm(self) -> float:
        """The median distance between neighbouring planes; 1.0 for a single plane, which has none."""
        return float(np.median(np.diff(self.positions_mm))) if len(self.origins) > 1 else 1.0

    @property
    def voxel_cm3(self) -> float:
        """Volume of a voxel at the median slice spacing."""
        return self.slice_spacing_mm * self.row_spacing_mm * self.column_spacing_mm / 1000.0

    def to_patient(self, slice_index: int, row_column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places of points on one slice.

        Args:
            slice_index: of the plane.
            row_column: float, (points, 2), fractional row and column index; (0, 0) is the centre of the first pixel.

        Returns:
            float64, (points, 3), patient mm.
        """
        row, column = row_column[:, :1], row_column[:, 1:]
        return np.asarray(
            self.origins[slice_index]
            + column * self.column_spacing_mm * self.row_direction
            + row * self.row_spacing_mm * self.column_direction
        )

    def to_row_column(self, slice_index: int, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the fractional row and column, (points, 2), of patient points, (points, 3), seen on one slice."""
        from_origin = points_mm - self.origins[slice_index]
        return np.stack(
            [
                from_origin @ self.column_direction / self.row_spacing_mm,
                from_origin @ self.row_direction / self.column_spacing_mm,
            ],
            axis=1,
        )
