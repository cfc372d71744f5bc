"""A model on cases with drawn organs: Dice by organ, on the CT's own grid, through the whole way of prediction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from adaptation.labelled_ct import Case
from adaptation.metrics import dice
from segmentation.predict import Predictor


@dataclass(frozen=True)
class Score:
    """One organ of one case.

    Args:
        case: its name.
        organ: TG-263 name.
        dice: coefficient; 0 where the model did not find what was drawn.
    """

    case: str
    organ: str
    dice: float


def evaluate(
    predictor: Predictor, cases: Sequence[Case], report: Callable[[list[Score]], None] = lambda _scores: None
) -> list[Score]:
    """Return the scores of every organ that was drawn and that the model knows.

    Args:
        predictor: the model.
        cases: which it has not learnt from.
        report: told the scores of each case.
    """
    scores = []
    for case in cases:
        labelled = case.load()
        found = predictor.predict(labelled.volume).organs
        of_case = [
            Score(case.name, organ, dice(found[organ].full() if organ in found else np.zeros_like(mask), mask))
            for organ, mask in labelled.masks.items()
            if organ in predictor.manifest.organs and mask.any()
        ]
        report(of_case)
        scores += of_case
    return scores


def mean_by_organ(scores: Sequence[Score]) -> dict[str, float]:
    """Return the mean Dice of each organ."""
    organs = dict.fromkeys(score.organ for score in scores)
    return {organ: float(np.mean([score.dice for score in scores if score.organ == organ])) for organ in organs}
