"""Reading the OpenKBP challenge's patients as they are given out: a folder each, with sparse arrays as CSV.

`ct.csv` holds flat indices into 128 x 128 x 128 and values 1024 above HU; `Brainstem.csv` and its like the indices of
a mask; `voxel_dimensions.csv` three lengths in mm. Arrays are (row, column, slice), the most cranial slice first, the
patient's right at column 0. Babier et al., Med Phys 48:5549 (2021).
"""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adaptation.errors import CaseError
from adaptation.labelled_ct import Case, LabelledCt
from adaptation.openkbp import within_ct
from segmentation.orientation import Voxel

SHAPE = (128, 128, 128)  # rows, columns, slices
OFFSET_HU = 1024
FILES = {
    "Brainstem": "Brainstem.csv",
    "SpinalCord": "SpinalCord.csv",
    "Bone_Mandible": "Mandible.csv",
    "Parotid_L": "LeftParotid.csv",
    "Parotid_R": "RightParotid.csv",
}
CT, VOXEL = "ct.csv", "voxel_dimensions.csv"


def csv_case(folder: Path) -> Case:
    """Return the case of a patient's folder; its group is the folder around it, as `train-pats`."""
    drawn = tuple(organ for organ, file in FILES.items() if (folder / file).is_file())
    group = folder.parent.name
    return Case(f"{group}/{folder.name}", group, partial(read_csv_patient, folder), drawn, where=str(folder))


def read_csv_patient(folder: Path) -> LabelledCt:
    """Return one patient; slices without CT are left out, as are the contours there.

    Raises:
        CaseError: where a file is not of this kind.
    """
    ct = _numbers(folder / CT, (0, 1))
    stored = np.zeros(SHAPE, dtype=np.int64)
    stored.reshape(-1)[_places(ct[:, 0], folder / CT)] = np.rint(ct[:, 1])
    hu = np.clip(stored - OFFSET_HU, -OFFSET_HU, np.iinfo(np.int16).max).astype(np.int16)
    masks = {organ: _mask(folder / file) for organ, file in FILES.items() if (folder / file).is_file()}
    row_mm, column_mm, slice_mm = _voxel_mm(folder / VOXEL)
    spacing = np.array([slice_mm, row_mm, column_mm])
    return within_ct(_upright(hu), {organ: _upright(mask) for organ, mask in masks.items()}, spacing, folder.name)


def _upright(array: NDArray[Voxel]) -> NDArray[Voxel]:
    """Return an array of theirs as slice, row, column, the most caudal slice first."""
    return np.ascontiguousarray(array[:, :, ::-1].transpose(2, 0, 1))


def _mask(path: Path) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask.reshape(-1)[_places(_numbers(path, (0,))[:, 0], path)] = True
    return mask


def _places(indices: NDArray[np.float64], path: Path) -> NDArray[np.int64]:
    """Return flat indices that lie within the array."""
    places = indices.astype(np.int64)
    if np.any((places != indices) | (places < 0) | (places >= np.prod(SHAPE))):
        raise CaseError(f"{path.parent.name}/{path.name} has an index outside of 128 x 128 x 128")
    return places


def _voxel_mm(path: Path) -> NDArray[np.float64]:
    try:
        lengths = np.loadtxt(path, delimiter=",").reshape(-1)
    except (OSError, ValueError) as error:
        raise CaseError(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    if len(lengths) != 3 or not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise CaseError(f"{path.parent.name}/{path.name} does not hold three lengths in mm")
    return lengths


def _numbers(path: Path, columns: tuple[int, ...]) -> NDArray[np.float64]:
    """Return columns of a file with one line of heads."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a structure without a voxel
            return np.loadtxt(path, delimiter=",", skiprows=1, usecols=columns, ndmin=2).reshape(-1, len(columns))
    except (OSError, ValueError) as error:
        raise CaseError(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
