"""The whole CT on the network's grid: what would be computed without the body's box."""

import numpy as np
from numpy.typing import NDArray

from segmentation.bundle import Manifest
from segmentation.orientation import turn_of
from segmentation.preprocess import NetworkGrid, body_box
from segmentation.resampling import Places
from segmentation.volume import Volume


def box_grid(volume: Volume, manifest: Manifest) -> NetworkGrid:
    """Return the network's grid over the body's box, as the node has it."""
    return NetworkGrid.over(volume.grid, body_box(volume), manifest.preprocessing)


def whole_grid(volume: Volume, manifest: Manifest) -> NetworkGrid:
    """Return the network's grid over every slice as a whole.

    It is the box's, prolonged: a grid of its own would lie a part of a voxel beside it, and two such grids draw two
    masks. Towards lower rows and columns it is prolonged by whole cells of the network's features, for the same reason.
    """
    inner = box_grid(volume, manifest)
    _, *planes = turn_of(volume.grid).to_patient(volume.hu).shape
    cell = max(manifest.variant.output_stride, manifest.variant.stem_stride)
    of: list[Places] = [volume.grid.positions_mm]
    for axis, size in enumerate(planes, start=1):
        pixel_mm = inner.of[axis][1] - inner.of[axis][0]
        of.append(np.arange(size, dtype=np.float64) * pixel_mm)
    first, second, third = (
        prolonged(inner.at[axis], of[axis], inner.voxel_mm[axis], cell if axis else 1) for axis in range(3)
    )
    box = (slice(0, len(of[0])), slice(0, planes[0]), slice(0, planes[1]))
    return NetworkGrid(inner.turn, box, (of[0], of[1], of[2]), (first, second, third), inner.voxel_mm)


def prolonged(at: Places, over: NDArray[np.float64], step_mm: float, cell: int) -> Places:
    """Return evenly spaced places with as many before and behind as cover others; before, a whole number of cells."""
    before = max(0, round((at[0] - over[0]) / step_mm / cell)) * cell
    behind = max(0, round((over[-1] - at[-1]) / step_mm))
    places: Places = at[0] + (np.arange(-before, len(at) + behind)) * step_mm
    return places
