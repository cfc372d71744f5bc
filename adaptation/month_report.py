"""What a month's approved contours say of ours: by organ and by scanner, and what a person must look at (pure)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from adaptation.case_record import CaseRecord, Edit, Status
from adaptation.limits import WatchLimits
from adaptation.months import end_of, month_of
from adaptation.watch import (
    ALL_SCANNERS,
    Approved,
    Chart,
    Concern,
    approved_organs,
    charts_of,
    concerns_of,
    untouched_share,
)

MEASURES: Mapping[str, Callable[[Edit], float]] = {
    "surface_dsc": lambda edit: edit.surface_dice,
    "dsc": lambda edit: edit.dice,
    "hd95_mm": lambda edit: edit.hd95_mm,
    "added_path_mm": lambda edit: edit.added_path_mm,
    "volume_ratio": lambda edit: edit.volume_ratio,
    "edited_slices": lambda edit: edit.edited_slices,
}
SHOWN_MONTHS = 12


@dataclass(frozen=True)
class Row:
    """An organ in a month.

    Args:
        month: as `2026-03`.
        organ: TG-263 name.
        scanner: pseudonym; empty for all.
        count: of contours that we had sent and that came back approved.
        untouched: share of them that was left as it was.
        medians: of each measure of what was changed; NaN where no contour has a value.
    """

    month: str
    organ: str
    scanner: str
    count: int
    untouched: float
    medians: Mapping[str, float]


@dataclass(frozen=True)
class Blind:
    """An organ that was contoured blind, beside what was shown, of all scanners and the months that the report shows.

    Args:
        organ: TG-263 name.
        count: of contours that nobody had seen when it was approved.
        medians: of each measure of them, against what was approved; NaN where no contour has a value.
        shown_count: of contours that were shown, whether they were edited or not.
        shown: the medians of those.
    """

    organ: str
    count: int
    medians: Mapping[str, float]
    shown_count: int
    shown: Mapping[str, float]


@dataclass(frozen=True)
class MonthReport:
    """A month.

    Args:
        month: as `2026-03`.
        cases: that were approved in it, whatever they hold.
        models: digest of each version that had drawn, and how many contours.
        organs: of all scanners.
        scanners: of each scanner, where there are several.
        before: the organs of the months before and of this one.
        charts: of each organ up to the end of the month.
        concerns: of the looks of each week of the month; of the same about the same the last one.
        blind_cases: of the month's cases those that were contoured blind.
        blind: the organs of those of the months before and of this one.
    """

    month: str
    cases: int
    models: Mapping[str, int]
    organs: tuple[Row, ...]
    scanners: tuple[Row, ...]
    before: tuple[Row, ...]
    charts: tuple[Chart, ...]
    concerns: tuple[Concern, ...]
    blind_cases: int
    blind: tuple[Blind, ...]


def report_of_month(records: Sequence[CaseRecord], month: str, limits: WatchLimits) -> MonthReport:
    """Return the report of a month.

    Args:
        records: the newest revision of every case.
        month: as `2026-03`, in UTC.
        limits: of the watch.

    Raises:
        AdaptationError: what is given is no month.
    """
    end = end_of(month)
    until = [record for record in records if record.filed < end]
    organs = approved_organs(until)
    own = [each for each in organs if month_of(each.at) == month]
    names = sorted({each.organ for each in organs})
    scanners = sorted({each.scanner for each in own})
    months = sorted({month_of(each.at) for each in organs})[-SHOWN_MONTHS:]
    models = [each.model for each in own]
    return MonthReport(
        month,
        sum(month_of(record.filed) == month for record in until),
        {model: models.count(model) for model in dict.fromkeys(models)},
        _rows(own, [month], names, [ALL_SCANNERS]),
        _rows(own, [month], names, scanners) if len(scanners) > 1 else (),
        _rows(organs, months, names, [ALL_SCANNERS]),
        charts_of(until, end, limits),
        _concerns(until, end, limits),
        sum(_is_blind(record) for record in until if month_of(record.filed) == month),
        _blind(until, organs, _last_months(month)),
    )


def _is_blind(record: CaseRecord) -> bool:
    return any(one.blind for one in record.structures.values())


def _last_months(month: str) -> list[str]:
    """Return a month and those before it of which the report shows something, newest first."""
    year, number = map(int, month.split("-"))
    past = [12 * year + number - 1 - back for back in range(SHOWN_MONTHS)]
    return [f"{each // 12:04}-{each % 12 + 1:02}" for each in past]


def _blind(records: Sequence[CaseRecord], organs: Sequence[Approved], months: Sequence[str]) -> tuple[Blind, ...]:
    """Return what was contoured blind in some months, by organ, beside what was shown in them."""
    found: dict[str, list[Edit]] = {}
    for record in records:
        if record.status is Status.REJECTED or month_of(record.filed) not in months:
            continue
        for organ, one in record.structures.items():
            if one.blind is not None:
                found.setdefault(organ, []).append(one.blind)
    rows = []
    for organ, edits in sorted(found.items()):
        shown = [each.edit for each in organs if each.organ == organ and month_of(each.at) in months]
        rows.append(Blind(organ, len(edits), _medians(edits), len(shown), _medians(shown)))
    return tuple(rows)


def _concerns(records: Sequence[CaseRecord], end: datetime, limits: WatchLimits) -> tuple[Concern, ...]:
    """Return what worried on the Mondays of a month and at its end."""
    days = [end - timedelta(days=back) for back in range(31, 0, -1)]
    looks = [*(day for day in days if day.weekday() == 0 and month_of(day) == month_of(days[-1])), end]
    found = {
        (concern.kind, concern.about): concern
        for look in looks
        for concern in concerns_of([record for record in records if record.filed < look], look, limits)
    }
    return tuple(found.values())


def _rows(
    organs: Sequence[Approved], months: Sequence[str], names: Sequence[str], scanners: Sequence[str]
) -> tuple[Row, ...]:
    """Return the rows of every organ, scanner and month that had a contour."""
    rows = []
    for organ in names:
        for scanner in scanners:
            for month in months:
                own = [
                    each
                    for each in organs
                    if each.organ == organ and scanner in {ALL_SCANNERS, each.scanner} and month_of(each.at) == month
                ]
                if own:
                    rows.append(_row(own, month, organ, scanner))
    return tuple(rows)


def _row(own: Sequence[Approved], month: str, organ: str, scanner: str) -> Row:
    return Row(month, organ, scanner, len(own), untouched_share(own), _medians([each.edit for each in own]))


def _medians(edits: Sequence[Edit]) -> dict[str, float]:
    """Return the median of each measure; NaN where nothing has a value."""
    values = {name: [value(edit) for edit in edits] for name, value in MEASURES.items()}
    finite = {name: [value for value in some if math.isfinite(value)] for name, some in values.items()}
    return {name: median(some) if some else math.nan for name, some in finite.items()}


def encoded_month(report: MonthReport) -> dict[str, Any]:
    """Return a report as JSON has it, without the points of the charts."""
    return {
        "month": report.month,
        "cases": report.cases,
        "models": dict(report.models),
        "organs": [_plain(row) for row in report.organs],
        "scanners": [_plain(row) for row in report.scanners],
        "before": [_plain(row) for row in report.before],
        "concerns": [asdict(concern) for concern in report.concerns],
        "blind_cases": report.blind_cases,
        "blind": [
            asdict(row) | {side: _finite(getattr(row, side)) for side in ("medians", "shown")} for row in report.blind
        ],
    }


def _plain(row: Row) -> dict[str, object]:
    return asdict(row) | {"medians": _finite(row.medians)}


def _finite(medians: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in medians.items()}
