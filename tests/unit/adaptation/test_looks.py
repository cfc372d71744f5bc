import math
from datetime import UTC, datetime, timedelta

import pytest

from adaptation.limits import LookLimits
from adaptation.looks import Look, is_worth_a_look, next_share

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = LookLimits()


def take(nights, limits=LIMITS, promoting=()):
    """Return the looks of nights, given as days from the start; those whose place is in `promoting` promote."""
    looks = []
    for place, night in enumerate(nights):
        at = START + timedelta(days=night)
        looks.append(Look(at, next_share(looks, at, limits).alpha, place in promoting))
    return looks


def test_twenty_looks_spend_the_alpha_of_a_year():
    """All of it and no more, the first look most."""
    alphas = [look.alpha for look in take(range(20))]

    assert sum(alphas) == pytest.approx(0.05)
    assert alphas == sorted(alphas, reverse=True)
    assert alphas[0] == pytest.approx(0.05 / sum(1 / k for k in range(1, 21)))


def test_looks_get_the_same_where_none_is_put_first():
    """With a front of 0 each of twenty looks spends .0025."""
    assert [look.alpha for look in take(range(20), LookLimits(front=0))] == pytest.approx([0.0025] * 20)


def test_the_twenty_first_look_of_a_year_spends_nothing():
    """And it is said when there is one again: a year after the first."""
    share = next_share(take(range(20)), START + timedelta(days=30), LIMITS)

    assert (share.alpha, share.again) == (0.0, START + timedelta(days=365))


@pytest.mark.parametrize(
    "nights", [range(1500), range(0, 1500, 7), range(0, 1500, 19), [0, 1, 2, 364, *range(365, 1100, 3)]]
)
def test_no_year_spends_more_than_its_alpha(nights):
    """Whichever year is looked back on, and however the looks are spread."""
    looks = take(nights)

    within = [
        [look.alpha for look in looks if end.at - timedelta(days=365) < look.at <= end.at and look.alpha]
        for end in looks
    ]
    assert max(sum(alphas) for alphas in within) <= 0.05 + 1e-12
    assert max(len(alphas) for alphas in within) <= 20


def test_promotion_gives_its_alpha_back():
    """The look after a promotion may spend what that one spent, though there is one look fewer."""
    looks = take([0, 8], promoting={0})

    assert looks[1].alpha == pytest.approx(looks[0].alpha)
    assert next_share(looks, START + timedelta(days=9), LIMITS).number == 3


def test_looks_after_a_clock_was_set_back_still_count():
    """A look that seems to be in the future was taken."""
    looks = take(range(20))

    assert next_share(looks, START - timedelta(days=1), LIMITS).alpha == 0.0


@pytest.mark.parametrize(("gain", "worth"), [(0.001, True), (0.0, False), (-0.01, False), (math.nan, False)])
def test_a_candidate_that_tunes_no_better_takes_no_look(gain, worth):
    """What gains nothing on the tuning cases would only spend."""
    assert is_worth_a_look(gain, LIMITS) is worth
