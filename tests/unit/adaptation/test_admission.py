"""What may be learnt from: good sets are admitted, each thing that goes wrong has its reason, and a person reads it."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from adaptation.admission import Evidence, judge_case
from adaptation.admission_limits import AdmissionLimits
from adaptation.case_record import CaseRecord, Edit, Origin, Status, Structure
from adaptation.cases import CaseStore
from adaptation.labelled_ct import LabelledCt
from adaptation.measures import Measures, measure
from adaptation.openkbp import list_patients
from adaptation.population import Norm, pooled, population_of
from segmentation.phantom import build_phantom
from tests.support.poison import Bench, poisoned
from tests.support.stored_cases import NOON, new_case, small_case

PATIENTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "openkbp"
LIMITS = AdmissionLimits()
GRID = {"rows": 256, "columns": 256, "pixel_mm": 2.0, "slice_mm": 3.0}
CAUGHT = (
    "swapped sides",
    "the set 20 mm along the slices",
    "the set 20 mm to the back",
    "the set 10 mm to the side",
    "another patient's set",
    "a gap of two slices",
)
SAID = {
    "swapped sides": "the sides may be swapped",
    "a gap of two slices": "a gap of 2 slices",
}


def case_of(seed: int) -> LabelledCt:
    phantom = build_phantom(seed, **GRID)
    return LabelledCt(phantom.volume, {organ: mask for organ, mask in phantom.masks.items() if mask.any()})


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Return a phantom, and another one."""
    return Bench(case_of(3), case_of(5), np.random.default_rng(1))


@pytest.fixture(scope="module")
def measures(bench: Bench) -> dict[str, Measures]:
    return measure(bench.case)


def evidence(measures: Mapping[str, Mapping[str, float]], **changes: object) -> Evidence:
    return replace(Evidence("patient", "ct", "digest", measures), **changes)


def reasons(measures: Mapping[str, Mapping[str, float]], *others: CaseRecord, **changes: object) -> tuple[str, ...]:
    return judge_case(evidence(measures, **changes), others, population_of((), LIMITS.prior_patients), LIMITS)


def changed(measures: dict[str, Measures], organ: str, **values: float) -> dict[str, Measures]:
    return {**measures, organ: {**measures[organ], **values}}


def filed(folder: Path, **changes: object) -> CaseRecord:
    return CaseStore(folder).file(new_case(**changes), small_case(), NOON)


def test_a_good_set_is_admitted(measures: dict[str, Measures]) -> None:
    """A phantom as it was drawn has no reason against it."""
    assert reasons(measures) == ()


@pytest.mark.parametrize("name", CAUGHT)
def test_a_poisoned_set_is_kept_out(bench: Bench, name: str) -> None:
    """Swapped sides, a shifted set, another patient's and a gap are found without a contour of ours."""
    made = poisoned(name, bench)

    assert made is not None
    found = reasons(measure(made))
    assert any(SAID.get(name, "") in reason for reason in found)
    assert found != ()


@pytest.mark.parametrize("organ", ["Parotid_L", "Brainstem", "SpinalCord"])
def test_half_an_organ_is_kept_out(bench: Bench, organ: str) -> None:
    """An organ of which the half towards its neighbours is missing is no outline to learn from."""
    mask = bench.case.masks[organ].copy()
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    lower = organ == "Brainstem"
    mask[slices[: len(slices) // 2] if lower else slices[len(slices) // 2 :]] = False

    found = reasons(measure(replace(bench.case, masks={**bench.case.masks, organ: mask})))

    assert any(organ in reason or "between brainstem and cord" in reason for reason in found)


@pytest.mark.parametrize(
    ("organ", "values", "said"),
    [
        ("Parotid_L", {"volume": math.log(200.0)}, "Parotid_L has a volume of 2e+02 cm3"),
        ("Parotid_L", {"length": math.log(400.0)}, "a length of 400 mm along the slices"),
        ("Brainstem", {"HU": 90.0}, "Brainstem has a mean of 90 HU"),
        ("Brainstem", {"off midline": 30.0}, "30 mm to the left of the body's middle"),
        ("Parotid_L", {"left of Parotid_R": 30.0}, "its centre 30 mm to the left of that of Parotid_R"),
        ("Parotid_L", {"ratio": math.log(4.0)}, "4 times the volume of the other side's"),
        ("Parotid_L", {"air": 0.2}, "20% of Parotid_L is air"),
        ("SpinalCord", {"bone": 0.2}, "20% of SpinalCord is bone"),
        ("Bone_Mandible", {"bone": 0.2}, "only 20% of Bone_Mandible is bone"),
        ("Bone_Mandible", {"blunt above": 0.99}, "ends above as if cut off"),
        ("Brainstem", {"parts": 2.0}, "in 2 parts that do not touch"),
        ("Brainstem", {"gap": 3.0}, "a gap of 3 slices"),
        ("SpinalCord", {"gaps": 20.0, "slices": 40.0}, "drawn on 20 of 40 slices"),
        ("Brainstem", {"apart": 40.0}, "nothing was drawn for 40 mm"),
        ("Lens_L", {"off midline": -20.0}, "Lens_L lies 20 mm to the right of the body's middle"),
        ("Brainstem", {"HU": math.nan, "air": math.nan}, "of Brainstem is air"),
    ],
)
def test_each_reason_is_said_with_its_number(
    measures: dict[str, Measures], organ: str, values: dict[str, float], said: str
) -> None:
    """A person reads which organ, which measure, and how far off; what is no number is a reason too."""
    found = reasons(changed(measures, organ, **values))

    assert any(said in reason for reason in found), found


def test_all_reasons_are_said_at_once(measures: dict[str, Measures]) -> None:
    """Nobody has to find the second fault after the first was mended."""
    found = reasons(changed(measures, "Brainstem", parts=2.0, air=0.5, HU=200.0), faults=("a slice is missing",))

    assert len(found) >= 4


def test_a_set_without_an_organ_is_kept_out() -> None:
    """There is nothing to learn from targets alone."""
    assert reasons({}) == ("no organ was drawn on the CT",)


@pytest.mark.parametrize(("dice", "ratio", "is_kept_out"), [(0.1, 1.0, True), (0.7, 3.0, True), (0.5, 1.5, False)])
def test_a_large_organ_lies_where_we_drew_it(
    measures: dict[str, Measures], dice: float, ratio: float, *, is_kept_out: bool
) -> None:
    """What hardly overlaps with ours, or is several times as large, is looked at; a plain correction is not."""
    edits = {"Parotid_L": Edit(dice, 0.5, 5.0, 100.0, ratio, 1.0)}

    assert bool(reasons(measures, edits=edits)) is is_kept_out


def test_a_small_organ_may_lie_beside_ours(measures: dict[str, Measures]) -> None:
    """A lens of a few voxels that was moved by its own width is a correction."""
    assert reasons(measures, edits={"Lens_L": Edit(0.0, 0.0, 8.0, 30.0, 1.0, 1.0)}) == ()


def test_the_same_ct_of_another_patient_is_kept_out(tmp_path: Path, measures: dict[str, Measures]) -> None:
    """A patient who is there twice under two IDs would be learnt from and judged on."""
    other = filed(tmp_path, patient="bb")

    found = reasons(measures, other, ct_digest=other.ct_digest)

    assert found == (f"the same CT is filed as {other.name}, under another patient",)


def test_another_ct_of_the_same_patient_is_kept_out(tmp_path: Path, measures: dict[str, Measures]) -> None:
    """One case of a patient is learnt from; a set on the same CT replaces it and is none of these."""
    other = filed(tmp_path, patient="patient", ct="another")

    assert reasons(measures, other)
    assert reasons(measures, replace(other, ct="ct")) == ()


def test_a_rejected_case_stands_in_nobodys_way(tmp_path: Path, measures: dict[str, Measures]) -> None:
    """What a person rejected is as if it were not there."""
    other = filed(tmp_path, patient="patient", ct="another")
    rejected = CaseStore(tmp_path).decide(other.name, Status.REJECTED, by="Ada", why="a re-planning", at=NOON)

    assert reasons(measures, rejected) == ()


def test_what_is_usual_moves_with_the_site(tmp_path: Path) -> None:
    """A site that draws large brainstems has its own usual volume, once it has admitted some."""
    drawn = {"Brainstem": Structure(Origin.DE_NOVO, None, {"volume": 4.0, "cut": 0.0})}
    for number in range(20):
        filed(tmp_path, patient=f"p{number}", structures=drawn, source=f"set{number}")

    before = population_of((), 40)["Brainstem", "volume"]
    after = population_of(CaseStore(tmp_path).records(), 40)["Brainstem", "volume"]

    assert before.mean < after.mean < 4.0


def test_what_was_set_aside_makes_nothing_usual(tmp_path: Path) -> None:
    """Only admitted cases count, and only measures that the prior has."""
    drawn = {"Brainstem": Structure(Origin.DE_NOVO, None, {"volume": 9.0, "gap": 3.0})}
    record = filed(tmp_path, structures=drawn, reasons=("too large",))

    assert population_of((record,), 40) == population_of((), 40)


def test_pooled_spread_is_that_of_all_patients() -> None:
    """Pooling the prior's patients with values gives mean and deviation of both together."""
    prior = [8.0, 12.0] * 10
    seen = [20.0, 22.0]

    found = pooled(Norm(10.0, 2.0), 20, seen)

    assert found.mean == pytest.approx(np.mean([*prior, *seen]))
    assert found.sd == pytest.approx(np.std([*prior, *seen]))


def test_an_organ_that_the_ct_cuts_off_may_be_small(measures: dict[str, Measures]) -> None:
    """Its volume says nothing, as the CT ends within it."""
    small = math.log(2.0)

    assert reasons(changed(measures, "Brainstem", volume=small))
    assert reasons(changed(measures, "Brainstem", volume=small, cut=1.0)) == ()


@pytest.mark.real_data
@pytest.mark.skipif(not PATIENTS.is_dir(), reason="the public patients are not beside the checkout")
def test_real_patients_are_admitted_and_their_poisons_are_not() -> None:
    """Of twenty patients of a centre that the prior has not seen, most pass; none does with swapped sides."""
    cases = [case.load() for case in list_patients(PATIENTS, ("target",))[:20]]
    admitted = [case for case in cases if not reasons(measure(case))]
    swapped = [poisoned("swapped sides", Bench(case, case, np.random.default_rng(1))) for case in admitted]

    assert len(admitted) >= 17
    assert all(reasons(measure(case)) for case in swapped if case is not None)


def test_a_record_in_time_order_is_not_needed(tmp_path: Path, measures: dict[str, Measures]) -> None:
    """Reasons do not depend on the order of the store."""
    one = filed(tmp_path, patient="patient", ct="another")
    two = CaseStore(tmp_path).file(new_case(patient="bb", source="other"), small_case(2), NOON + timedelta(days=1))

    assert reasons(measures, one, two) == reasons(measures, two, one)
