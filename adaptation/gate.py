"""Whether a candidate may replace the model in service: all of it, single organs, or none, with every reason (pure).

The guards of single organs are an intersection-union test (Berger 1982): all must pass, so that their number makes
none of them laxer. Where the whole does not pass, an organ may that is better by itself (Holm 1979).
"""

from collections.abc import Sequence

from adaptation import gate_demands as demands
from adaptation.evidence import Evidence, Finding, Outcome, State, Verdict
from adaptation.gate_pairs import ScorePair, case_numbers, of_organs, side_by_side
from adaptation.limits import GateLimits

FAILS_ALONE = "is not better by itself, and the whole did not pass"


def judge(evidence: Evidence, limits: GateLimits) -> Verdict:
    """Decide whether the candidate may replace the model in service.

    Args:
        evidence: what was found of both.
        limits: what is demanded.
    """
    pairs = [pair for pair in side_by_side(evidence.gate) if pair.organ not in evidence.frozen]
    organs = tuple(dict.fromkeys(pair.organ for pair in pairs))
    common = [
        *demands.integrity(evidence.integrity, limits),
        *demands.sameness(evidence.gate),
        *demands.flagging(evidence.flags, limits),
        *demands.shadowing(evidence, limits),
    ]
    own = [
        *demands.benefit(pairs, (1 - limits.organ_share) * evidence.alpha, limits),
        *_guards(evidence, pairs, organs, limits),
        *demands.forgetting(evidence.base, organs, limits),
    ]
    whole = tuple(sorted([*common, *own], key=lambda each: each.gate))
    if not _fails(whole):
        return Verdict(_outcome(whole), organs, dict(evidence.frozen), whole, (), evidence.alpha)
    single = [] if _fails(common) else _single(evidence, pairs, limits)
    winners = tuple(organ for organ in organs if organ in {each.organ for each in single if each.gate == "G1"})
    stays = {organ: f"{organ} {FAILS_ALONE}" for organ in organs if organ not in winners} | dict(evidence.frozen)
    if not winners:
        return Verdict(Outcome.REFUSED, (), stays, whole, (), evidence.alpha)
    return Verdict(_outcome([*common, *single]), winners, stays, whole, tuple(single), evidence.alpha)


def _single(evidence: Evidence, pairs: Sequence[ScorePair], limits: GateLimits) -> list[Finding]:
    """Return the findings on the organs that are better by themselves and do no harm; none where there are none."""
    found = []
    for better in demands.better_organs(pairs, limits.organ_share * evidence.alpha, limits):
        own = [better, *_guards(evidence, pairs, [better.organ], limits)]
        found += [] if _fails(own) else own
    winners = [each.organ for each in found if each.gate == "G1"]
    kept = demands.forgetting(evidence.base, winners, limits) if winners else []
    return [] if _fails(kept) else [*found, *kept]


def _guards(evidence: Evidence, pairs: Sequence[ScorePair], organs: Sequence[str], limits: GateLimits) -> list[Finding]:
    """Return what guards organs: no loss beyond what observers differ by, and no harm."""
    return [
        *(each for organ in organs for each in demands.guard(pairs, organ, limits)),
        *demands.harm(of_organs(pairs, organs), evidence.harms, case_numbers(evidence.gate), limits),
    ]


def _fails(findings: Sequence[Finding]) -> bool:
    return any(each.state is State.FAILED for each in findings)


def _outcome(findings: Sequence[Finding]) -> Outcome:
    """Return what may become of a candidate of which nothing failed: the shadow comes before a person's word."""
    states = {each.state for each in findings}
    if State.AWAITED in states:
        return Outcome.SHADOW
    return Outcome.PERSON if State.PERSON in states else Outcome.PASSED
