"""The case store after a kill -9 at each step: whole, and the same when the step is done again."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from adaptation.case_record import CaseRecord
from adaptation.cases import CaseStore
from tests.support.killable_store import FILING, FORGETTING
from tests.support.stored_cases import NOON, new_case, small_case

TOP = Path(__file__).parents[3]
PROGRAM = "tests.support.killable_store"
OTHER = "bb"


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Return a store with a case of the patient and one of another."""
    made = CaseStore(tmp_path / "cases")
    made.file(new_case(), small_case(), NOON)
    made.file(new_case(patient=OTHER, source="other"), small_case(2), NOON)
    return made


def kill(store: CaseStore, action: str, step: str) -> None:
    command = [sys.executable, "-m", PROGRAM, str(store.folder), action, step]
    done = subprocess.run(command, cwd=TOP, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def file_again(store: CaseStore) -> CaseRecord:
    return store.file(new_case(source="killed"), small_case(7), NOON + timedelta(hours=1))


@pytest.mark.parametrize("step", FILING)
def test_a_case_is_there_whole_or_not_at_all(store: CaseStore, step: str) -> None:
    """Every record that is shown has its arrays, and the filing that is done again leaves one case and no remnant."""
    kill(store, "file", step)

    shown = store.all_records()
    for record in shown:
        store.load(record)
    store.settle()
    record = file_again(store)

    assert len(shown) == (3 if step in {"named", "done"} else 2)
    assert sum(one.source == "killed" for one in store.all_records()) == 1
    assert np.array_equal(store.load(record).volume.hu, small_case(7).volume.hu)
    assert [path for path in store.folder.rglob("*") if path.name.startswith(".") or path.suffix == ".part"] == []


@pytest.mark.parametrize("step", FORGETTING)
def test_a_patient_is_forgotten_by_whoever_asks_again(store: CaseStore, step: str) -> None:
    """After the second time there is nothing of the patient, and all of the other."""
    kill(store, "forget", step)

    store.forget(new_case().patient)

    assert [path.name for path in store.folder.iterdir()] == [OTHER]
    assert [record.patient for record in store.records()] == [OTHER]


@pytest.mark.parametrize("step", FORGETTING[1:])
def test_a_patient_who_is_being_forgotten_is_shown_to_nobody(store: CaseStore, step: str) -> None:
    """From the first step on no night learns from the patient."""
    kill(store, "forget", step)

    assert [record.patient for record in store.records()] == [OTHER]
