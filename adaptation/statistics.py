"""Means with intervals, and whether one model is better than another on the same cases (pure)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

DRAWS = 10_000  # of the bootstrap: the ends of an interval are then certain to a hundredth of its width
SEED = 20230
COVERED = 0.95
FEWEST = 5  # pairs: with fewer no one-sided Wilcoxon test can fall below .05


@dataclass(frozen=True)
class Summary:
    """Values of several cases; NaN where there are none.

    Args:
        count: of values.
        mean: of them.
        sd: their standard deviation, of a sample; NaN for one.
        low: lower end of the 95 % bootstrap interval of the mean.
        high: upper end.
    """

    count: int
    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """What two models differ by on the same cases.

    Args:
        summary: of the differences, the first model less the second.
        p: one-sided Wilcoxon signed-rank test that the first is better, not corrected for the number of organs; NaN for
            fewer than 5 pairs; 1 where no case differs.
    """

    summary: Summary
    p: float


def summarised(values: Sequence[float]) -> Summary:
    """Return the mean of values and how certain it is; those that are NaN are not counted."""
    finite = np.array([value for value in values if math.isfinite(value)])
    if not len(finite):
        return Summary(0, math.nan, math.nan, math.nan, math.nan)
    low, high = _interval(finite)
    sd = float(finite.std(ddof=1)) if len(finite) > 1 else math.nan
    return Summary(len(finite), float(finite.mean()), sd, low, high)


def paired(first: Sequence[float], second: Sequence[float], *, higher_is_better: bool) -> Paired:
    """Return the difference of two models case by case; a case in which either has no value is not counted.

    Args:
        first: values of the model that might be better, a case each.
        second: values of the other on the same cases in the same order.
        higher_is_better: of the metric.
    """
    differences = np.subtract(first, second)
    differences = differences[np.isfinite(differences)]
    summary = summarised(differences.tolist())
    if len(differences) < FEWEST:
        return Paired(summary, math.nan)
    if not differences.any():
        return Paired(summary, 1.0)
    test = wilcoxon(differences, alternative="greater" if higher_is_better else "less")
    return Paired(summary, float(test.pvalue))


def lower_bound(values: Sequence[float]) -> float:
    """Return what the mean of values is above with 95 % confidence; NaN where there are none, or where one is NaN."""
    if not len(values):
        return math.nan
    return float(np.quantile(_means(np.array(values)), 1 - COVERED))


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean (Efron 1979), the same for the same values."""
    ends = np.quantile(_means(values), [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return float(ends[0]), float(ends[1])


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each draw of the bootstrap."""
    means: NDArray[np.float64] = values[_drawn(len(values))].mean(axis=1)
    return means


@lru_cache(maxsize=4)  # the organs of an evaluation have as many cases each, or nearly
def _drawn(count: int) -> NDArray[np.int64]:
    """Return which of so many values are drawn, (draws, count)."""
    return np.random.default_rng(SEED).integers(count, size=(DRAWS, count))
