"""Each demand of the gate, G0 to G6, with what was found (pure).

Each asks for what must hold, so that a NaN refuses.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from adaptation.evidence import Evidence, Finding, Flags, Harm, Integrity, Pair, Shadow, State
from adaptation.gate_pairs import (
    ScorePair,
    dsc,
    gain_of_patients,
    hd95_mm,
    of_organs,
    only_once,
    side_by_side,
    surface_dsc,
)
from adaptation.limits import HD95_COUNTS, GateLimits
from adaptation.statistics import lower_bound, paired


def integrity(found: Integrity, limits: GateLimits) -> list[Finding]:
    """Return G0: the candidate's files are what they should be, and it is fast enough."""
    faults = [Finding("G0", State.FAILED, fault) for fault in found.faults]
    ratio = found.latency_ratio
    return [
        *(faults or [Finding("G0", State.PASSED, "digests, weights, trunk and golden case are as they should be")]),
        Finding(
            "G0",
            _passed(ratio <= limits.latency_ratio),
            f"a case takes {ratio:.2f} times as long, {limits.latency_ratio:g} at most",
            numbers={"latency_ratio": ratio},
        ),
    ]


def sameness(pair: Pair) -> list[Finding]:
    """Return whether both models were judged on the same organs of the same cases, and on any."""
    odd = only_once(pair)
    if not pair.current or odd:
        text = f"{len(odd)} organs of cases were not judged once by each model" if odd else "no case was judged"
        return [Finding("G1", State.FAILED, text)]
    return []


def benefit(pairs: Sequence[ScorePair], alpha: float, limits: GateLimits) -> list[Finding]:
    """Return G1: patients gain, beyond chance and by enough to be worth a change.

    Args:
        pairs: of the organs that would go over.
        alpha: that the test may spend.
        limits: of the gate.
    """
    gains = gain_of_patients(pairs, dsc)
    surface = gain_of_patients(pairs, surface_dsc)
    test = _wilcoxon(gains)
    middle, mean_surface = _median(gains), _mean(surface)
    is_enough = middle >= limits.median_gain or mean_surface >= limits.surface_gain
    return [
        Finding(
            "G1",
            _passed(test <= alpha),
            f"mean DSC of {len(gains)} patients {_mean(gains):+.4f}: p {test:.2g}, this look's alpha is {alpha:.2g}",
            numbers={"p": test, "alpha": alpha, "mean_gain": _mean(gains), "patients": len(gains)},
        ),
        Finding(
            "G1",
            _passed(is_enough),
            f"median gain {middle:+.4f} DSC, {limits.median_gain:g} wanted;"
            f" or mean gain {mean_surface:+.4f} surface DSC, {limits.surface_gain:g} wanted",
            numbers={"median_gain": middle, "surface_gain": mean_surface},
        ),
    ]


def better_organs(pairs: Sequence[ScorePair], alpha: float, limits: GateLimits) -> list[Finding]:
    """Return G1 of each organ by itself that is better: Holm (1979) over the organs, and enough of a gain.

    Args:
        pairs: of every organ that could go over.
        alpha: that all these tests together may spend.
        limits: of the gate.
    """
    organs = dict.fromkeys(pair.organ for pair in pairs)
    gains = {organ: [pair.gain(dsc) for pair in of_organs(pairs, {organ})] for organ in organs}
    tests = {organ: _wilcoxon(gains[organ]) for organ in organs}
    found = []
    ordered = sorted(organs, key=lambda organ: math.inf if math.isnan(tests[organ]) else tests[organ])
    for rank, organ in enumerate(ordered):
        own = alpha / (len(ordered) - rank)
        if not tests[organ] <= own:
            break
        middle = _median(gains[organ])
        if middle >= limits.median_gain:
            text = f"{organ}: median gain {middle:+.4f} DSC, p {tests[organ]:.2g}, its alpha by Holm is {own:.2g}"
            found.append(
                Finding("G1", State.PASSED, text, organ, {"p": tests[organ], "alpha": own, "median_gain": middle})
            )
    return found


def guard(pairs: Sequence[ScorePair], organ: str, limits: GateLimits) -> list[Finding]:
    """Return G2: an organ is no worse by more than observers differ."""
    own = of_organs(pairs, {organ})
    low = lower_bound([pair.gain(dsc) for pair in own])
    mean = _mean([pair.gain(dsc) for pair in own])
    allowed = limits.largest_drop(organ)
    return [
        Finding(
            "G2",
            _passed(low > -allowed),
            f"{organ}: mean DSC {mean:+.4f}, above {low:+.4f} with 95 % confidence; {-allowed:g} is the bound",
            organ,
            {"mean_gain": mean, "lower_bound": low, "cases": len(own)},
        ),
        _distance(own, organ, limits.largest_hd95_mm(organ)),
    ]


def _distance(own: Sequence[ScorePair], organ: str, allowed_mm: float) -> Finding:
    """Return whether an organ's HD95 grew, over the cases in which both models found it; no case decides alone."""
    if not any(pair.current.is_found for pair in own):
        return Finding("G2", State.PASSED, f"{organ}: the model in service never finds it, so no HD95 grew", organ)
    changes = [pair.gain(hd95_mm) for pair in own if pair.current.is_found and pair.candidate.is_found]
    most = HD95_COUNTS * allowed_mm
    grown = _mean([_within(change, most) for change in changes])
    text = (
        f"{organ}: mean HD95 {grown:+.2f} mm, {allowed_mm:g} mm at most; no case counts for more than {most:g} mm"
        f" (else {_mean(changes):+.2f} mm; median {_median(changes):+.2f} mm)"
    )
    numbers = {"hd95_mm": grown, "whole_mm": _mean(changes), "median_mm": _median(changes), "cases": len(changes)}
    return Finding("G2", _passed(grown <= allowed_mm), text, organ, numbers)


def _within(value: float, most: float) -> float:
    """Return a value, or the bound that it is beyond; a NaN stays one."""
    return value if math.isnan(value) else max(-most, min(most, value))


def harm(
    pairs: Sequence[ScorePair], harms: Sequence[Harm], numbers: Mapping[str, int], limits: GateLimits
) -> list[Finding]:
    """Return G3: nothing is lost, swapped or misplaced, and no case is much worse without a person's word.

    Args:
        pairs: of the organs that would go over.
        harms: of the candidate.
        numbers: of the cases, by their names.
        limits: of the gate.
    """
    organs = {pair.organ for pair in pairs}
    found = [
        Finding("G3", State.FAILED, f"{one.organ} {one.what} in case {numbers.get(one.case, 'unknown')}", one.organ)
        for one in harms
        if one.organ in organs
    ]
    for pair in pairs:
        drop, where = -pair.gain(dsc), f"case {numbers[pair.case]}"
        if pair.current.is_found and not pair.candidate.is_found:
            found.append(Finding("G3", State.FAILED, f"{pair.organ} is not found any more in {where}", pair.organ))
        elif not drop <= limits.case_drop:
            most = f"{limits.case_drop:g} is the most without a person's word"
            text = f"{pair.organ} loses {drop:.3f} DSC in {where}, {most}"
            found.append(Finding("G3", State.PERSON, text, pair.organ, {"drop": drop}))
        if not (further := _further_mm(pair)) <= limits.case_hd95_mm:
            most = f"{limits.case_hd95_mm:g} mm is the most without a person's word"
            text = f"{pair.organ} has an HD95 that is {further:.1f} mm larger in {where}, {most}"
            found.append(Finding("G3", State.PERSON, text, pair.organ, {"hd95_mm": further}))
    return found or [
        Finding(
            "G3", State.PASSED, f"no organ of {len(numbers)} cases is lost, swapped, outside the body or much worse"
        )
    ]


def _further_mm(pair: ScorePair) -> float:
    """Return how much larger an HD95 became; of what was not found before all of it, of what is lost nothing."""
    if not pair.candidate.is_found:
        return 0.0
    return hd95_mm(pair.candidate) - (hd95_mm(pair.current) if pair.current.is_found else 0.0)


def forgetting(pair: Pair | None, organs: Sequence[str], limits: GateLimits) -> list[Finding]:
    """Return G4: what the base model could do is not forgotten."""
    if not limits.base_cases:
        return []
    pairs = of_organs(side_by_side(pair), organs) if pair else []
    drops = [-gain for gain in gain_of_patients(pairs, dsc)]
    if len(drops) < limits.base_cases:
        text = f"{len(drops)} cases of the base model's kind, {limits.base_cases} are needed to judge what is forgotten"
        return [Finding("G4", State.PERSON, text)]
    drop = _mean(drops)
    is_bearable = State.PERSON if drop <= limits.base_drop_person else State.FAILED
    text = f"mean DSC on {len(drops)} cases of the base model's kind {-drop:+.4f}; {-limits.base_drop:g} passes"
    return [
        Finding("G4", State.PASSED if drop <= limits.base_drop else is_bearable, text, numbers={"mean_gain": -drop})
    ]


def flagging(flags: Flags | None, limits: GateLimits) -> list[Finding]:
    """Return G5: the checks of what is drawn do not complain more often."""
    if not limits.flag_cases:
        return []
    if flags is None or flags.patients < limits.flag_cases:
        seen = flags.patients if flags else 0
        text = f"{seen} of the last patients were checked with both models, {limits.flag_cases} are wanted"
        return [Finding("G5", State.PERSON, text)]
    return [
        Finding(
            "G5",
            _passed(flags.candidate <= limits.flag_ratio * flags.current),
            f"the checks flag {flags.candidate} of {flags.patients} patients, and {flags.current} of the model in"
            f" service; {limits.flag_ratio:g} times as many at most",
            numbers={"candidate": flags.candidate, "current": flags.current},
        )
    ]


def shadowing(evidence: Evidence, limits: GateLimits) -> list[Finding]:
    """Return G6: beside the model in service, unseen, it does as well on new patients."""
    kept_back = [Finding("G6", State.AWAITED, why) for why in evidence.only_shadow]
    if not limits.shadow_patients:
        return kept_back
    shadow = evidence.shadow or Shadow(0, 0.0, (), (), ())
    harms = [Finding("G6", State.FAILED, f"{one.organ} {one.what} in a new patient", one.organ) for one in shadow.harms]
    is_over = shadow.patients >= limits.shadow_patients or (
        shadow.patients > 0 and shadow.days >= limits.shadow_days and len(shadow.current) > 0
    )
    if not is_over:
        text = (
            f"{shadow.patients} new patients in {shadow.days:.1f} days were contoured in the shadow;"
            f" {limits.shadow_patients} are wanted, or {limits.shadow_days:g} days"
        )
        return [*kept_back, *harms, Finding("G6", State.AWAITED, text)]
    change = _median(shadow.candidate) - _median(shadow.current)
    text = f"median surface DSC to what was approved {change:+.3f}, {-limits.shadow_drop:g} at least"
    as_good = Finding("G6", _passed(change >= -limits.shadow_drop), text, numbers={"change": change})
    return [*kept_back, *harms, as_good]


def _passed(holds: bool) -> State:
    return State.PASSED if holds else State.FAILED


def _wilcoxon(gains: Sequence[float]) -> float:
    """Return p of the one-sided signed-rank test; NaN where a gain is no number."""
    if not all(math.isfinite(gain) for gain in gains):
        return math.nan
    return paired(gains, [0.0] * len(gains), higher_is_better=True).p


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


def _median(values: Sequence[float]) -> float:
    return median(values) if values and all(math.isfinite(value) for value in values) else math.nan
