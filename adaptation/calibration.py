"""What a model's scores mean: a line from score to Dice coefficient for each organ, through cases not learnt from.

The line is drawn by least squares, never falls, and is turned towards the mean as far as that predicts each case better
from the others. Ten cases rarely prove a slope: then the mean of the cases is the honest answer, and the slope is 0.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from adaptation.errors import CaseError
from adaptation.evaluate import judge_case
from adaptation.labelled_ct import Case
from segmentation.bundle import ExpectedDice
from segmentation.confidence import overlap_score
from segmentation.errors import GeometryError
from segmentation.predict import Predictor

LEAST_CASES = 3  # of an organ; two points always lie on a line
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the slope of least squares that are tried
DECIMALS = 4

Pair = tuple[float, float]
"""Score and Dice coefficient of one organ of one case."""


def calibrate(
    predictor: Predictor, cases: Sequence[Case], say: Callable[[str], None] = lambda _text: None
) -> dict[str, ExpectedDice]:
    """Return what a model's scores mean, by organ; an organ that was found in too few cases is left out.

    Args:
        predictor: the model, as it is written.
        cases: that it has not learnt from.
        say: told what is left out and what was found, a line each time.
    """
    pairs: dict[str, list[Pair]] = defaultdict(list)
    for case in cases:
        try:
            for organ, pair in pairs_of(predictor, case).items():
                pairs[organ].append(pair)
        except (CaseError, GeometryError) as error:
            say(f"{case.name} is left out: {error}")
    lines = {organ: line for organ in predictor.manifest.organs if (line := line_through(pairs[organ])) is not None}
    for organ, line in lines.items():
        say(f"{organ}: DSC {line.dice:.2f} in {line.cases} cases, slope {line.slope:.2f}, error {line.error:.2f}")
    return lines


def pairs_of(predictor: Predictor, case: Case) -> dict[str, Pair]:
    """Return score and Dice coefficient of each organ of a case that was drawn and is found.

    Raises:
        CaseError: it cannot be read.
        GeometryError: its planes are not axial.
    """
    labelled = case.load()
    found = predictor.predict(labelled.volume).organs
    scores = {organ: overlap_score(one) for organ, one in found.items()}
    judged = judge_case(case.name, found, labelled, predictor.manifest.organs)
    return {one.organ: (score, one.dice) for one in judged if (score := scores.get(one.organ)) is not None}


def line_through(pairs: Sequence[Pair]) -> ExpectedDice | None:
    """Return the line through the scores and Dice coefficients of an organ; None of too few cases."""
    if len(pairs) < LEAST_CASES:
        return None
    scores, dice = np.array(pairs, dtype=np.float64).T
    errors = {share: _error_of_each_by_the_others(scores, dice, share) for share in SHARES}
    share = min(SHARES, key=lambda each: errors[each])  # of equals the least
    return ExpectedDice(
        cases=len(pairs),
        score=round(float(scores.mean()), DECIMALS),
        dice=round(float(dice.mean()), DECIMALS),
        slope=round(share * rising_slope(scores, dice), DECIMALS),
        highest=round(float(scores.max()), DECIMALS),
        error=round(errors[share], DECIMALS),
    )


def rising_slope(scores: NDArray[np.float64], dice: NDArray[np.float64]) -> float:
    """Return the slope of least squares, 0 where it falls or all scores are alike."""
    apart = scores - scores.mean()
    squares = float(apart @ apart)
    return max(0.0, float(apart @ dice) / squares) if squares > 0 else 0.0


def _error_of_each_by_the_others(scores: NDArray[np.float64], dice: NDArray[np.float64], share: float) -> float:
    """Return the root of the mean squared error of a share of the slope, each case predicted from all others."""
    errors = []
    for index in range(len(scores)):
        others = np.arange(len(scores)) != index
        slope = share * rising_slope(scores[others], dice[others])
        expected = dice[others].mean() + slope * (scores[index] - scores[others].mean())
        errors.append(np.clip(expected, 0, 1) - dice[index])
    return float(np.sqrt(np.mean(np.square(errors))))
