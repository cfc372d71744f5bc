"""Which cases are found in a folder of DICOM files, and why the rest is left out."""

import copy
import shutil

import numpy as np
import pytest
from pydicom import dcmread

from adaptation.data_folder import find_cases
from adaptation.dicom_cases import RIVAL
from adaptation.errors import CaseError
from segmentation.names import own_names
from tests.support.cases import SLICES, change, write_case
from tests.support.tiny import ORGAN_HU, marked_phantom


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    place = tmp_path_factory.mktemp("cases")
    write_case(place / "one", 1)
    return place / "one"


@pytest.fixture
def folder(patient, tmp_path):
    shutil.copytree(patient, tmp_path / "one")
    return tmp_path


def reasons(found):
    return " | ".join(f"{one.what}: {one.reason}" for one in found.left_out)


def test_structure_set_and_its_ct_are_a_case(folder):
    """The masks are the drawn ones, on the CT's own grid; nothing is left out."""
    found = find_cases(folder)

    (case,) = found.cases
    loaded = case.load()
    truth = marked_phantom(SLICES).masks
    assert set(case.organs) == set(loaded.masks) == set(ORGAN_HU)
    assert all(np.array_equal(loaded.masks[organ], truth[organ]) for organ in ORGAN_HU)
    assert (found.left_out, loaded.notes) == ((), ())


def test_layout_of_the_folder_does_not_matter(folder, tmp_path):
    """All files in one folder, without an ending, among others."""
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted((folder / "one").rglob("*.dcm"))):
        shutil.move(path, flat / f"{number}")
    (flat / "notes.txt").write_text("nothing")

    assert len(find_cases(flat).cases) == 1


def test_name_of_a_case_tells_no_identity(folder):
    """Neither UID nor patient ID; the same patient's second CT has the same patient."""
    write_case(folder / "again", 9, PatientID="MADE-4711-1")

    one, other = find_cases(folder).cases

    assert one.name != other.name
    assert one.patient == other.patient
    assert "MADE" not in f"{one.name}{one.patient}"
    assert "2.25" not in f"{one.name}{one.patient}"


def test_what_has_no_counterpart_is_said(folder):
    """A CT without contours, and a structure set whose CT is not there."""
    write_case(folder / "two", 2).unlink()
    write_case(folder / "three", 3)
    shutil.rmtree(folder / "three" / "ct")

    found = find_cases(folder)

    assert len(found.cases) == 1
    assert "two/ct: a CT on which nothing was drawn" in reasons(found)
    assert "three/rs.dcm: the CT that it was drawn on is not in the folder" in reasons(found)


def test_structure_set_without_referenced_series_is_found_by_frame_of_reference(folder):
    """Some writers leave the references out."""
    change(folder / "one" / "rs.dcm", {"ReferencedFrameOfReferenceSequence": []})

    assert len(find_cases(folder).cases) == 1


def test_approved_structure_set_is_taken_before_a_newer_one(folder):
    """Of two on the same CT one is learnt from, and the other is said."""
    newer = folder / "one" / "newer.dcm"
    shutil.copy(folder / "one" / "rs.dcm", newer)
    change(newer, {"StructureSetDate": "20270101", "SOPInstanceUID": "2.25.5"}, names={"Brainstem": "Parotis links x"})
    change(folder / "one" / "rs.dcm", {"ApprovalStatus": "APPROVED"})

    found = find_cases(folder)

    assert set(found.cases[0].organs) == set(ORGAN_HU)
    assert reasons(found) == f"one/newer.dcm: {RIVAL}"


def test_contours_of_the_node_do_not_hide_the_physician_s(folder):
    """A structure set that a program drew later, and nobody approved, is left out and not taken for the newest."""
    later = folder / "one" / "later.dcm"
    shutil.copy(folder / "one" / "rs.dcm", later)
    change(later, {"StructureSetDate": "20270101", "SOPInstanceUID": "2.25.6"}, algorithm="AUTOMATIC")

    found = find_cases(folder)

    assert set(found.cases[0].load().masks) == set(ORGAN_HU)
    assert reasons(found) == f"one/later.dcm: {RIVAL}"


def test_copies_of_files_are_no_further_slices(folder):
    """A folder in which everything lies twice has one case, and nothing is left out."""
    shutil.copytree(folder / "one", folder / "copy of one")

    found = find_cases(folder)

    assert (len(found.cases), found.left_out) == (1, ())
    assert found.cases[0].load().volume.grid.shape[0] == SLICES


def test_rejected_structure_set_is_not_learnt_from(folder):
    """Nor is a folder that has nothing else."""
    change(folder / "one" / "rs.dcm", {"ApprovalStatus": "REJECTED"})

    with pytest.raises(CaseError, match=r"nothing to learn from.*REJECTED"):
        find_cases(folder)


def test_what_a_program_drew_and_nobody_approved_is_not_learnt_from(folder):
    """A model that learns from itself learns nothing; who wants it must say so."""
    change(folder / "one" / "rs.dcm", {}, algorithm="AUTOMATIC")

    with pytest.raises(CaseError, match="drawn by a program and approved by nobody"):
        find_cases(folder)
    assert len(find_cases(folder, automatic=True).cases) == 1


def test_contours_that_a_program_drew_and_a_physician_approved_are_learnt_from(folder):
    """They are the physician's."""
    change(folder / "one" / "rs.dcm", {"ApprovalStatus": "APPROVED"}, algorithm="AUTOMATIC")

    assert len(find_cases(folder).cases) == 1


def test_names_of_the_site_are_understood(folder):
    """As everywhere in the project, with the site's own names first."""
    change(folder / "one" / "rs.dcm", {}, names={"Brainstem": "OAR 7", "Parotid_L": "Glandula parotis sinistra"})

    named = find_cases(folder, own_names({"Brainstem": ["OAR 7"]}))

    assert "Brainstem" in named.cases[0].organs
    assert (named.unused, find_cases(folder).unused) == ({}, {"OAR 7": 1})
    assert "Brainstem" not in find_cases(folder).cases[0].organs


def test_namesake_without_contours_is_no_rival(folder):
    """Some systems keep an empty ROI of the same name."""
    path = folder / "one" / "rs.dcm"
    ds = dcmread(path)
    empty = copy.deepcopy(ds.StructureSetROISequence[0])
    empty.ROINumber = 99
    ds.StructureSetROISequence.append(empty)
    ds.save_as(path)

    (case,) = find_cases(folder).cases

    assert set(case.load().masks) == set(ORGAN_HU)


def test_structure_that_is_missing_is_not_in_the_case(folder):
    """What nobody drew is not background: it is not there at all."""
    write_case(folder / "two", 2, organs=["Parotid_L"])

    two = next(case for case in find_cases(folder).cases if len(case.organs) == 1)

    assert set(two.load().masks) == {"Parotid_L"}


def test_ct_that_makes_no_volume_is_left_out_when_it_is_loaded(folder):
    """With the reader's reason."""
    (folder / "one" / "ct" / "CT.0003.dcm").write_bytes(b"\0" * 128 + b"DICM")

    (case,) = find_cases(folder).cases
    slices = sorted((folder / "one" / "ct").iterdir())
    for path in slices[4:]:
        path.unlink()

    with pytest.raises(CaseError, match="CT"):
        case.load()


def test_slice_with_a_vr_that_is_none_is_the_reason_when_it_is_loaded(folder):
    """A training says which file it is, and goes on without the case."""
    path = folder / "one" / "ct" / "CT.0003.dcm"
    path.write_bytes(path.read_bytes().replace(b"\x10\x00\x40\x00CS", b"\x10\x00\x40\x00ZZ"))

    (case,) = find_cases(folder).cases

    with pytest.raises(CaseError, match=r"file \d+ of 32 has an element of an unknown value representation"):
        case.load()


def test_file_whose_kind_has_a_vr_that_is_none_is_no_case(folder):
    """It is passed over like all that is not read, and stops no training with others."""
    write_case(folder / "two", 9)
    for path in (folder / "one" / "ct").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\x08\x00\x16\x00UI", b"\x08\x00\x16\x00ZZ"))

    found = find_cases(folder)

    assert len(found.cases) == 1
    assert "one/rs.dcm: the CT that it was drawn on is not in the folder" in reasons(found)


def test_folder_that_is_not_there_is_said(tmp_path):
    """By its name."""
    with pytest.raises(CaseError, match="nowhere is no folder"):
        find_cases(tmp_path / "nowhere")
