"""Masks on a CT's grid as a compressed NumPy archive, which research tools read, and the way back.

Every key stands in docs/structures.md. A mask is under its ROI's name and `.mask`; beside the masks stands where their
voxels lie, so that they are never put on another CT.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segmentation.durable import written_whole
from segmentation.errors import StructureSetError
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask

FORMAT = 1  # of the file; a reader refuses another
SAME_MM = 0.01  # places and spacings that differ by less are the same
SUFFIX = ".mask"


@dataclass(frozen=True, eq=False)
class MaskFile:
    """What a file of masks holds.

    Args:
        masks: ROI name to its mask; only those that have a voxel.
        empty: names of masks without one.
    """

    masks: dict[str, OrganMask]
    empty: tuple[str, ...]


def save_masks(path: Path, masks: Mapping[str, OrganMask], grid: Grid, frame_of_reference_uid: str) -> None:
    """Write masks at the CT's size; the file appears whole or not at all, and is the same for the same masks.

    Args:
        path: the file; its folder must be there.
        masks: ROI name to mask on the grid.
        grid: where the voxels lie.
        frame_of_reference_uid: the CT's.

    Raises:
        OSError: if the disk refuses.
    """
    with written_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in _place_of(grid, frame_of_reference_uid).items():
            _write(archive, key, array)
        _write(archive, "names", np.array(json.dumps(list(masks))))
        for name, mask in masks.items():  # one by one: at full size they are large
            _write(archive, f"{name}{SUFFIX}", mask.full())


def load_masks(path: Path, grid: Grid, frame_of_reference_uid: str) -> MaskFile:
    """Return the masks of a file, if they lie on this CT.

    Raises:
        StructureSetError: if the file cannot be read, is of another format, or its masks lie elsewhere.
    """
    if not zipfile.is_zipfile(path):
        raise StructureSetError(f"{path.name} is no file of masks: it is no NumPy archive (.npz)")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            faults = _faults(arrays, _place_of(grid, frame_of_reference_uid))
            if faults:
                raise StructureSetError(f"{path.name} is of another CT: {'; '.join(faults)}")
            names = json.loads(str(arrays["names"]))
            whole = {name: _mask(arrays[f"{name}{SUFFIX}"], name, grid) for name in names}
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise StructureSetError(f"{path.name} is no file of masks that can be read: {error}") from error
    return MaskFile(
        masks={name: mask for name, mask in whole.items() if mask is not None},
        empty=tuple(name for name, mask in whole.items() if mask is None),
    )


def _place_of(grid: Grid, frame_of_reference_uid: str) -> dict[str, NDArray[Any]]:
    """Return what says where the voxels lie."""
    return {
        "format": np.array(FORMAT),
        "shape": np.array(grid.shape),
        "origins_mm": grid.origins,
        "row_direction": grid.row_direction,
        "column_direction": grid.column_direction,
        "spacing_mm": np.array([grid.slice_spacing_mm, grid.row_spacing_mm, grid.column_spacing_mm]),
        "frame_of_reference_uid": np.array(frame_of_reference_uid),
    }


def _write(archive: zipfile.ZipFile, key: str, array: NDArray[Any]) -> None:
    # Opened by name, the entry bears the first day of the format and not the time of writing.
    with archive.open(f"{key}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array, allow_pickle=False)


def _faults(arrays: Mapping[str, NDArray[Any]], here: Mapping[str, NDArray[Any]]) -> list[str]:
    """Return in what the place of a file's voxels differs from here."""
    return [key for key, value in here.items() if not _is_same(arrays[key], value)]


def _is_same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
        return False
    return bool(np.all(np.abs(one - other) < SAME_MM) if other.dtype.kind == "f" else np.all(one == other))


def _mask(array: NDArray[Any], name: str, grid: Grid) -> OrganMask | None:
    """Return a mask, None if it has no voxel."""
    if array.dtype != np.bool_ or array.shape != grid.shape:
        raise StructureSetError(f"{name} is {array.dtype} of {array.shape}, the CT asks for bool of {grid.shape}")
    return OrganMask.from_full(array) if array.any() else None
