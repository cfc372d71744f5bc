"""A patient is forgotten: no file stays, whoever asks how often; runs and versions are the night's tests."""

from pathlib import Path

import pytest

from adaptation.cases import CaseStore
from adaptation.forgetting import CACHES, forget_patient
from tests.support.stored_cases import NOON, PATIENT, new_case, small_case


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Return a store with a case of the patient and of another, and caches beside it."""
    made = CaseStore(tmp_path / "adaptation" / "cases")
    for number, patient in enumerate((PATIENT, "bb")):
        made.file(new_case(patient=patient, source=patient), small_case(number), NOON)
        for cache in CACHES:
            folder = made.folder.parent / cache / patient
            folder.mkdir(parents=True)
            (folder / "file").write_text(cache)
    return made


def test_no_file_of_the_patient_stays(store: CaseStore) -> None:
    """Case, features and scores go, and those of others stay."""
    names = forget_patient(store, PATIENT, NOON)

    kept = [path.relative_to(store.folder.parent).as_posix() for path in store.folder.parent.rglob("*")]
    assert names == (f"{PATIENT}-1",)
    assert [path for path in kept if PATIENT in path] == []
    assert {"cases/bb/1/case.json", "cases/bb/1/arrays.npz", "features/bb/file", "scores/bb/file"} <= set(kept)


def test_who_is_not_there_is_forgotten_too(store: CaseStore) -> None:
    """To forget a patient twice is no fault."""
    forget_patient(store, PATIENT, NOON)

    assert forget_patient(store, PATIENT, NOON) == ()
