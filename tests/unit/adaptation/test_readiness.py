from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adaptation.case_record import CaseRecord, Origin, Ruling, Status, Structure
from adaptation.limits import RunLimits
from adaptation.looks import Share
from adaptation.partition import Part
from adaptation.readiness import Kind, Past, readiness, take_census

NOW = datetime(2026, 5, 1, 22, tzinfo=UTC)
ORGANS = ("Brainstem", "Lens_L")
PAST = Past(last_run=None, last_promotion=None, share=Share(0.01, 1))


DRAWN, EDITED = Structure(Origin.DE_NOVO), Structure(Origin.EDITED)


def case(patient, part, structures, revision=1):
    """Return an admitted case."""
    return CaseRecord(patient, revision, NOW, structures, part, (Ruling(NOW, Status.ADMITTED, "admission", ""),))


def cases(train=20, tune=5, gate=20, structures=None):
    """Return so many cases of each part, each with both organs where nothing else is said."""
    parts = {Part.TRAIN: train, Part.TUNE: tune, Part.GATE: gate}
    structures = structures or dict.fromkeys(ORGANS, DRAWN)
    return [case(f"{part.value} {number}", part, structures) for part in parts for number in range(parts[part])]


def ready(some, past=PAST, seen=()):
    return readiness(take_census(some, seen), ORGANS, past, NOW, RunLimits())


def test_the_least_number_of_cases_is_enough():
    """Twenty, five and twenty, drawn from nothing, and nothing went before: a full run."""
    result = ready(cases())

    assert (result.kind, result.may_start, result.reasons, result.frozen) == (Kind.FULL, True, (), {})


def test_a_store_without_a_case_is_not_ready():
    """And every shortage is said."""
    result = ready([])

    assert result.kind is Kind.NONE
    assert not result.may_start
    assert "0 cases to tune with, 5 are needed" in result.lacks
    assert "no organ has enough cases of its own" in result.lacks


@pytest.mark.parametrize(
    ("train", "kind"), [(9, Kind.NONE), (10, Kind.SHADOW_ONLY), (19, Kind.SHADOW_ONLY), (20, Kind.FULL)]
)
def test_few_cases_to_learn_from_make_a_shadow_at_most(train, kind):
    """Ten do for the shadow, twenty for service."""
    assert ready(cases(train=train)).kind is kind


@pytest.mark.parametrize(
    ("few", "reason"), [({"tune": 4}, "4 cases to tune with"), ({"gate": 19}, "19 cases of the gate")]
)
def test_too_few_to_tune_or_to_judge_by_stop_the_run(few, reason):
    """Whatever there is to learn from."""
    result = ready(cases(**few))

    assert result.kind is Kind.NONE
    assert any(reason in lack for lack in result.lacks)


def test_a_gate_of_edited_contours_makes_a_shadow_at_most():
    """More than half of its organs were edited from ours, and ours look better by them than they are."""
    result = ready(cases(structures={"Brainstem": DRAWN, "Lens_L": EDITED, "Pituitary": EDITED}))

    assert result.kind is Kind.SHADOW_ONLY
    assert "33% of the gate's organs were drawn from nothing, 50% are needed" in result.lacks


def test_an_organ_that_few_drew_stays_as_it_is():
    """The others are adapted."""
    rare = [replace(one, structures={"Brainstem": DRAWN}) for one in cases(gate=6)]
    result = ready([*cases(gate=14), *rare[25:]])

    assert result.kind is Kind.FULL
    assert result.frozen == {"Lens_L": "Lens_L: drawn in 14 cases of the gate, 15 are needed"}


@pytest.mark.parametrize(
    ("days_ago", "new", "may_start"), [(2, 9, False), (2, 10, True), (31, 4, False), (31, 5, True), (29, 5, False)]
)
def test_a_run_waits_for_new_cases(days_ago, new, may_start):
    """Ten, or five once the last run is thirty days ago."""
    some = cases()
    seen = [one.name for one in some[new:]]

    result = ready(some, replace(PAST, last_run=NOW - timedelta(days=days_ago)), seen)

    assert (result.kind, result.may_start) == (Kind.FULL, may_start)


def test_contours_that_were_approved_anew_are_new():
    """A later revision of a patient counts, once."""
    some = cases()

    assert take_census(some, [f"{one.patient}-0" for one in some]).new == 45


def test_a_run_waits_after_a_promotion():
    """Seven days, and the reason says so; a person may start one."""
    result = ready(cases(), replace(PAST, last_promotion=NOW - timedelta(days=6)))

    assert (result.kind, result.may_start) == (Kind.FULL, False)
    assert result.waits == ("the last promotion was on 2026-04-25; 7 days are between two",)


def test_a_run_waits_when_every_look_is_taken():
    """The day of the next is said."""
    result = ready(cases(), replace(PAST, share=Share(0.0, 21, again=NOW + timedelta(days=3))))

    assert not result.may_start
    assert "2026-05-04" in result.waits[0]
