import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adaptation.case_record import Origin, Ruling, Status, Structure
from adaptation.errors import AdaptationError
from adaptation.limits import WatchLimits
from adaptation.month_page import month_page
from adaptation.month_report import encoded_month, report_of_month
from adaptation.months import end_of, month_before
from tests.support.approvals import START, approvals, steady

LIMITS = WatchLimits()


def department():
    """Return half a year of two organs and two scanners, in the last weeks of which one organ gets worse."""
    good = approvals(steady(100, seed=1), organ="Brainstem")
    worse = approvals([*steady(100, seed=2), *steady(30, mean=0.8, seed=3)])
    other = approvals(steady(50, seed=4), scanner="scanner2", per_week=2)
    return [*good, *worse, *other]


def test_a_month_is_counted_by_organ_and_scanner():
    """Cases, contours and medians of that month only."""
    report = report_of_month(department(), "2025-06", LIMITS)

    parotid = next(row for row in report.organs if row.organ == "Parotid_L")
    assert {row.scanner for row in report.scanners} == {"scanner1", "scanner2"}
    assert parotid.count == sum(row.count for row in report.scanners if row.organ == "Parotid_L")
    assert 0.75 < parotid.medians["surface_dsc"] < 0.9
    assert parotid.medians["dsc"] == pytest.approx(0.5 + parotid.medians["surface_dsc"] / 2)


def test_what_came_after_the_month_does_not_count():
    """The report of a month is the same whenever it is made."""
    early = [record for record in department() if record.filed < end_of("2025-04")]

    assert report_of_month(department(), "2025-04", LIMITS) == report_of_month(early, "2025-04", LIMITS)


def test_a_worry_stands_above_everything_else():
    """On the page and in the JSON, in the same words."""
    report = report_of_month(department(), "2025-06", LIMITS)
    page = month_page(report)

    assert [concern.kind for concern in report.concerns if concern.about == "Parotid_L"] == ["drift"]
    assert page.index(report.concerns[0].text) < page.index("<h2>By organ</h2>")
    assert (
        json.loads(json.dumps(encoded_month(report), allow_nan=False))["concerns"][0]["text"] == report.concerns[0].text
    )


def test_a_worry_of_one_week_is_in_the_report_of_its_month():
    """Physicians changed much in the first week of March and as ever in the others."""
    records = approvals([*steady(40), *steady(5, mean=0.8), *steady(60, seed=3)])

    assert [one.kind for one in report_of_month(records, "2025-03", LIMITS).concerns] == ["drift"]
    assert report_of_month(records, "2025-04", LIMITS).concerns == ()


def blind(records):
    """Return cases as if nobody had seen ours."""
    return [
        replace(
            record,
            patient=f"blind{record.patient}",
            structures={organ: Structure(Origin.DE_NOVO, blind=one.edit) for organ, one in record.structures.items()},
            model_digest="",
        )
        for record in records
    ]


def test_what_was_contoured_blind_stands_beside_what_was_shown():
    """Of the last twelve months, in no chart, with medians of its own; what a person rejected does not count."""
    shown, hidden = approvals([0.9] * 80), blind(approvals([0.8] * 30, per_week=2))
    hidden[0] = replace(hidden[0], history=(Ruling(START, Status.REJECTED, "physicist", "wrong"),))

    report = report_of_month([*shown, *hidden], "2025-04", LIMITS)

    [row] = report.blind
    assert report.blind_cases == 5
    assert (row.organ, row.count, row.shown_count) == ("Parotid_L", 29, 80)
    assert (row.medians["surface_dsc"], row.shown["surface_dsc"]) == (0.8, 0.9)
    assert report.charts == report_of_month(shown, "2025-04", LIMITS).charts
    assert "Blind and shown" in month_page(report)
    assert json.loads(json.dumps(encoded_month(report), allow_nan=False))["blind"][0]["medians"]["dsc"] == 0.9


def test_what_was_contoured_blind_more_than_a_year_ago_is_not_shown():
    """A page without a blind contour says no more than that there was none."""
    report = report_of_month(blind(approvals([0.8] * 5)), "2026-01", LIMITS)

    assert (report.blind_cases, report.blind) == (0, ())
    assert "Blind and shown" not in month_page(report)
    assert report_of_month(blind(approvals([0.8] * 5)), "2025-12", LIMITS).blind[0].count == 5


def test_page_names_no_patient_and_needs_no_other_file():
    """Not even by a pseudonym."""
    page = month_page(report_of_month(department(), "2025-06", LIMITS))

    assert "v1scanner1250106" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_a_month_without_cases_makes_a_page_too():
    """Nothing came back, and it says so."""
    page = month_page(report_of_month([], "2025-06", LIMITS))

    assert "0 cases came back approved" in page
    assert "Nothing calls for attention." in page


@pytest.mark.parametrize("text", ["2025-13", "June", "", "2025-06-01"])
def test_what_is_no_month_is_refused(text):
    """In words that show how to write one."""
    with pytest.raises(AdaptationError, match="no month, as 2026-03 is"):
        report_of_month([], text, LIMITS)


def test_the_month_before_is_the_last_that_is_over():
    """Across a year, and on the last day of a long month."""
    assert month_before(datetime(2026, 1, 1, 7, tzinfo=UTC)) == "2025-12"
    assert month_before(datetime(2026, 3, 31, 7, tzinfo=UTC)) == "2026-02"
    assert end_of("2025-12") - timedelta(days=1) == datetime(2025, 12, 31, tzinfo=UTC)
    assert end_of("2025-01") > START
