"""The cases in a folder, whatever they were written by: DICOM, OpenKBP's files, or arrays."""

from pathlib import Path

from adaptation.dicom_cases import find_dicom_cases
from adaptation.errors import CaseError
from adaptation.labelled_ct import Case, Found, LeftOut
from adaptation.openkbp import patient_case
from adaptation.openkbp_csv import CT, VOXEL, csv_case
from segmentation.names import NO_OWN_NAMES, OwnNames


def find_cases(folder: Path, own: OwnNames = NO_OWN_NAMES, *, automatic: bool = False) -> Found:
    """Return all cases in a folder and the folders in it, in the order of their names.

    Args:
        folder: with CT and structure sets in any layout, patients of OpenKBP as `pt_1/ct.csv`, or `.npz` files as
            docs/models.md describes them.
        own: the site's own names of organs, for structure sets.
        automatic: take what a program drew and nobody approved.

    Raises:
        CaseError: where there is no case, with what was found and left out.
    """
    if not folder.is_dir():
        raise CaseError(f"{folder} is no folder")
    found = find_dicom_cases(folder, own, automatic=automatic)
    cases, left_out = list(found.cases), list(found.left_out)
    cases += [csv_case(path.parent) for path in sorted(folder.rglob(CT)) if (path.parent / VOXEL).is_file()]
    for path in sorted(folder.rglob("*.npz")):
        try:
            cases.append(patient_case(path))
        except CaseError as error:
            left_out.append(LeftOut(str(path.relative_to(folder)), str(error)))
    if not cases:
        why = "; ".join(f"{one.what}: {one.reason}" for one in left_out)
        raise CaseError(f"there is nothing to learn from in {folder}{f': {why}' if why else ''}")
    return Found(tuple(sorted(unique(cases), key=lambda case: case.name)), tuple(left_out), found.unused)


def unique(cases: list[Case]) -> list[Case]:
    """Return the cases, of those of one name the first: one patient's files may lie there twice."""
    return list({case.name: case for case in reversed(cases)}.values())
