"""The way of an approved structure set into the store, from files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from adaptation.approved_set import ApprovedFiles, read_approved_set
from adaptation.case_record import Origin, Status
from adaptation.cases import CaseStore
from adaptation.errors import CaseError
from adaptation.filing import Filing, file_approved_set
from tests.support.cases import change, write_case
from tests.support.stored_cases import NOON


@pytest.fixture
def filing(tmp_path: Path) -> Filing:
    """Return a made patient's set of the tiny phantom, which lies as no human's does."""
    structure_set = write_case(tmp_path / "patient", 1)
    slices = tuple(sorted((tmp_path / "patient" / "ct").iterdir()))
    return Filing(ApprovedFiles(structure_set, slices), "aa11bb22cc33", "ct1", "set1", NOON, "2026-03")


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore(tmp_path / "cases")


def pseudonym_of(text: str) -> str:
    return f"p{len(text)}"


def test_an_approved_set_becomes_a_case(filing: Filing, store: CaseStore) -> None:
    """Its organs and the CT's HU are in the store, each organ with its origin and its measures."""
    record = file_approved_set(filing, store, pseudonym_of)

    read = read_approved_set(filing.files)
    loaded = store.load(record)
    assert set(record.structures) == set(read.organs) != set()
    assert all(np.array_equal(loaded.masks[name], organ.full()) for name, organ in read.organs.items())
    assert np.array_equal(loaded.volume.hu, read.ct.volume.hu)
    assert {one.origin for one in record.structures.values()} == {Origin.DE_NOVO}
    assert all(one.edit is None and one.measures for one in record.structures.values())


def test_what_came_back_as_we_sent_it_is_untouched(filing: Filing, store: CaseStore) -> None:
    """Compared with the very set that we sent, every organ is untouched, and the model that drew it is known."""
    sent = replace(filing, sent=((filing.files.structure_set, "digest"),))

    record = file_approved_set(sent, store, pseudonym_of)

    assert record.model_digest == "digest"
    assert {one.origin for one in record.structures.values()} == {Origin.UNTOUCHED}
    assert all(one.edit is not None and one.edit.dice == 1.0 for one in record.structures.values())


def test_what_nobody_had_seen_is_compared_and_drawn_from_nothing(filing: Filing, store: CaseStore) -> None:
    """As much alike as it may be: the origin is de novo, and how far it is from ours stands beside it, on disk too."""
    blind = replace(filing, withheld=((filing.files.structure_set, "digest"),))

    file_approved_set(blind, store, pseudonym_of)

    [record] = store.records()
    assert record.model_digest == ""
    assert {one.origin for one in record.structures.values()} == {Origin.DE_NOVO}
    assert all(one.edit is None for one in record.structures.values())
    assert all(one.blind is not None and one.blind.dice == 1.0 for one in record.structures.values())


def test_a_set_of_ours_that_cannot_be_read_any_more_is_passed_over(filing: Filing, store: CaseStore) -> None:
    """A file that went is no reason to lose the case."""
    record = file_approved_set(replace(filing, sent=((Path("gone.dcm"), "digest"),)), store, pseudonym_of)

    assert record.model_digest == ""


def test_another_patients_id_sets_the_case_aside(filing: Filing, store: CaseStore) -> None:
    """A set that names another patient than the CT is not learnt from, and neither name is said."""
    change(filing.files.structure_set, {"PatientID": "SOMEBODY^ELSE"})

    record = file_approved_set(filing, store, pseudonym_of)

    assert record.status is Status.SET_ASIDE
    assert "structure set and CT have different Patient IDs" in record.reasons
    assert "SOMEBODY" not in repr(record)


def test_two_rois_of_one_organ_set_the_case_aside(filing: Filing, store: CaseStore) -> None:
    """Which of the two is meant is a person's to say; the organ is not drawn."""
    ds = dcmread(filing.files.structure_set)
    first, second = ds.StructureSetROISequence[:2]
    second.ROIName = first.ROIName
    ds.save_as(filing.files.structure_set)

    record = file_approved_set(filing, store, pseudonym_of)

    assert f"2 ROIs are named for {first.ROIName}: which one is meant is unclear" in record.reasons
    assert first.ROIName not in record.structures


def test_a_contour_off_every_slice_sets_the_case_aside(filing: Filing, store: CaseStore) -> None:
    """An organ that cannot be placed is not drawn, and why is said."""
    ds = dcmread(filing.files.structure_set)
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [value + (1.3 if place % 3 == 2 else 0) for place, value in enumerate(contour.ContourData)]
    ds.save_as(filing.files.structure_set)

    record = file_approved_set(filing, store, pseudonym_of)

    organ = ds.StructureSetROISequence[0].ROIName
    assert any(reason.startswith(f"{organ}: contour 1 of") for reason in record.reasons)
    assert organ not in record.structures


def test_a_missing_slice_sets_the_case_aside(filing: Filing, store: CaseStore) -> None:
    """A CT with a hole is no whole case."""
    files = filing.files
    fewer = replace(files, slices=files.slices[:8] + files.slices[9:])

    record = file_approved_set(replace(filing, files=fewer), store, pseudonym_of)

    assert any("missing" in reason for reason in record.reasons)


def test_a_set_of_another_frame_of_reference_is_refused(filing: Filing, store: CaseStore) -> None:
    """What does not lie on the CT is no case at all."""
    ds = dcmread(filing.files.structure_set)
    for roi in ds.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = "1.2.3.99"
    ds.save_as(filing.files.structure_set)

    with pytest.raises(CaseError, match="frame of reference"):
        file_approved_set(filing, store, pseudonym_of)
    assert store.records() == ()


def test_the_case_holds_no_text_of_a_header(filing: Filing, store: CaseStore) -> None:
    """Neither a name, an ID, a date nor a UID of the files is anywhere in the store."""
    file_approved_set(filing, store, pseudonym_of)

    ds = dcmread(filing.files.slices[0], stop_before_pixels=True)
    said = [
        str(ds[name].value).encode()
        for name in ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    ]
    content = b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())
    assert [text for text in said if text in content] == []
