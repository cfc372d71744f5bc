"""The arrays of a case in one file: HU, the organs that were drawn, and where their voxels lie; nothing of a header."""

import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from adaptation.errors import CaseError
from adaptation.labelled_ct import LabelledCt
from segmentation.durable import written_whole
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.volume import Volume

FASTEST = 1  # of zlib's levels: HU are noise, and a higher one gains a tenth of the size for three times the time
LOWEST, HIGHEST = -32768, 32767  # of int16


def save_arrays(path: Path, case: LabelledCt) -> None:
    """Write the arrays of a case; the file appears whole or not at all.

    Raises:
        OSError: if the disk refuses.
    """
    organs = {name: OrganMask.from_full(mask, margin=0) for name, mask in case.masks.items() if mask.any()}
    arrays = {"hu": whole_hu(case), **_place_of(case.volume.grid)}
    arrays["organs"] = np.array(json.dumps({name: organ.start for name, organ in organs.items()}))
    arrays |= {f"{name}.mask": organ.mask for name, organ in organs.items()}
    with (
        written_whole(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=FASTEST) as archive,
    ):
        for key, array in arrays.items():
            # Opened by name, the entry bears the first day of the format and not the time of writing.
            with archive.open(f"{key}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def load_arrays(path: Path) -> LabelledCt:
    """Return the case of a file.

    Raises:
        CaseError: the file is none of a case.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            grid = _grid_of(arrays)
            starts = json.loads(str(arrays["organs"]))
            masks = {
                name: OrganMask(grid.shape, (int(first), int(second), int(third)), arrays[f"{name}.mask"]).full()
                for name, (first, second, third) in starts.items()
            }
            return LabelledCt(Volume(arrays["hu"], grid), masks)
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CaseError(f"the arrays of a case cannot be read: {type(error).__name__}") from error


def whole_hu(case: LabelledCt) -> NDArray[np.int16]:
    """Return the HU as whole numbers, int16, (slices, rows, columns)."""
    hu: NDArray[np.generic] = case.volume.hu
    if hu.dtype != np.int16:
        hu = np.clip(np.rint(hu.astype(np.float32)), LOWEST, HIGHEST)
    return hu.astype(np.int16, copy=False)


def digest_of(case: LabelledCt) -> str:
    """Return the SHA-256 of the voxels, by which a CT is known under another name."""
    return sha256(np.ascontiguousarray(whole_hu(case)).data).hexdigest()


def _place_of(grid: Grid) -> dict[str, NDArray[Any]]:
    return {
        "origins_mm": grid.origins
        - grid.origins[0],  # from the first slice's: where the patient lay is nobody's matter
        "row_direction": grid.row_direction,
        "column_direction": grid.column_direction,
        "pixel_mm": np.array([grid.row_spacing_mm, grid.column_spacing_mm]),
    }


def _grid_of(arrays: NpzFile) -> Grid:
    row_mm, column_mm = (float(each) for each in arrays["pixel_mm"])
    _, rows, columns = arrays["hu"].shape
    return Grid(
        arrays["origins_mm"], arrays["row_direction"], arrays["column_direction"], row_mm, column_mm, rows, columns
    )
