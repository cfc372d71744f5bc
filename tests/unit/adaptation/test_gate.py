import math
from dataclasses import replace

import numpy as np
import pytest

from adaptation.evidence import Flags, Harm, Integrity, Outcome, Pair, Shadow
from adaptation.gate import judge
from adaptation.limits import SMALL_ORGANS, GateLimits
from benchmarks.gate.patients import Population, gains_of
from tests.support.scores import NAMES, SEEN, even, evidence, not_found, pair_of_gains, score

LIMITS = GateLimits()
BETTER = evidence(even(20, 0.02))


def failing(verdict, gate):
    return [each.text for each in verdict.whole if each.gate == gate and each.state.name == "FAILED"]


def with_gains(organ, values):
    """Return the better candidate whose gains in one organ are others."""
    gains = even(20, 0.02)
    gains[:, NAMES.index(organ)] = values
    return evidence(gains)


def with_candidate(change):
    """Return the better candidate, the first of whose scores was changed."""
    first, *rest = BETTER.gate.candidate
    return replace(BETTER, gate=Pair(BETTER.gate.current, (change(first), *rest)))


def test_a_candidate_that_is_better_everywhere_passes():
    """With all twelve organs and no reason against it."""
    verdict = judge(BETTER, LIMITS)

    assert (verdict.outcome, verdict.organs, verdict.reasons) == (Outcome.PASSED, NAMES, ())
    assert verdict.lets_through
    assert {each.gate for each in verdict.whole} == {"G0", "G1", "G2", "G3", "G4", "G5", "G6"}


def test_an_equal_candidate_is_refused():
    """And the reason has the number and what was wanted."""
    verdict = judge(evidence(even(20, 0.0)), LIMITS)

    assert (verdict.outcome, verdict.organs) == (Outcome.REFUSED, ())
    assert "median gain +0.0000 DSC, 0.005 wanted" in " ".join(verdict.reasons)


def test_a_gain_that_is_sure_but_small_is_refused():
    """Twenty of twenty gain .004: beyond chance, and not worth a change."""
    verdict = judge(evidence(even(20, 0.004)), LIMITS)

    assert verdict.outcome is Outcome.REFUSED
    assert len(failing(verdict, "G1")) == 1


def test_a_look_without_alpha_refuses_every_candidate():
    """Once a year's looks are taken nothing is good enough."""
    assert judge(replace(BETTER, alpha=0.0), LIMITS).outcome is Outcome.REFUSED


def test_fewer_than_five_cases_prove_nothing():
    """However large the gain."""
    assert judge(evidence(even(4, 0.1)), LIMITS).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "integrity", [Integrity(("the trunk is not the base's",), 1.0), Integrity((), 1.21), Integrity((), math.nan)]
)
def test_files_that_are_not_sound_or_slow_are_refused(integrity):
    """G0, before any gain counts."""
    verdict = judge(replace(BETTER, integrity=integrity), LIMITS)

    assert verdict.outcome is Outcome.REFUSED
    assert len(failing(verdict, "G0")) == 1
    assert not verdict.single


@pytest.mark.parametrize(("organ", "passes", "fails"), [("Brainstem", -0.015, -0.025), ("Pituitary", -0.045, -0.055)])
def test_no_organ_may_lose_more_than_observers_differ(organ, passes, fails):
    """G2: .02 for a large organ, .05 for a small one."""
    assert judge(with_gains(organ, passes), LIMITS).organs == NAMES
    refused = judge(with_gains(organ, fails), LIMITS)

    assert organ not in refused.organs
    assert any(organ in text for text in failing(refused, "G2"))


def test_a_loss_that_may_be_large_is_taken_for_one():
    """G2 asks for the bound, not the mean: a mean loss of .01 that varies widely from case to case does not pass."""
    varied = np.where(np.arange(20) % 2, 0.08, -0.1)

    assert failing(judge(with_gains("Brainstem", varied), LIMITS), "G2")


def test_distances_may_not_grow():
    """G2: a mean HD95 that is 1.1 mm larger fails though the overlap is better."""
    candidate = tuple(
        score(one.case, one.organ, one.dice, 5.1 if one.organ == "SpinalCord" else 4.0) for one in BETTER.gate.candidate
    )

    verdict = judge(replace(BETTER, gate=Pair(BETTER.gate.current, candidate)), LIMITS)

    (text,) = failing(verdict, "G2")
    assert text.startswith("SpinalCord: mean HD95 +1.10 mm, 1 mm at most; no case counts for more than 5 mm")
    assert text.endswith("(else +1.10 mm; median +1.10 mm)")


def with_distances(distances, start=4.0):
    """Return the verdict where the candidate's cord has these HD95 in the first cases, and no other in the rest."""
    far = dict(zip([f"case {number}" for number in range(20)], distances, strict=False))
    pair = Pair(
        tuple(score(one.case, one.organ, one.dice, start) for one in BETTER.gate.current),
        tuple(
            score(one.case, one.organ, one.dice, far.get(one.case, start) if one.organ == "SpinalCord" else start)
            for one in BETTER.gate.candidate
        ),
    )
    return judge(replace(BETTER, gate=pair), LIMITS)


def test_a_part_far_off_in_one_case_needs_a_person():
    """As nights with real patients had: 4.7 mm before, 192 mm with 58 voxels in an arm. It is no mean of 9 mm."""
    verdict = with_distances([192.0])

    assert verdict.outcome is Outcome.PERSON
    assert verdict.reasons == (
        "SpinalCord has an HD95 that is 188.0 mm larger in case 1, 20 mm is the most without a person's word",
    )


def test_parts_far_off_in_more_than_one_case_of_five_refuse():
    """Four of twenty are a person's; five are a fault of the candidate."""
    assert with_distances([192.0] * 4).outcome is Outcome.PERSON
    assert failing(with_distances([192.0] * 5), "G2")


def test_a_part_that_is_gone_does_not_hide_that_the_rest_is_worse():
    """One case gains 196 mm, 19 lose 2 mm: the mean would fall by 8 mm."""
    verdict = with_distances([4.0] + [202.0] * 19, start=200.0)

    assert "mean HD95 +1.65 mm" in failing(verdict, "G2")[0]
    assert "else -7.90 mm; median +2.00 mm" in failing(verdict, "G2")[0]


@pytest.mark.parametrize(("hd95_mm", "outcome"), [(19.0, Outcome.PASSED), (21.0, Outcome.PERSON)])
def test_an_organ_that_is_found_anew_may_not_be_far_off(hd95_mm, outcome):
    """There is no distance of before to hold it against, and nothing drawn is better than something elsewhere."""
    pair = Pair(
        tuple(not_found(one.case, one.organ) if one.case == "case 2" else one for one in BETTER.gate.current),
        tuple(
            score(one.case, one.organ, one.dice, hd95_mm) if (one.case, one.organ) == ("case 2", "Parotid_L") else one
            for one in BETTER.gate.candidate
        ),
    )

    assert judge(replace(BETTER, gate=pair), LIMITS).outcome is outcome


def test_an_organ_that_is_lost_refuses():
    """G3: one organ of one case that was found before."""
    verdict = judge(with_candidate(lambda one: not_found(one.case, one.organ)), LIMITS)

    assert failing(verdict, "G3") == ["Brainstem is not found any more in case 1"]
    assert "Brainstem" not in verdict.organs


def test_an_organ_that_neither_finds_holds_nothing_up():
    """What the model in service never finds cannot be lost, and has no distance that grew."""
    both = [
        tuple(not_found(one.case, one.organ) if one.organ == "Lens_L" else one for one in some)
        for some in (BETTER.gate.current, BETTER.gate.candidate)
    ]

    assert judge(replace(BETTER, gate=Pair(*both)), LIMITS).outcome is Outcome.PASSED


@pytest.mark.parametrize("what", ["lies on the wrong side", "lies outside the body"])
def test_a_contour_in_the_wrong_place_refuses(what):
    """G3: once is enough."""
    verdict = judge(replace(BETTER, harms=(Harm("case 3", "Parotid_L", what),)), LIMITS)

    assert failing(verdict, "G3") == [f"Parotid_L {what} in case 4"]


def test_one_case_that_is_much_worse_needs_a_person():
    """G3: a drop of .16 in one organ of one case; all else passes."""
    gains = even(20, 0.02)[:, 0]
    gains[0] = -0.16

    verdict = judge(with_gains("Lobe_Temporal_L", gains), LIMITS)

    assert verdict.outcome is Outcome.PERSON
    assert verdict.reasons == ("Lobe_Temporal_L loses 0.160 DSC in case 1, 0.15 is the most without a person's word",)


@pytest.mark.parametrize(
    ("drop", "outcome"),
    [(0.019, Outcome.PASSED), (0.03, Outcome.PERSON), (0.051, Outcome.REFUSED), (math.nan, Outcome.REFUSED)],
)
def test_forgetting_is_bounded(drop, outcome):
    """G4: .02 passes, up to .05 a person decides, more fails."""
    base = pair_of_gains(even(10, -drop), prefix="base")

    assert judge(replace(BETTER, base=base), LIMITS).outcome is outcome


def test_forgetting_that_nobody_measured_needs_a_person():
    """G4: a site without cases of the base model's kind."""
    verdict = judge(replace(BETTER, base=None), LIMITS)

    assert verdict.outcome is Outcome.PERSON
    assert verdict.reasons == ("0 cases of the base model's kind, 10 are needed to judge what is forgotten",)


@pytest.mark.parametrize(
    ("flags", "outcome"),
    [(Flags(20, 5, 6), Outcome.PASSED), (Flags(20, 5, 7), Outcome.REFUSED), (None, Outcome.PERSON)],
)
def test_checks_may_not_complain_more_often(flags, outcome):
    """G5: 1.2 times as often at most."""
    assert judge(replace(BETTER, flags=flags), LIMITS).outcome is outcome


@pytest.mark.parametrize(
    ("shadow", "outcome"),
    [
        (None, Outcome.SHADOW),
        (Shadow(9, 6.9, (0.8,), (0.8,), ()), Outcome.SHADOW),
        (Shadow(3, 7.0, (0.8,), (0.8,), ()), Outcome.PASSED),
        (Shadow(0, 30.0, (), (), ()), Outcome.SHADOW),
        (replace(SEEN, candidate=(0.785,) * 10), Outcome.REFUSED),
        (replace(SEEN, harms=(Harm("new", "Lens_L", "is not found any more"),)), Outcome.REFUSED),
    ],
)
def test_a_candidate_runs_in_the_shadow_first(shadow, outcome):
    """G6: ten new patients or a week, as good as the model in service, without harm."""
    assert judge(replace(BETTER, shadow=shadow), LIMITS).outcome is outcome


def test_a_run_for_the_shadow_never_goes_into_service():
    """Whatever it gains."""
    verdict = judge(replace(BETTER, only_shadow=("15 cases to learn from, 20 are needed",)), LIMITS)

    assert (verdict.outcome, verdict.reasons) == (Outcome.SHADOW, ("15 cases to learn from, 20 are needed",))


def test_only_the_organs_that_win_go_over():
    """One organ is much better, the rest equal: it goes over alone, and each other says why it stays."""
    gains = even(20, 0.0)
    gains[:, 4] += 0.05

    verdict = judge(evidence(gains), LIMITS)

    assert (verdict.outcome, verdict.organs) == (Outcome.PASSED, (NAMES[4],))
    assert set(verdict.stays) == set(NAMES) - {NAMES[4]}
    assert verdict.single


def test_organs_that_lack_cases_stay_and_do_not_count():
    """A frozen organ neither helps nor hurts, and is named with its reason."""
    verdict = judge(replace(with_gains("Brainstem", -0.3), frozen={"Brainstem": "drawn in 3 cases"}), LIMITS)

    assert verdict.outcome is Outcome.PASSED
    assert verdict.organs == NAMES[1:]
    assert verdict.stays == {"Brainstem": "drawn in 3 cases"}


def test_a_candidate_without_an_organ_of_a_case_is_refused():
    """Both models must have been judged on the same."""
    odd = replace(BETTER, gate=Pair(BETTER.gate.current, BETTER.gate.candidate[1:]))

    assert failing(judge(odd, LIMITS), "G1") == ["1 organs of cases were not judged once by each model"]


def test_no_case_at_all_is_refused():
    """An empty gate proves nothing."""
    verdict = judge(replace(BETTER, gate=Pair((), ())), LIMITS)

    assert verdict.outcome is Outcome.REFUSED


@pytest.mark.parametrize("organ", ["Brainstem", "Lens_R"])
def test_a_value_that_is_none_refuses(organ):
    """A NaN in one organ of one case refuses the whole and that organ."""
    gains = even(20, 0.02)[:, 0]
    gains[7] = math.nan

    verdict = judge(with_gains(organ, gains), LIMITS)

    assert organ not in verdict.organs
    assert failing(verdict, "G1")


def test_poisoned_candidates_are_refused():
    """Swapped sides: every organ that has a side is lost, whatever the midline organs gain."""
    gains = even(20, 0.05)
    gains[:, [NAMES.index(name) for name in NAMES if name[-2:] in {"_L", "_R"}]] = -0.8

    verdict = judge(evidence(gains), LIMITS)

    assert not {name for name in verdict.organs if name[-2:] in {"_L", "_R"}}
    assert failing(verdict, "G1")


def test_twenty_equal_cases_of_real_spread_pass_their_guards():
    """With the spread of real patients an equal candidate fails G1 and hardly ever the guards of large organs."""
    nights = gains_of(20, 20, Population(), np.random.default_rng(3))

    failures = [failing(judge(evidence(gains), LIMITS), "G2") for gains in nights]

    large = [text for some in failures for text in some if text.split(":")[0] not in SMALL_ORGANS]
    assert len(large) <= 2  # of 140
