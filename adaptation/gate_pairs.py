"""The scores of two models on the same organs of the same cases, side by side (pure)."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from adaptation.comparison import OrganComparison
from adaptation.evaluate import Score
from adaptation.evidence import Pair
from adaptation.limits import tolerance_mm

Value = Callable[[Score], float]


@dataclass(frozen=True)
class ScorePair:
    """One organ of one case, by both models."""

    current: Score
    candidate: Score

    @property
    def organ(self) -> str:
        """TG-263 name."""
        return self.current.organ

    @property
    def case(self) -> str:
        """Its name."""
        return self.current.case

    def gain(self, value: Value) -> float:
        """Return the candidate's value less that of the model in service; NaN where one has none."""
        return value(self.candidate) - value(self.current)


def dsc(score: Score) -> float:
    """Return the Dice coefficient."""
    return score.dice


def hd95_mm(score: Score) -> float:
    """Return the 95th percentile Hausdorff distance; NaN where nothing was found."""
    return score.comparison.hd95_mm


def surface_dsc(score: Score) -> float:
    """Return the surface DSC at the organ's tolerance."""
    return surface_dsc_of(score.comparison, score.organ)


def surface_dsc_of(comparison: OrganComparison, organ: str) -> float:
    """Return the surface DSC at an organ's tolerance; NaN where it was not taken at it."""
    return comparison.surface_dsc.get(tolerance_mm(organ), math.nan)


def side_by_side(pair: Pair) -> tuple[ScorePair, ...]:
    """Return what both models were judged on, in the order of the model in service."""
    candidate = {(score.case, score.organ): score for score in pair.candidate}
    return tuple(
        ScorePair(score, candidate[score.case, score.organ])
        for score in pair.current
        if (score.case, score.organ) in candidate
    )


def only_once(pair: Pair) -> tuple[tuple[str, str], ...]:
    """Return case and organ of what only one of the models was judged on, or one of them twice."""
    keys = [[(score.case, score.organ) for score in scores] for scores in (pair.current, pair.candidate)]
    odd = set(keys[0]) ^ set(keys[1]) | {key for some in keys for key in some if some.count(key) > 1}
    return tuple(sorted(odd))


def case_numbers(pair: Pair) -> dict[str, int]:
    """Return the number of each case, by which reports call it."""
    return {case: number for number, case in enumerate(dict.fromkeys(score.case for score in pair.current), start=1)}


def of_organs(pairs: Sequence[ScorePair], organs: Collection[str]) -> list[ScorePair]:
    """Return the pairs of some organs."""
    return [pair for pair in pairs if pair.organ in organs]


def gain_of_patients(pairs: Sequence[ScorePair], value: Value) -> list[float]:
    """Return each case's mean gain over its organs; NaN where one of them has none."""
    found: Mapping[str, list[float]] = {case: [] for case in dict.fromkeys(pair.case for pair in pairs)}
    for pair in pairs:
        found[pair.case].append(pair.gain(value))
    return [sum(gains) / len(gains) for gains in found.values()]
