"""One organ on a CT's grid, kept to its bounding box (pure)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class OrganMask:
    """Which voxels belong to an organ, and how sure the network was.

    A full-size float volume for each of twelve organs would be gigabytes; an organ is small.

    Args:
        grid_shape: slices, rows, columns of the CT that the organ lies on.
        start: slice, row, column on the CT of the box's first voxel.
        mask: bool, (slices, rows, columns) of the box.
        probability: float32, the box's shape, 0 to 1, the network's after smoothing; None for a mask that was drawn.
            The mask need not be `probability > .5`: post-processing may have removed islands and closed holes.
    """

    grid_shape: tuple[int, int, int]
    start: tuple[int, int, int]
    mask: NDArray[np.bool_]
    probability: NDArray[np.float32] | None = None

    @classmethod
    def from_full(
        cls, mask: NDArray[np.bool_], probability: NDArray[np.float32] | None = None, margin: int = 3
    ) -> Self:
        """Return the organ of a full-size mask (not empty), with `margin` voxels around it where the CT has them."""
        occupied = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        start = tuple(max(int(indices[0]) - margin, 0) for indices in occupied)
        stop = tuple(
            min(int(indices[-1]) + 1 + margin, size) for indices, size in zip(occupied, mask.shape, strict=True)
        )
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        return cls(
            grid_shape=(mask.shape[0], mask.shape[1], mask.shape[2]),
            start=(start[0], start[1], start[2]),
            mask=mask[box].copy(),
            probability=None if probability is None else probability[box].astype(np.float32),
        )

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the box lies on the CT, as an index."""
        first, second, third = (slice(a, a + n) for a, n in zip(self.start, self.mask.shape, strict=True))
        return first, second, third

    def full(self) -> NDArray[np.bool_]:
        """Return the mask at the CT's size: bool, (slices, rows, columns)."""
        whole = np.zeros(self.grid_shape, dtype=np.bool_)
        whole[self.box] = self.mask
        return whole
