"""Voxels in HU with the place where they lie (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.errors import GeometryError
from segmentation.geometry import Grid


@dataclass(frozen=True, eq=False)
class Volume:
    """A CT.

    Args:
        hu: int16 or float32, (slices, rows, columns), HU, in the pixel order of the slices as they were sent.
        grid: where the voxels lie.
    """

    hu: NDArray[np.generic]
    grid: Grid

    def __post_init__(self) -> None:
        if self.hu.shape != self.grid.shape:
            raise GeometryError(f"{self.hu.shape} voxels do not fit a grid of {self.grid.shape}")
