import math

import numpy as np
import pytest

from adaptation.control_charts import SMALLEST_SIGMA, baseline_of, signals_of


def rules_at_end(z):
    return {(each.rule, each.is_low) for each in signals_of(z) if each.place == len(z) - 1}


@pytest.mark.parametrize(
    ("z", "rule", "is_low"),
    [
        ([0.1, -3.1], 1, True),
        ([0.1, 3.1], 1, False),
        ([-0.1] * 8, 2, True),
        ([0.6, 0.4, 0.2, 0.1, -0.3, -0.5], 3, True),
        ([0.5, -0.5] * 7, 4, None),
        ([-2.1, 0.5, -2.1], 5, True),
        ([-1.1, -1.1, 0.0, -1.1, -1.1], 6, True),
        ([0.5, -0.4, 0.1] * 5, 7, None),
        ([1.5, -1.5, 1.2, 1.1, -1.5, 1.6, -1.1, -1.2], 8, None),
    ],
)
def test_each_rule_is_seen_when_it_holds(z, rule, is_low):
    """And on the side on which it does."""
    assert (rule, is_low) in rules_at_end(z)


@pytest.mark.parametrize(
    ("z", "rule"),
    [
        ([0.1, -2.9], 1),
        ([-0.1] * 7, 2),
        ([-0.1] * 4 + [0.1] + [-0.1] * 3, 2),
        ([0.6, 0.4, 0.2, 0.3, -0.3, -0.5], 3),
        ([0.5, -0.5] * 6 + [0.5], 4),
        ([-2.1, -2.1, 0.5], 5),
        ([-2.1, 0.5, 2.1], 5),
        ([-1.1, -1.1, 0.0, 0.0, -1.1], 6),
        ([0.5, -0.4, 0.1] * 4 + [0.5, -0.4], 7),
        ([1.5, -1.5, 1.2, 0.9, -1.5, 1.6, -1.1, -1.2], 8),
    ],
)
def test_no_rule_is_seen_when_it_just_does_not_hold(z, rule):
    """One point fewer, or one of them within."""
    assert rule not in {each for each, _ in rules_at_end(z)}


def test_no_rule_reaches_across_a_gap():
    """Seven low points, a week without a baseline, and one more are not eight in a row."""
    assert rules_at_end([-0.1] * 7 + [math.nan] + [-0.1]) == set()


def test_a_steady_process_rarely_signals_by_the_rules_that_alarm():
    """Of 20,000 points of noise one in a hundred or fewer by rules 1, 2 and 5 on the low side."""
    z = np.random.default_rng(1).standard_normal(20_000).tolist()

    alarms = {each.place for each in signals_of(z) if each.is_low and each.rule in {1, 2, 5}}
    assert len(alarms) / len(z) < 0.01


def test_values_that_never_vary_still_have_a_spread():
    """Contours that were all left as they are do not make the first edit an alarm of its own."""
    baseline = baseline_of([1.0] * 30)

    assert (baseline.centre, baseline.sigma) == (1.0, SMALLEST_SIGMA)


def test_a_mean_of_more_values_is_more_certain():
    """Four values lie twice as many standard deviations away as one does."""
    baseline = baseline_of([0.8, 0.9, 1.0])

    assert baseline.z(0.8, 4) == pytest.approx(2 * baseline.z(0.8, 1)) == pytest.approx(-2)
    assert baseline_of([0.9]) is None
