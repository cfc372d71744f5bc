"""Reading the OpenKBP challenge's patients from arrays: CT in HU and physician contours as bits.

Babier et al., "OpenKBP: The open-access knowledge-based planning grand challenge and dataset", Med Phys 48:5549
(2021); MIT licence. `docs/models.md` says how the arrays are laid out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile
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
        cases += [patient_case(path) for path in paths]
    return cases


def patient_case(path: Path) -> Case:
    """Return the case of one file; its group is the folder that it lies in.

    Raises:
        CaseError: where the file is not such an array.
    """
    group = path.parent.name
    with opened(path) as arrays:
        drawn = tuple(str(name) for name in arrays["structures"])
    return Case(f"{group}/{path.stem}", group, partial(read_patient, path), drawn, where=str(path))


@contextmanager
def opened(path: Path) -> Iterator[NpzFile]:
    """Yield the arrays of a patient; what goes wrong with them is told in words.

    Raises:
        CaseError: where the file is not such an array.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, KeyError, ValueError, TypeError, BadZipFile) as error:
        raise CaseError(f"{path.name} is not an OpenKBP patient: {error}") from error


def read_patient(path: Path) -> LabelledCt:
    """Return one patient; slices without CT are left out, as are the contours there.

    Raises:
        CaseError: where the file is not such an array.
    """
    with opened(path) as arrays:
        hu, bits, spacing = arrays["hu"], arrays["masks"], arrays["spacing_mm"]
        masks = {str(name): (bits & BITS[str(name)]) > 0 for name in arrays["structures"]}
    return within_ct(hu, masks, spacing, path.name)


def within_ct(
    hu: NDArray[np.int16], masks: Mapping[str, NDArray[np.bool_]], spacing_mm: NDArray[np.floating], name: str
) -> LabelledCt:
    """Return a patient without the slices that have no CT.

    Raises:
        CaseError: where no slice has.
    """
    filled = np.flatnonzero((hu > EMPTY_HU).sum(axis=(1, 2)) >= MIN_PATIENT_PIXELS)
    if not len(filled):
        raise CaseError(f"{name} has no CT")
    kept = slice(int(filled[0]), int(filled[-1]) + 1)
    hu = hu[kept]
    return LabelledCt(
        Volume(hu, axial_grid(hu.shape, spacing_mm)), {organ: mask[kept] for organ, mask in masks.items()}
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
