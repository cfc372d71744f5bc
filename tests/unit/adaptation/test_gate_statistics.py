"""A small part of `python -m benchmarks.gate`, the same each time."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from benchmarks.gate.looks import alphas, power_at, signed_rank_p, without_budget, years_of
from benchmarks.gate.patients import Population, gains_of


def test_the_quick_test_is_that_of_scipy():
    """The table of the simulation and the gate's own test agree."""
    gains = np.random.default_rng(1).normal(0.3, 1, (6, 20))

    expected = [wilcoxon(of, alternative="greater").pvalue for of in gains]
    assert signed_rank_p(gains) == pytest.approx(expected)


def test_gains_spread_as_is_said():
    """.015 for a patient's mean, .02 for the brainstem, .06 for the pituitary; two nights alike as asked."""
    gains = gains_of(2, 20_000, Population(gain=0.01, alike=0.5), np.random.default_rng(1))

    assert gains.mean(axis=2).std() == pytest.approx(0.015, rel=0.02)
    assert gains[0].std(axis=0)[[0, 3]] == pytest.approx([0.02, 0.06], rel=0.02)
    assert gains.mean() == pytest.approx(0.01, abs=0.0005)
    assert np.corrcoef(gains[0, :, 0], gains[1, :, 0])[0, 1] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "population", [Population(), Population(alike=0.5), Population(alike=0.9), Population(alike=0.5, shape="failing")]
)
def test_a_year_of_equal_models_is_rarely_wrong(population):
    """Of 400 years of nightly looks at most 5 % let anything through, with 20 cases of the gate."""
    wrong = sum(year.number > 0 for year in years_of(400, 20, population, seed=7))

    assert wrong <= 0.05 * 400


def test_a_year_without_a_budget_is_mostly_wrong():
    """What the budget is for: p falls below .05 on some night of nearly every year, of most where nights are alike."""
    assert without_budget(50, 20, Population(), seed=7) > 0.95
    assert without_budget(50, 20, Population(alike=0.5), seed=7) > 0.5


def test_a_large_gain_is_seen_and_a_small_one_by_more_cases():
    """At the first look +.02 by twenty cases nearly always, +.01 by thirty more often than by twenty."""
    first = alphas()[0]
    seen = {
        (gain, cases): power_at(first, 60, cases, Population(gain), seed=7)[0]
        for gain, cases in ((0.02, 20), (0.01, 20), (0.01, 30))
    }

    assert seen[0.02, 20] > 0.97
    assert 0.4 < seen[0.01, 20] < seen[0.01, 30]
