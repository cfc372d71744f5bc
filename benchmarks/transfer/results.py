"""What the cells reached, read from their files, and how two of them compare."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adaptation.statistics import paired
from benchmarks.transfer.cells import Cell

Dices = dict[str, dict[str, float]]
ALL = "mean of the organs"


@dataclass(frozen=True, eq=False)
class Result:
    """What one cell reached.

    Args:
        steps: of training; 0 for a bundle that was there already.
        cpu_seconds: of training.
        curve: step to CPU seconds so far and mean Dice of the looked-at cases, before post-processing.
        dices: case to organ to Dice.
        at_home: the same of the source centre's cases that were kept apart.
        seconds_a_slice: CPU, from HU to masks.
        parameters: of the network.
    """

    steps: int
    cpu_seconds: float
    curve: dict[int, tuple[float, float]]
    dices: Dices
    at_home: Dices
    seconds_a_slice: float
    parameters: int


class Results:
    """The results of a folder; a cell that has none is None.

    Args:
        folder: a folder a cell.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, cell: Cell) -> Result | None:
        """Return a cell's result."""
        path = self.folder / cell.name / "result.json"
        if not path.exists():
            return None
        read = json.loads(path.read_text(encoding="utf-8"))
        return Result(
            steps=read["steps"],
            cpu_seconds=read["cpu_seconds"],
            curve={int(step): (values[0], values[1]) for step, values in read["curve"].items()},
            dices=read["dice"],
            at_home=read["dice_at_home"],
            seconds_a_slice=read["cpu_seconds_a_slice"],
            parameters=read["parameters"],
        )


def values(dices: Dices, organ: str) -> list[float]:
    """Return the Dice of an organ, or the mean over each case's organs, a case each; NaN where it was not drawn."""
    if organ == ALL:
        return [float(np.mean(list(of_case.values()))) for of_case in dices.values()]
    return [of_case.get(organ, float("nan")) for of_case in dices.values()]


def mean(dices: Dices, organ: str = ALL) -> float:
    """Return the mean Dice of an organ; for all of them the mean of the organs' means, as the paper has it."""
    if organ == ALL:
        return float(np.mean([mean(dices, one) for one in organs_of(dices)]))
    return float(np.nanmean(values(dices, organ)))


def organs_of(dices: Dices) -> list[str]:
    """Return the organs that were drawn in any case, in the order of the first that has each."""
    return list(dict.fromkeys(organ for of_case in dices.values() for organ in of_case))


def p_better(one: Dices, other: Dices, organ: str) -> float:
    """Return how likely chance alone makes the first look so much better; one-sided Wilcoxon, not corrected."""
    return paired(values(one, organ), values(other, organ), higher_is_better=True).p


def wins(one: Dices, other: Dices, organs: Sequence[str]) -> int:
    """Return in how many organs the first is better with p < .05."""
    return sum(p_better(one, other, organ) < 0.05 for organ in organs)
