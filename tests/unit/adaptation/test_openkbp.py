import numpy as np
import pytest

from adaptation.errors import CaseError
from adaptation.openkbp import list_patients, read_patient


def write_patient(path, **changes):
    hu = np.full((8, 16, 16), -1024, dtype=np.int16)
    hu[2:7, 3:13, 3:13] = 30
    masks = np.zeros(hu.shape, dtype=np.uint8)
    masks[1:5, 5:8, 5:8] |= 1
    masks[2:4, 9:11, 9:11] |= 8
    arrays = {
        "hu": hu,
        "masks": masks,
        "structures": np.array(["Brainstem", "Parotid_L", "Parotid_R"]),
        "spacing_mm": np.array([2.5, 4.0, 3.0]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **(arrays | changes))


def test_patient_has_its_ct_and_what_was_drawn(tmp_path):
    """Slices without CT are left out with the contours there; a structure that is not named is not there."""
    write_patient(tmp_path / "pt_1.npz")

    patient = read_patient(tmp_path / "pt_1.npz")

    assert patient.volume.hu.shape == (5, 16, 16)
    assert patient.volume.grid.slice_spacing_mm == 2.5
    assert (patient.volume.grid.row_spacing_mm, patient.volume.grid.column_spacing_mm) == (4.0, 3.0)
    assert {organ: int(mask.sum()) for organ, mask in patient.masks.items()} == {
        "Brainstem": 3 * 9,
        "Parotid_L": 2 * 4,
        "Parotid_R": 0,
    }


def test_patients_are_listed_by_group(tmp_path):
    """A case bears its group and its file's name."""
    write_patient(tmp_path / "source" / "pt_2.npz")
    write_patient(tmp_path / "other" / "pt_1.npz")

    cases = list_patients(tmp_path, ("source", "other"))

    assert [(case.name, case.group) for case in cases] == [("source/pt_2", "source"), ("other/pt_1", "other")]


def test_missing_group_is_named(tmp_path):
    """A folder without the data says which part is missing."""
    with pytest.raises(CaseError, match="source"):
        list_patients(tmp_path, ("source",))


def test_patient_without_ct_is_refused(tmp_path):
    """A CT of air is no patient."""
    write_patient(tmp_path / "pt_1.npz", hu=np.full((8, 16, 16), -1024, dtype=np.int16))

    with pytest.raises(CaseError, match="no CT"):
        read_patient(tmp_path / "pt_1.npz")


def test_file_that_is_no_array_is_refused(tmp_path):
    """Anything else in the folder is said by name."""
    (tmp_path / "pt_1.npz").write_bytes(b"no array")

    with pytest.raises(CaseError, match=r"pt_1\.npz"):
        read_patient(tmp_path / "pt_1.npz")
