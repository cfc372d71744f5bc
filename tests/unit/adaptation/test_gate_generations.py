"""The gate is renewed: newcomers judge, the old cases retire, and nobody who was learnt from ever judges."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adaptation.case_record import Status, encode_record, parse_record
from adaptation.cases import CaseStore
from adaptation.errors import AdaptationError, CaseError
from adaptation.forgetting import forget_ct
from adaptation.gate_generations import judging_generation, open_generation, read_renewals, renew, taking_part
from adaptation.limits import PartLimits
from adaptation.looks import Look
from adaptation.night_plan import make_plan
from adaptation.partition import Part, part_for
from adaptation.run_plan import encode_plan, parse_plan
from adaptation.runs import PLAN
from tests.support.nights import EVENING, filed, fill, night, patients
from tests.support.stored_cases import NOON, new_case, small_case

LEAST = 3
SMALL = PartLimits(gate_full=4)


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore(tmp_path / "adaptation" / "cases", SMALL)


def came(store: CaseStore, count: int, first: int = 0) -> None:
    """File a case each of patients who come one after the other."""
    for number in range(first, first + count):
        patient = f"pseudonym{number:05d}"
        store.file(new_case(patient=patient, source=patient, ct=f"ct-{patient}"), small_case(number), NOON)


def renewed(store: CaseStore) -> None:
    renew(store.folder.parent, store.records(), LEAST, by="physicist", why="worn out", at=NOON)


def judging(store: CaseStore, *looks: Look) -> int:
    return judging_generation(store.records(), looks, open_generation(store.folder.parent), LEAST)


def looked_at(generation: int) -> Look:
    return Look(NOON, 0.01, promoted=False, generation=generation)


def test_nobody_changes_sides_however_often_the_gate_is_renewed(store: CaseStore) -> None:
    """Of 120 patients over three generations each has one part, and one generation, whenever they are asked for."""
    seen: dict[str, set[tuple[Part, int]]] = {}
    for turn in range(3):
        came(store, 40, first=40 * turn)
        came(store, 40 * turn)  # those of before, once more
        for record in store.all_records():
            seen.setdefault(record.patient, set()).add((record.part, record.generation))
        if turn < 2:
            renewed(store)

    assert len(seen) == 120
    assert {len(places) for places in seen.values()} == {1}
    gates = [sum((Part.GATE, number) in places for places in seen.values()) for number in (1, 2, 3)]
    assert gates == [SMALL.gate_full] * 3


def test_who_was_learnt_from_while_the_gate_was_full_is_never_drawn_into_the_next(store: CaseStore) -> None:
    """Not even where no case of the patient is left: neither a forgotten CT nor a purge draws the part anew."""
    came(store, 60)
    full = [one for one in store.records() if part_for(one.patient, 0, SMALL) is Part.GATE and one.part is Part.TRAIN]
    one, other = full[:2]
    renewed(store)

    forget_ct(store, one.ct, NOON)
    store.decide(other.name, Status.REJECTED, by="physicist", why="another patient's", at=NOON)
    store.purge(NOON + timedelta(days=1))

    assert {one.patient, other.patient}.isdisjoint(record.patient for record in store.all_records())
    assert (store.part_of(one.patient), store.part_of(other.patient)) == (Part.TRAIN, Part.TRAIN)


def test_store_of_an_earlier_release_keeps_its_parts(store: CaseStore) -> None:
    """Its records name no generation, and no file beside them says the part: they are of the first."""
    came(store, 20)
    before = {record.patient: record.part for record in store.records()}
    for record in store.all_records():
        path = store.path_of(record.name) / "case.json"
        old = json.loads(encode_record(record))
        del old["generation"]
        path.write_text(json.dumps(old))
        (path.parents[1] / "part.json").unlink()
    renewed(store)

    assert {record.generation for record in store.records()} == {1}
    assert {patient: store.part_of(patient) for patient in before} == before
    first = store.records()[0]
    forget_ct(store, first.ct, NOON)
    assert store.part_of(first.patient) is first.part


def test_the_old_generation_judges_until_the_new_one_has_enough(store: CaseStore) -> None:
    """And from then on it is retired: no run has its cases, in any part."""
    came(store, 20)
    renewed(store)
    assert judging(store) == 1

    came(store, 20, first=20)

    assert judging(store) == 2
    old = {one.name for one in store.records() if one.part is Part.GATE and one.generation == 1}
    assert len(old) >= LEAST
    assert old.isdisjoint(one.name for one in taking_part(store.records(), 2))


def test_a_retired_generation_never_judges_again(store: CaseStore) -> None:
    """Where the new one loses cases after it was looked at, runs wait for more of its own."""
    came(store, 20)
    renewed(store)
    came(store, 20, first=20)
    for record in [one for one in store.records() if one.generation == 2][:2]:
        store.decide(record.name, Status.REJECTED, by="physicist", why="a phantom", at=NOON)

    assert judging(store) == 1
    assert judging(store, looked_at(2)) == 2


def test_a_renewal_needs_a_person_a_reason_and_a_full_gate(store: CaseStore) -> None:
    """What is still gathered is not worn out; nothing is written."""
    came(store, 3)
    with pytest.raises(AdaptationError, match="generation 1 of the gate is still gathered"):
        renewed(store)
    came(store, 20)
    for by, why in (("", "worn out"), ("physicist", " ")):
        with pytest.raises(AdaptationError, match="a named person, with a reason"):
            renew(store.folder.parent, store.records(), LEAST, by=by, why=why, at=NOON)
    assert read_renewals(store.folder.parent) == ()

    renewed(store)

    with pytest.raises(AdaptationError, match="generation 2 of the gate is still gathered: it has 0 cases"):
        renewed(store)
    (renewal,) = read_renewals(store.folder.parent)
    assert (renewal.generation, renewal.by, renewal.why, renewal.at) == (2, "physicist", "worn out", NOON)


@pytest.mark.parametrize(
    "content", [b"no json", b"{}", b'{"renewals": [{"generation": 3, "at": "2026-03-02", "by": "", "why": ""}]}']
)
def test_spoilt_renewals_stop_filing(store: CaseStore, content: bytes) -> None:
    """Nobody is drawn into a gate that is not known."""
    came(store, 1)
    (store.folder.parent / "gate.json").write_bytes(content)

    with pytest.raises(AdaptationError, match="renewals of the gate"):
        came(store, 1, first=1)


def test_spoilt_part_of_a_patient_is_said(store: CaseStore) -> None:
    """It is not drawn anew."""
    came(store, 1)
    (store.folder / "pseudonym00000" / "part.json").write_bytes(b"{}")

    with pytest.raises(CaseError, match="the part of a patient cannot be read"):
        store.part_of("pseudonym00000")


def test_a_run_says_which_generation_judges(tmp_path: Path) -> None:
    """The plan has the cases of that one alone; the file of an earlier release has the first."""
    one = night(tmp_path)
    fill(one.store)
    before = make_plan(one)
    renew(one.root, one.store.records(), one.limits.run.gate, by="physicist", why="a year is over", at=EVENING)
    newcomers = patients(Part.GATE, 5, first=500)
    for patient in newcomers[:4]:
        filed(one.store, patient)
    during = make_plan(one)
    filed(one.store, newcomers[4])

    after = make_plan(one)

    assert (before.generation, during.generation, after.generation) == (1, 1, 2)
    assert before.cases == during.cases
    assert {case.patient for case in after.cases[Part.GATE]} == set(newcomers)
    assert [after.cases[part] for part in (Part.TRAIN, Part.TUNE)] == [
        before.cases[part] for part in (Part.TRAIN, Part.TUNE)
    ]
    assert parse_plan(encode_plan(after)) == after
    old = {key: value for key, value in json.loads(encode_plan(before)).items() if key != "generation"}
    assert parse_plan(json.dumps(old).encode()) == before


def test_looks_know_their_generation_and_count_for_the_year(tmp_path: Path) -> None:
    """One of a release without generations is at the first; each counts in the account of alpha."""
    one = night(tmp_path)
    fill(one.store)
    said = {"at": EVENING.isoformat(), "alpha": 0.02, "lets_through": False}
    for name, more in (("2026-03-08", {}), ("2026-03-09", {"generation": 2})):
        run = one.runs.run(name)
        run.keep(PLAN, encode_plan(replace(make_plan(one), run=name)))
        run.keep("judge", said | more)

    assert [look.generation for look in one.runs.looks()] == [1, 2]
    assert any("every look at the gate within a year is taken" in why for why in make_plan(one).reasons)


def test_record_keeps_its_generation(store: CaseStore) -> None:
    """In its file too."""
    came(store, 20)
    renewed(store)
    came(store, 20, first=20)
    (record, *_) = [one for one in store.records() if one.generation == 2]

    assert parse_record(encode_record(record)) == record
