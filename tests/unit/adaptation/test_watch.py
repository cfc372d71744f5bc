from dataclasses import replace
from datetime import timedelta

import pytest

from adaptation.case_record import Ruling, Status
from adaptation.limits import WatchLimits
from adaptation.watch import charts_of, concerns_of
from tests.support.approvals import START, approvals, steady

LIMITS = WatchLimits()
AFTER = timedelta(days=2)  # a look on the Wednesday after the last week


def later(weeks):
    return START + timedelta(weeks=weeks)


def kinds(records, weeks):
    return [concern.kind for concern in concerns_of(records, later(weeks) + AFTER, LIMITS)]


def test_a_steady_department_worries_nobody():
    """Thirty weeks of the same."""
    assert kinds(approvals(steady(150)), 30) == []


def test_physicians_who_change_more_are_noticed_within_a_week():
    """A week whose mean is three standard deviations low is an alarm and a reason to go back, with both numbers."""
    records = approvals([*steady(100), *steady(5, mean=0.8)])

    (concern,) = concerns_of(records, later(21) + AFTER, LIMITS)
    assert (concern.kind, concern.about, concern.goes_back) == ("drift", "Parotid_L", True)
    assert "surface DSC 0.8" in concern.text
    assert "0.898 before" in concern.text
    assert "one point beyond three standard deviations" in concern.text


def test_a_slow_decline_is_noticed_too():
    """Nine weeks a little below the centre: no week is far off, eight in a row are enough."""
    assert "drift" in kinds(approvals([*steady(100), *[0.888] * 45]), 29)


def test_physicians_who_change_less_are_no_alarm():
    """Better is shown on the chart, and wakes nobody."""
    records = approvals([*steady(100, mean=0.8), *steady(20, mean=0.9)])

    assert kinds(records, 24) == []
    assert [each for chart in charts_of(records, later(24), LIMITS) for each in chart.signals if not each.is_low]


def test_a_decline_does_not_become_the_measure():
    """Ten low weeks in a row are an alarm still: what is low is not counted among what is usual."""
    (concern,) = concerns_of(approvals([*steady(60), *steady(50, mean=0.8)]), later(22) + AFTER, LIMITS)

    assert "0.899 before" in concern.text


def test_an_alarm_ends_with_its_cause():
    """A low week that is three weeks ago is history."""
    records = approvals([*steady(100), *steady(5, mean=0.8)])

    assert kinds(records, 24) == []


def test_a_week_that_is_not_over_is_not_judged():
    """Its point comes when it is."""
    records = approvals([*steady(100), *steady(5, mean=0.8)])

    assert kinds(records, 20) == []


def test_few_cases_make_no_chart():
    """Nineteen cases, then a disaster: nothing to measure it by."""
    assert kinds(approvals([*steady(15), *steady(5, mean=0.5)]), 4) == []


def test_a_new_version_is_measured_by_the_one_before():
    """Until it has twenty cases of its own, so that a worse model is seen at once."""
    old = approvals(steady(100))
    new = approvals(steady(5, mean=0.8, seed=2), model="v2", start=later(20))

    assert kinds([*old, *new], 21) == ["drift"]


def test_a_better_version_sets_its_own_measure():
    """Once it has twenty cases, a fall to what the old one did is a decline."""
    old = approvals(steady(100, mean=0.8))
    new = approvals([*steady(40, mean=0.95, sd=0.01), *steady(5, mean=0.8)], model="v2", start=later(20))

    assert kinds([*old, *new], 29) == ["drift"]


def test_one_scanner_is_noticed_among_several():
    """Its own chart tells what the chart of all may not; it is no reason to take the model back everywhere."""
    good = approvals(steady(300), per_week=10)
    bad = approvals([*steady(58, seed=2), *steady(2, mean=0.78, seed=3)], scanner="scanner2", per_week=2)

    found = [each for each in concerns_of([*good, *bad], later(30) + AFTER, LIMITS) if "scanner2" in each.about]
    assert [(each.kind, each.goes_back) for each in found] == [("drift", False)]


def test_too_much_left_untouched_is_an_alarm():
    """More than 95 in a hundred of an organ's contours of four weeks: perhaps nobody looks any more."""
    records = approvals([0.99] * 40, per_week=10, untouched=1.0)

    (concern,) = concerns_of(records, later(4) - timedelta(days=3), LIMITS)
    assert (concern.kind, concern.goes_back) == ("untouched", False)
    assert "100% of the contours of the last 28 days were approved untouched" in concern.text


def test_contours_that_are_suddenly_edited_are_an_alarm():
    """From half of them untouched to none, though each edit is small."""
    before = approvals(steady(60), untouched=0.5)
    after = approvals(steady(20, seed=5), untouched=0.0, start=later(12))

    found = concerns_of([*before, *after], later(16), LIMITS)
    assert [(each.kind, each.goes_back) for each in found if each.kind != "drift"] == [("edited more", True)]


def test_few_contours_have_no_share():
    """Nineteen untouched contours are no alarm."""
    assert kinds(approvals([0.99] * 19, untouched=1.0), 4) == []


def test_rejected_cases_do_not_count():
    """A person said that their contours are wrong; they say nothing of ours."""
    low = [
        replace(one, history=(Ruling(one.filed, Status.REJECTED, "physicist", "wrong patient"),))
        for one in approvals(steady(5, mean=0.3), start=later(20))
    ]

    assert kinds([*approvals(steady(100)), *low], 21) == []


@pytest.mark.parametrize("records", [[], approvals(steady(5))])
def test_a_store_with_little_in_it_worries_nobody(records):
    """And nothing fails."""
    assert concerns_of(records, later(3), LIMITS) == ()


def test_a_concern_names_the_versions_that_drew():
    """Of the weeks that the rule takes in, and of no other: whoever goes back must know from what."""
    before, low = approvals(steady(100), model="v1"), approvals(steady(5, mean=0.8), model="v2", start=later(20))

    (concern,) = concerns_of([*before, *low], later(21) + AFTER, LIMITS)

    assert concern.models == ("v2",)
    assert concern.text.endswith("; drawn by v2")


def test_a_week_of_two_versions_is_about_both():
    """Nobody can say of which."""
    low = [*approvals(steady(3, mean=0.8), model="v2", start=later(20)), *approvals(steady(3, 0.8), start=later(20))]

    (concern,) = concerns_of([*approvals(steady(100)), *low], later(21) + AFTER, LIMITS)

    assert concern.models == ("v1", "v2")


def test_a_slow_decline_is_about_all_of_its_weeks():
    """Eight weeks in a row, of which the last one alone was drawn by the new version, are not the new version's."""
    low = [0.888] * 45
    records = [
        *approvals([*steady(100), *low[:40]]),
        *approvals(low[40:], model="v2", start=later(28)),
    ]

    (concern,) = concerns_of(records, later(29) + AFTER, LIMITS)

    assert concern.models == ("v1", "v2")


def test_what_is_edited_more_names_the_versions_of_its_days():
    """Those of the 28 days, not those of the time before."""
    records = [
        *approvals(steady(60), untouched=0.8, start=later(0)),
        *approvals(steady(20), untouched=0.2, model="v2", start=later(12)),
    ]

    found = [one for one in concerns_of(records, later(16), LIMITS) if one.kind == "edited more"]

    assert [one.models for one in found] == [("v2",)]
