"""Reading the OpenKBP challenge's patients from arrays: CT in HU and physician contours as bits.

Babier et al., "OpenKBP: The open-access knowledge-based planning grand challenge and dataset", Med Phys 48:5549
(2021); MIT licence. `docs/models.md` says how the arrays are laid out.
"""

from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from adaptation.errors import CaseError
from adaptation.labelled_ct import Case, LabelledCt
from segmentation.geometry import Grid
from segmentation.volume import Volume

BITS = {"Brainstem": 1, "SpinalCord": 2, "Bone_Mandible": 4, "Parotid_L": 8, "Parotid_R": 16}
EMPTY_HU = -1000  # what the challenge's files have where there is no CT, -1024, and nothing of a patient has
MIN_PATIENT_PIXELS = 50


def list_patients(folder: Path, groups: tuple[str, ...]) -> list[Case]:
    """Return the patients of some groups (`source`, `target`, `other`) in the order of their names.

    Raises:
        CaseError: where a group has no patients.
    """
    cases = []
    for group in groups:
        paths = sorted((folder / group).glob("*.npz"))
        if not paths:
            raise CaseError(f"{folder} has no patients of the group {group}")
        cases += [Case(f"{group}/{path.stem}", group, partial(read_patient, path)) for path in paths]
    return cases


def read_patient(path: Path) -> LabelledCt:
    """Return one patient; slices without CT are left out, as are the contours there.

    Raises:
        CaseError: where the file is not such an array.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            hu, bits, spacing = arrays["hu"], arrays["masks"], arrays["spacing_mm"]
            drawn = [str(name) for name in arrays["structures"]]
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise CaseError(f"{path.name} is not an OpenKBP patient: {error}") from error
    filled = np.flatnonzero((hu > EMPTY_HU).sum(axis=(1, 2)) >= MIN_PATIENT_PIXELS)
    if not len(filled):
        raise CaseError(f"{path.name} has no CT")
    kept = slice(int(filled[0]), int(filled[-1]) + 1)
    hu, bits = hu[kept], bits[kept]
    return LabelledCt(
        volume=Volume(hu, axial_grid(hu.shape, spacing)),
        masks={name: (bits & BITS[name]) > 0 for name in drawn},
    )


def axial_grid(shape: tuple[int, ...], spacing_mm: NDArray[np.floating]) -> Grid:
    """Return the grid of an array whose slices go to the head, rows to the back and columns to the left."""
    origins = np.zeros((shape[0], 3))
    origins[:, 2] = np.arange(shape[0]) * float(spacing_mm[0])
    return Grid(
        origins=origins,
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        row_spacing_mm=float(spacing_mm[1]),
        column_spacing_mm=float(spacing_mm[2]),
        rows=shape[1],
        columns=shape[2],
    )
