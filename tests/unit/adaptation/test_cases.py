import math
import stat
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from adaptation.case_record import CaseRecord, Edit, Origin, Status, Structure, encode_record, parse_record
from adaptation.cases import CaseStore
from adaptation.errors import CaseError
from tests.support.stored_cases import NOON, PATIENT, new_case, small_case


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore(tmp_path / "cases")


def decided(store: CaseStore, record: CaseRecord, status: Status) -> CaseRecord:
    return store.decide(record.name, status, by="Dr Ada", why="looked at it", at=NOON)


def test_a_case_comes_back_as_it_was_filed(store: CaseStore) -> None:
    """HU, masks and geometry of a filed case are those that were handed in."""
    case = small_case()

    loaded = store.load(store.file(new_case(), case, NOON))

    assert np.array_equal(loaded.volume.hu, case.volume.hu)
    assert all(np.array_equal(loaded.masks[organ], mask) for organ, mask in case.masks.items())
    assert np.allclose(loaded.volume.grid.origins, case.volume.grid.origins)
    assert loaded.volume.grid.row_spacing_mm == case.volume.grid.row_spacing_mm


def test_a_record_survives_its_file() -> None:
    """What is known of a case is the same after it was written and read, also a distance without a meaning."""
    edit = Edit(0.9, 0.8, math.nan, 12.0, 1.1, 0.25)
    structures = {"Brainstem": Structure(Origin.EDITED, edit, {"volume": 27.0})}
    store_record = CaseStore(Path("nowhere"))
    record = CaseRecord(
        **vars(new_case(structures=structures)), revision=1, filed=NOON, part=store_record.part_of(PATIENT), history=()
    )

    again = parse_record(encode_record(record))

    assert repr(again) == repr(record)  # NaN is not equal to itself, and is written alike


def test_no_reason_admits_and_any_reason_sets_aside(store: CaseStore) -> None:
    """Admission decides first, with all reasons in the history."""
    good = store.file(new_case(), small_case(), NOON)
    bad = store.file(new_case(patient="bb", reasons=("one", "two")), small_case(2), NOON)

    assert good.status is Status.ADMITTED
    assert (bad.status, bad.history[0].why) == (Status.SET_ASIDE, "one; two")


def test_the_same_source_is_filed_once(store: CaseStore) -> None:
    """A step that is done again after a power cut files no second case."""
    first = store.file(new_case(), small_case(), NOON)

    again = store.file(new_case(), small_case(), NOON + timedelta(hours=1))

    assert again == first
    assert store.records() == (first,)


def test_a_later_set_on_the_same_ct_replaces_the_earlier_one(store: CaseStore) -> None:
    """The newest revision counts, and the earlier one is kept."""
    first = store.file(new_case(), small_case(), NOON)

    second = store.file(new_case(source="set2"), small_case(), NOON + timedelta(days=1))

    assert store.records() == (second,)
    assert store.all_records() == (first, second)
    assert (second.revision, second.part) == (2, first.part)


def test_a_set_on_another_ct_of_the_patient_replaces_nothing(store: CaseStore) -> None:
    """A re-planning is a case beside the first one, in the same part."""
    first = store.file(new_case(), small_case(), NOON)

    second = store.file(new_case(source="set2", ct="ct2", reasons=("another CT",)), small_case(2), NOON)

    assert store.records() == (first, second)
    assert second.part is first.part


def test_a_person_decides_with_a_word(store: CaseStore) -> None:
    """What was set aside is admitted by name, and both decisions stand in the history."""
    record = store.file(new_case(reasons=("a gap",)), small_case(), NOON)

    decided(store, record, Status.ADMITTED)

    again = store.record(record.name)
    assert again.status is Status.ADMITTED
    assert [(one.status, one.by) for one in again.history] == [
        (Status.SET_ASIDE, "admission"),
        (Status.ADMITTED, "Dr Ada"),
    ]


def test_of_a_patient_one_case_is_admitted(store: CaseStore) -> None:
    """A second CT of a patient is not admitted beside the first."""
    store.file(new_case(), small_case(), NOON)
    second = store.file(new_case(source="set2", ct="ct2", reasons=("another CT",)), small_case(2), NOON)

    with pytest.raises(CaseError, match="one case of a patient"):
        decided(store, second, Status.ADMITTED)


def test_what_was_replaced_is_not_decided_on(store: CaseStore) -> None:
    """Only the newest set on a CT can be admitted or rejected."""
    first = store.file(new_case(), small_case(), NOON)
    store.file(new_case(source="set2"), small_case(), NOON)

    with pytest.raises(CaseError, match="replaced"):
        decided(store, first, Status.REJECTED)


def test_forgetting_leaves_no_file_of_the_patient(store: CaseStore) -> None:
    """Every revision of the patient goes, and nobody else's."""
    store.file(new_case(), small_case(), NOON)
    store.file(new_case(source="set2"), small_case(), NOON)
    other = store.file(new_case(patient="bb"), small_case(2), NOON)
    (store.folder / PATIENT / ".unfinished").mkdir()

    names = store.forget(PATIENT)

    assert sorted(names) == [f"{PATIENT}-1", f"{PATIENT}-2"]
    assert store.records() == (other,)
    assert [path.name for path in store.folder.iterdir()] == ["bb"]


def test_a_patient_who_was_half_forgotten_is_forgotten_by_the_next(store: CaseStore) -> None:
    """What a kill left of a forgotten patient goes when the patient is forgotten once more."""
    store.file(new_case(), small_case(), NOON)
    (store.folder / PATIENT).rename(store.folder / ".gone")

    store.forget(PATIENT)

    assert list(store.folder.iterdir()) == []


def test_what_was_left_half_done_is_removed_and_never_shown(store: CaseStore) -> None:
    """A revision that was not finished is no case, and a start removes it."""
    record = store.file(new_case(), small_case(), NOON)
    unfinished = store.folder / PATIENT / ".unfinished"
    unfinished.mkdir()

    shown = store.records()
    store.settle()

    assert shown == (record,)
    assert not unfinished.exists()


def test_only_what_was_replaced_or_rejected_grows_old(store: CaseStore) -> None:
    """Retention takes earlier revisions and rejected cases, and no case that may still be learnt from."""
    first = store.file(new_case(), small_case(), NOON)
    second = store.file(new_case(source="set2"), small_case(), NOON)
    rejected = decided(store, store.file(new_case(patient="bb"), small_case(2), NOON), Status.REJECTED)

    gone = store.purge(NOON + timedelta(days=1))

    assert set(gone) == {first.name, rejected.name}
    assert store.all_records() == (second,)


def test_a_case_is_exported_as_it_lies_in_the_store(store: CaseStore, tmp_path: Path) -> None:
    """The copy has the arrays and the record, and nothing is overwritten by it."""
    record = store.file(new_case(), small_case(), NOON)

    folder = store.export(record.name, tmp_path / "out")

    assert sorted(path.name for path in folder.iterdir()) == ["arrays.npz", "case.json"]
    with pytest.raises(CaseError, match="there already"):
        store.export(record.name, tmp_path / "out")


def test_nobody_else_can_read_a_case(store: CaseStore) -> None:
    """Folders of the store are the service's alone."""
    record = store.file(new_case(), small_case(), NOON)

    assert stat.S_IMODE(store.path_of(record.name).stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["aa11bb22cc33-7", "..-1", "../x-1", "a/b-1", "nothing", "-1", ""])
def test_what_is_no_case_is_refused(store: CaseStore, name: str) -> None:
    """A name that leads out of the store, or to no case, is an error in words."""
    store.file(new_case(), small_case(), NOON)

    with pytest.raises(CaseError):
        store.record(name)


def test_a_case_is_taken_by_training_as_any_other(store: CaseStore) -> None:
    """A filed case has the name, the organs and the patient by which cases are parted."""
    case = store.case_of(store.file(new_case(), small_case(), NOON))

    assert (case.name, case.patient, case.organs) == (f"{PATIENT}-1", PATIENT, ("Brainstem", "Bone_Mandible"))
    assert set(case.load().masks) == set(case.organs)
