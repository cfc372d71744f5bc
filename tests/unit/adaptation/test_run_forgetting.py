"""A patient is forgotten in the records of a run that has ended: no byte names them, and every figure stands."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adaptation.cases import CaseStore
from adaptation.dossier import Dossier, encoded
from adaptation.dossier_page import page_of
from adaptation.forgetting import forget_ct, forget_patient
from adaptation.partition import Part
from adaptation.readiness import Kind
from adaptation.run_forgetting import FORGOTTEN, MARK
from adaptation.run_plan import Learner, Plan, PlannedCase, encode_plan
from adaptation.runs import END, PLAN, Run, Runs
from benchmarks.gate.patients import Population, gains_of
from tests.support.dossiers import dossier
from tests.support.stored_cases import NOON, PATIENT, new_case, small_case

TOP = Path(__file__).parents[3]
OTHER = "bb11bb22cc33"
WRITES = 8  # record, JSON without the case, JSON and page with the note, the other records, the plan last
LEARNER = Learner("/bundle", "1f" * 32, "starter 1")


def dossier_with(*patients: str) -> Dossier:
    """Return a dossier whose first cases are of some patients."""
    made = dossier(gains_of(1, 20, Population(gain=0.02), np.random.default_rng(1))[0])
    cases = [replace(case, patient=patient) for case, patient in zip(made.cases, patients, strict=False)]
    return replace(made, cases=(*cases, *made.cases[len(cases) :]))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a run that has ended, with a case of the patient and one of another in store, plan, dossier and texts."""
    store = CaseStore(tmp_path / "adaptation" / "cases")
    for patient in (PATIENT, OTHER):
        store.file(new_case(patient=patient, source=patient, ct=f"ct-{patient}"), small_case(), NOON)
    made = Runs(tmp_path / "adaptation" / "runs").run("2026-03-02")
    cases = dict.fromkeys(Part, ()) | {
        Part.TRAIN: tuple(PlannedCase(f"{one}-1", one, "cd" * 32, {"Brainstem": 0.25}) for one in (OTHER, PATIENT))
    }
    plan = Plan(
        made.name, NOON, "the schedule", "", True, Kind.FULL, (), (), {}, LEARNER, LEARNER, cases, seed=1, first_view=0
    )
    made.keep(PLAN, encode_plan(plan))
    made.keep("shadow", {"run": "", "outcome": f"there is no case {PATIENT}-1; there is {PATIENT}a-1"})
    made.keep(END, {"at": NOON.isoformat(), "outcome": "done", "text": f"case {PATIENT}-1 is the worst"})
    (made.folder / "log.jsonl").write_text(json.dumps({"event": f"features of {PATIENT}-1"}) + "\n")
    report = dossier_with(OTHER, PATIENT)
    (made.folder / "dossier.json").write_text(json.dumps(encoded(report)))
    (made.folder / "dossier.html").write_text(page_of(report))
    return made


def store_of(run: Run) -> CaseStore:
    return CaseStore(run.folder.parents[1] / "cases")


def naming(folder: Path, patient: str = PATIENT) -> list[str]:
    """Return the files in which a patient is named, as such or by a case."""
    words = (f"{patient}-".encode(), f'{patient}"'.encode())
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(word in path.read_bytes() for word in words)]


def test_no_record_names_the_patient(run: Run) -> None:
    """Not the plan, not a step's text, not the log, not a dossier; the other patient is named as before."""
    before = naming(run.folder)

    forget_patient(store_of(run), PATIENT, NOON)

    assert len(before) == 5
    assert naming(run.folder.parents[1]) == []
    assert sorted(naming(run.folder, OTHER)) == ["dossier.json", "plan.json"]
    assert run.read(END)["text"] == f"case {MARK} is the worst"


def test_a_pseudonym_that_begins_alike_stays(run: Run) -> None:
    """What only begins as the patient's is another's."""
    forget_patient(store_of(run), PATIENT, NOON)

    assert run.read("shadow")["outcome"] == f"there is no case {MARK}; there is {PATIENT}a-1"


def test_the_plan_keeps_its_counts(run: Run) -> None:
    """A case is still a case, with what counted of it, and neither name nor digest."""
    forget_patient(store_of(run), PATIENT, NOON)

    other, gone = run.plan().cases[Part.TRAIN]
    assert gone == PlannedCase(MARK, MARK, "", {"Brainstem": 0.25})
    assert other.content == "cd" * 32


def test_the_dossier_says_that_a_case_was_forgotten(run: Run) -> None:
    """When, and of which part; every figure is the one that was measured."""
    before = run.read("dossier")

    forget_patient(store_of(run), PATIENT, NOON)

    after, record = run.read("dossier"), run.read(FORGOTTEN)
    assert record["cases"] == [{"part": "train", "number": 2, "at": NOON.isoformat()}]
    assert "stands as it was measured" in record["text"]
    assert after.pop(FORGOTTEN) == record
    was, now = (each["modification_protocol"]["data"]["cases"] for each in (before, after))
    assert now[1] == was[1] | {"name": MARK, "ct_digest": "", "scanner": ""}
    was[1] = now[1]
    assert after == before
    page = (run.folder / "dossier.html").read_text()
    assert page.count("one of the part train on 2026-03-02") == 1


def test_each_case_that_goes_is_counted(run: Run) -> None:
    """The second patient who is forgotten is a second line of the record, and one note says both."""
    for patient in (PATIENT, OTHER, OTHER):
        forget_patient(store_of(run), patient, NOON)

    assert [each["number"] for each in run.read(FORGOTTEN)["cases"]] == [2, 1]
    assert (run.folder / "dossier.html").read_text().count('id="forgotten"') == 1
    assert {case.name for case in run.plan().cases[Part.TRAIN]} == {MARK}


def test_another_case_of_the_patient_stays_in_records_and_store(run: Run) -> None:
    """Where only the CT of one is forgotten: its name goes, the name that begins alike and the other case do not."""
    store = store_of(run)
    store.file(new_case(patient=PATIENT, source="later", ct="another CT"), small_case(), NOON)
    run.keep("shadow", {"run": "", "outcome": f"{PATIENT}-1, {PATIENT}-2 and {PATIENT}-11"})

    names = forget_ct(store, f"ct-{PATIENT}", NOON)

    assert names == (f"{PATIENT}-1",)
    assert run.read("shadow")["outcome"] == f"{MARK}, {PATIENT}-2 and {PATIENT}-11"
    assert [case.patient for case in run.plan().cases[Part.TRAIN]] == [OTHER, MARK]
    assert [record.name for record in store.all_records() if record.patient == PATIENT] == [f"{PATIENT}-2"]


@pytest.mark.parametrize("what", ["patient", "ct"])
@pytest.mark.parametrize("write", range(WRITES))
def test_a_kill_is_made_good_by_forgetting_once_more(run: Run, write: int, what: str) -> None:
    """Whichever record was about to be written: nothing names the patient, and the case is counted once."""
    store = store_of(run)
    command = [sys.executable, "-m", "tests.support.killable_forgetting", str(store.folder), str(write), what]
    killed = subprocess.run(command, cwd=TOP, check=False, timeout=60)

    if what == "ct":
        forget_ct(store, f"ct-{PATIENT}", NOON)
    else:
        forget_patient(store, PATIENT, NOON)

    assert killed.returncode == -signal.SIGKILL
    assert naming(run.folder.parents[1]) == []
    assert len(run.read(FORGOTTEN)["cases"]) == 1
    assert run.read("dossier")[FORGOTTEN] == run.read(FORGOTTEN)
    assert list(run.folder.glob("*.part")) == []
