"""OpenKBP's own files, made here in their layout."""

import numpy as np
import pytest

from adaptation.data_folder import find_cases
from adaptation.errors import CaseError
from adaptation.openkbp_csv import csv_case

SHAPE = (128, 128, 128)


def write_csv(path, array, *, is_mask):
    places = np.flatnonzero(array)
    lines = [f"{place}," if is_mask else f"{place},{float(array.reshape(-1)[place])}" for place in places]
    path.write_text("\n".join([",data", *lines]) + "\n")


@pytest.fixture
def patient(tmp_path):
    """A body of 40 x 50 pixels in 12 of 128 slices, (row, column, slice) with the head at slice 0."""
    folder = tmp_path / "train-pats" / "pt_7"
    folder.mkdir(parents=True)
    ct = np.zeros(SHAPE, dtype=np.int16)
    ct[40:80, 30:80, 20:32] = 1024 + 40
    ct[40:80, 30:80, 20] = 1024 + 900
    left, cord = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    left[50:55, 70:75, 21:24] = True
    cord[70:74, 52:56, 25:40] = True
    write_csv(folder / "ct.csv", ct, is_mask=False)
    write_csv(folder / "LeftParotid.csv", left, is_mask=True)
    write_csv(folder / "SpinalCord.csv", cord, is_mask=True)
    (folder / "voxel_dimensions.csv").write_text("3.906\n3.9\n2.5\n")
    return folder


def test_patient_is_upright_and_in_hu(patient):
    """The first slice is the most caudal, air is -1024, the voxel is slice, row, column; slices without CT are away."""
    volume = csv_case(patient).load().volume

    assert volume.hu.shape == (12, 128, 128)
    assert (volume.hu[-1, 50, 50], volume.hu[0, 50, 50], volume.hu[0, 0, 0]) == (900, 40, -1024)
    assert (volume.grid.slice_spacing_mm, volume.grid.row_spacing_mm, volume.grid.column_spacing_mm) == (
        2.5,
        3.906,
        3.9,
    )


def test_structures_lie_where_they_were_drawn(patient):
    """The left parotid is on the left, just below the topmost slice; a structure without a file was not drawn."""
    masks = csv_case(patient).load().masks

    assert set(masks) == {"Parotid_L", "SpinalCord"}
    assert np.argwhere(masks["Parotid_L"]).min(axis=0).tolist() == [8, 50, 70]
    assert np.argwhere(masks["Parotid_L"]).max(axis=0).tolist() == [10, 54, 74]
    assert masks["SpinalCord"].sum() == 7 * 16


def test_patients_are_found_with_their_groups(patient):
    """Wherever the challenge's folders lie."""
    (case,) = find_cases(patient.parent.parent).cases

    assert (case.name, case.group, set(case.organs)) == ("train-pats/pt_7", "train-pats", {"Parotid_L", "SpinalCord"})


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("ct.csv", ",data\n5,what\n", "ct.csv cannot be read"),
        ("LeftParotid.csv", ",data\n2097152,\n", "index outside"),
        ("LeftParotid.csv", ",data\n-1,\n", "index outside"),
        ("voxel_dimensions.csv", "3.9\n3.9\n", "three lengths"),
        ("voxel_dimensions.csv", "3.9\n3.9\n0\n", "three lengths"),
    ],
)
def test_file_that_is_not_of_this_kind_is_named(patient, file, content, reason):
    """With what is wrong."""
    (patient / file).write_text(content)

    with pytest.raises(CaseError, match=reason):
        csv_case(patient).load()


def test_structure_without_a_voxel_was_drawn_and_is_not_there(patient):
    """A file with nothing but its head."""
    (patient / "SpinalCord.csv").write_text(",data\n")

    assert csv_case(patient).load().masks["SpinalCord"].sum() == 0
