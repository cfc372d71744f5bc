"""Whether what a model says of its contours before anybody looks foretells their Dice coefficient (pure)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adaptation.evaluate import Score

GOOD_DSC = 0.7  # from which an overlap is often called good (Zijdenbos et al., IEEE Trans Med Imaging 13:716, 1994)
ALL = "all organs"


@dataclass(frozen=True)
class Said:
    """What a model said of one organ that it drew.

    Args:
        expected_dice: by its calibration; NaN of an organ that it is not calibrated for.
        doubted: whether the organ looked implausible.
    """

    expected_dice: float
    doubted: bool


@dataclass(frozen=True)
class Group:
    """Organs of which the model said the same.

    Args:
        count: of them.
        dice: mean Dice coefficient that they had; NaN of none.
    """

    count: int
    dice: float


@dataclass(frozen=True)
class Foretold:
    """What was said of one organ, and what it had, over the cases in which it was drawn and found.

    Args:
        organ: TG-263 name, or all organs together.
        expected: in how many cases a Dice coefficient was expected.
        error: mean absolute difference between what was expected and what it had; NaN where nothing was expected.
        correlation: of the two (Pearson); NaN where either is the same in all cases.
        below: those of which less was expected than the threshold.
        above: those of which no less was expected.
        doubted: those that looked implausible.
        undoubted: the others.
    """

    organ: str
    expected: int
    error: float
    correlation: float
    below: Group
    above: Group
    doubted: Group
    undoubted: Group


Key = tuple[str, str]
"""Case and organ."""


def foretold(scores: Sequence[Score], said: Mapping[Key, Said], threshold: float) -> tuple[Foretold, ...]:
    """Return for each organ, and for all together, what the words of a model were worth; nothing where it had none.

    Args:
        scores: of the model; an organ that it did not find is not looked at, as nothing was said of it.
        said: of the organs that it drew.
        threshold: of the expected Dice coefficient.
    """
    known = [score for score in scores if score.is_found and (score.case, score.organ) in said]
    organs = {
        organ: [score for score in known if score.organ == organ] for organ in dict.fromkeys(s.organ for s in known)
    }
    if not known:
        return ()
    return tuple(_one(organ, some, said, threshold) for organ, some in {**organs, ALL: known}.items())


def _one(organ: str, scores: Sequence[Score], said: Mapping[Key, Said], threshold: float) -> Foretold:
    dice = np.array([score.dice for score in scores])
    expected = np.array([said[score.case, score.organ].expected_dice for score in scores])
    doubted = np.array([said[score.case, score.organ].doubted for score in scores])
    there = np.isfinite(expected)
    return Foretold(
        organ=organ,
        expected=int(there.sum()),
        error=float(np.abs(expected - dice)[there].mean()) if there.any() else math.nan,
        correlation=_correlation(expected[there].tolist(), dice[there].tolist()),
        below=_group(dice[expected < threshold].tolist()),
        above=_group(dice[expected >= threshold].tolist()),
        doubted=_group(dice[doubted].tolist()),
        undoubted=_group(dice[~doubted].tolist()),
    )


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    if len(set(one)) < 2 or len(set(other)) < 2:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _group(dice: Sequence[float]) -> Group:
    return Group(len(dice), float(np.mean(dice)) if dice else math.nan)
