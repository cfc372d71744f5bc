"""Years of looks at the gate by candidates of known gain, each judged by the gate itself.

A quick signed-rank test, by table, passes over looks that cannot let anything through; whatever might pass is given to
`adaptation.gate.judge`, so that every promotion that is counted is the gate's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from adaptation.evidence import Outcome
from adaptation.gate import judge
from adaptation.limits import GateLimits, LookLimits
from adaptation.looks import Look, next_share
from benchmarks.gate.patients import Population, gains_of
from tests.support.scores import evidence

START = datetime(2026, 1, 1, 22, tzinfo=UTC)
GATE, LOOKS = GateLimits(), LookLimits()


@dataclass(frozen=True)
class Passed:
    """What a look let through.

    Args:
        number: of the look, the first is 1; 0: none did.
        whole: whether all organs went over.
    """

    number: int
    whole: bool


NOTHING = Passed(0, whole=False)


@cache
def tail(count: int) -> NDArray[np.float64]:
    """Return the probability of each sum of positive ranks, or a larger one, of so many differences without ties."""
    ways = np.zeros(count * (count + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, count + 1):
        ways[rank:] += ways[:-rank].copy()
    return np.cumsum(ways[::-1])[::-1] / 2.0**count


def signed_rank_p(gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p of the one-sided Wilcoxon test along the last axis, exact where no two are equal."""
    ranks = np.abs(gains).argsort(axis=-1).argsort(axis=-1) + 1
    return tail(gains.shape[-1])[(ranks * (gains > 0)).sum(axis=-1)]


def look_at(gains: NDArray[np.float64], alpha: float) -> tuple[bool, bool]:
    """Return whether the gate lets anything through, and whether it is the whole; gains are (cases, organs)."""
    whole = signed_rank_p(gains.mean(axis=1)) <= (1 - GATE.organ_share) * alpha
    single = signed_rank_p(gains.T).min() <= GATE.organ_share * alpha / gains.shape[1]
    if not whole and not single:
        return False, False
    verdict = judge(evidence(gains, alpha=alpha), GATE)
    return verdict.outcome is not Outcome.REFUSED, not verdict.single


def year_of(gains: NDArray[np.float64], every_days: int = 1, limits: LookLimits = LOOKS) -> Passed:
    """Return what the first look that passed let through, of a year that ends with it.

    Args:
        gains: of the candidates of the nights on which there is a look, (nights, cases, organs).
        every_days: between two looks.
        limits: of the looks; no look is taken that may spend nothing.
    """
    past: list[Look] = []
    for number, candidate in enumerate(gains, start=1):
        at = START + timedelta(days=every_days * (number - 1))
        share = next_share(past, at, limits)
        if share.alpha == 0.0:
            return NOTHING
        passed, whole = look_at(candidate, share.alpha)
        if passed:
            return Passed(number, whole=whole)
        past.append(Look(at, share.alpha, promoted=False))
    return NOTHING


def years_of(
    count: int, cases: int, population: Population, seed: int, limits: LookLimits = LOOKS
) -> tuple[Passed, ...]:
    """Return what so many years of nightly looks let through."""
    rng = np.random.default_rng(seed)
    return tuple(year_of(gains_of(limits.looks + 1, cases, population, rng), limits=limits) for _ in range(count))


def without_budget(count: int, cases: int, population: Population, seed: int, nights: int = 365) -> float:
    """Return the share of years in which p fell below .05 on any night, by the patients' mean DSC alone."""
    rng = np.random.default_rng(seed)
    years = [signed_rank_p(gains_of(nights, cases, population, rng).mean(axis=2)).min() <= 0.05 for _ in range(count)]
    return float(np.mean(years))


def alphas(limits: LookLimits = LOOKS) -> Sequence[float]:
    """Return what each look of a year may spend where none lets anything through."""
    past: list[Look] = []
    for night in range(limits.looks):
        at = START + timedelta(days=night)
        past.append(Look(at, next_share(past, at, limits).alpha, promoted=False))
    return [look.alpha for look in past]


def power_at(alpha: float, count: int, cases: int, population: Population, seed: int) -> tuple[float, float]:
    """Return how often one look lets a candidate of known gain through, and how often the whole of it."""
    rng = np.random.default_rng(seed)
    looks = [look_at(gains_of(1, cases, population, rng)[0], alpha) for _ in range(count)]
    return float(np.mean([passed for passed, _ in looks])), float(
        np.mean([passed and whole for passed, whole in looks])
    )
