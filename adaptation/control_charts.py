"""Control charts: what a process does beside what it did, and the rules by which it has changed (pure).

Limits are three standard deviations of the mean of so many values (Shewhart 1931). Rules 1 to 8 are those of Nelson (J
Qual Technol 16:237, 1984), but for rule 2, which here takes eight in a row, as the Western Electric rules do.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev

SMALLEST_SIGMA = 0.01  # of a surface DSC: contours that were all left as they are vary not at all


@dataclass(frozen=True)
class Baseline:
    """What a process did.

    Args:
        centre: mean of its values.
        sigma: standard deviation of one value.
        count: of values.
    """

    centre: float
    sigma: float
    count: int

    def z(self, mean: float, count: int) -> float:
        """Return how many standard deviations the mean of so many values lies from the centre."""
        return (mean - self.centre) * math.sqrt(count) / self.sigma


@dataclass(frozen=True)
class Signal:
    """A rule that holds.

    Args:
        rule: its number, 1 to 8.
        place: of the last point that it takes in.
        is_low: whether it is about low values; None where it is about no side.
    """

    rule: int
    place: int
    is_low: bool | None


MEANING = {
    1: "one point beyond three standard deviations",
    2: "eight points in a row on one side of the centre",
    3: "six points in a row rising or falling",
    4: "fourteen points in a row going up and down in turn",
    5: "two of three points beyond two standard deviations",
    6: "four of five points beyond one standard deviation",
    7: "fifteen points in a row within one standard deviation",
    8: "eight points in a row beyond one standard deviation, on either side",
}


def baseline_of(values: Sequence[float]) -> Baseline | None:
    """Return what values of a process say of it; None where there are fewer than two."""
    if len(values) < 2:
        return None
    return Baseline(fmean(values), max(stdev(values), SMALLEST_SIGMA), len(values))


def signals_of(z: Sequence[float]) -> tuple[Signal, ...]:
    """Return every rule that holds at each point, in the order of the points.

    Args:
        z: distance of each point from the centre in standard deviations; NaN where there is none, and no rule reaches
            across that.
    """
    found = []
    for place in range(len(z)):
        for rule, (length, holds) in SIDED.items():
            window = z[max(0, place + 1 - length) : place + 1]
            found += [
                Signal(rule, place, is_low=sign < 0)
                for sign in (1, -1)
                if len(window) == length and holds([sign * value for value in window])
            ]
        for rule, (length, holds) in SIDELESS.items():
            window = z[max(0, place + 1 - length) : place + 1]
            found += [Signal(rule, place, None)] if len(window) == length and holds(list(window)) else []
    return tuple(sorted(found, key=lambda each: (each.place, each.rule)))


Rule = tuple[int, Callable[[Sequence[float]], bool]]


def _several_beyond(needed: int, limit: float) -> Callable[[Sequence[float]], bool]:
    """Return the rule that so many points lie beyond a limit, the last one among them."""
    return lambda z: z[-1] > limit and sum(value > limit for value in z) >= needed and not any(map(math.isnan, z))


def _steps(z: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(z)]


SIDED: dict[int, Rule] = {
    1: (1, lambda z: z[0] > 3),
    2: (8, lambda z: all(value > 0 for value in z)),
    3: (6, lambda z: all(step > 0 for step in _steps(z))),
    5: (3, _several_beyond(2, 2)),
    6: (5, _several_beyond(4, 1)),
}
"""Rule to the points that it takes in, and whether it holds on the high side; the low side is the same upside down."""

SIDELESS: dict[int, Rule] = {
    4: (14, lambda z: all(one * other < 0 for one, other in pairwise(_steps(z)))),
    7: (15, lambda z: all(abs(value) < 1 for value in z)),
    8: (8, lambda z: all(abs(value) > 1 for value in z)),
}
