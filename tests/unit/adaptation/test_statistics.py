import math

import numpy as np
import pytest

from adaptation.statistics import paired, summarised

VALUES = [0.70, 0.74, 0.78, 0.82, 0.71, 0.76, 0.80, 0.69]


def test_mean_and_deviation_are_those_of_a_sample():
    """Deviation with n - 1, as SPSS and the paper have it; a value that is none is not counted."""
    summary = summarised([*VALUES, math.nan])

    assert (summary.count, summary.mean) == (8, pytest.approx(0.75))
    assert summary.sd == pytest.approx(np.std(VALUES, ddof=1))
    assert 0.69 < summary.low < 0.75 < summary.high < 0.82


def test_interval_covers_the_true_mean_as_often_as_it_says():
    """Of 200 samples of 20, drawn from a mean of 1, nineteen in twenty intervals hold it, a bootstrap's bias aside."""
    rng = np.random.default_rng(5)
    summaries = [summarised(rng.normal(1, 0.3, 20).tolist()) for _ in range(200)]

    assert 0.88 <= np.mean([one.low <= 1 <= one.high for one in summaries]) <= 0.98


def test_interval_is_the_same_whenever_it_is_asked_for():
    """A report can be made again."""
    assert summarised(VALUES) == summarised(VALUES)


@pytest.mark.parametrize("values", [[], [math.nan]])
def test_no_values_have_no_mean(values):
    """And nothing fails."""
    summary = summarised(values)

    assert summary.count == 0
    assert math.isnan(summary.mean)


def test_model_that_is_better_in_every_case_is_better():
    """Eight of eight: p is 1 / 256, the other way round 1."""
    better = [value + 0.01 * (1 + place) for place, value in enumerate(VALUES)]

    assert paired(better, VALUES, higher_is_better=True).p == pytest.approx(1 / 256)
    assert paired(VALUES, better, higher_is_better=True).p == pytest.approx(1.0)
    assert paired(VALUES, better, higher_is_better=False).p == pytest.approx(1 / 256)


def test_wilcoxon_is_that_of_the_table():
    """Six pairs, ranks 1 and 2 against: five of 64 patterns of signs are as good or better."""
    differences = [-0.1, -0.2, 0.3, 0.4, 0.5, 0.6]

    assert paired(differences, [0.0] * 6, higher_is_better=True).p == pytest.approx(5 / 64)


def test_equal_models_are_not_better():
    """Where no case differs there is nothing to test."""
    same = paired(VALUES, VALUES, higher_is_better=True)

    assert (same.p, same.summary.mean, same.summary.low) == (1.0, 0.0, 0.0)


def test_four_pairs_prove_nothing():
    """With so few no p below .05 is possible, so none is given."""
    assert math.isnan(paired(VALUES[:4], [0.0] * 4, higher_is_better=True).p)
