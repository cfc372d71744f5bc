"""The watch on our contours: what physicians change of them, by organ, scanner and week, and when to worry (pure).

A chart is of the surface DSC between what we sent and what was approved, a point a week. A model version is measured by
its own first cases; until it has enough of them, by those of the version before, so that a worse version is seen at
once. A week that is an alarm is not measured by later, so that a decline does not become the measure. Cases that a
person rejected do not count.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from statistics import fmean

from adaptation.case_record import CaseRecord, Edit, Origin, Status
from adaptation.control_charts import MEANING, SIDED, Baseline, Signal, baseline_of, signals_of
from adaptation.limits import WatchLimits

WORRYING = (1, 2, 5)  # rules that are an alarm on the low side; the others are shown
ALL_SCANNERS = ""
FRESH = timedelta(days=14)  # a chart whose last point is older says nothing of today


@dataclass(frozen=True)
class Approved:
    """One organ that we had sent and that came back approved.

    Args:
        organ: TG-263 name.
        scanner: pseudonym.
        at: when it came back.
        model: digest of the version that had drawn it.
        edit: how far what was approved is from what we sent.
        is_untouched: whether it was left as it was.
    """

    organ: str
    scanner: str
    at: datetime
    model: str
    edit: Edit
    is_untouched: bool


@dataclass(frozen=True)
class Point:
    """A week of a chart.

    Args:
        week: its Monday.
        mean: surface DSC.
        count: of contours.
        baseline: that it is measured by; None where there is none yet.
        models: digests of the versions that had drawn them.
    """

    week: date
    mean: float
    count: int
    baseline: Baseline | None
    models: frozenset[str] = frozenset()

    @property
    def z(self) -> float:
        """How many standard deviations it lies from the centre; NaN without a baseline."""
        return self.baseline.z(self.mean, self.count) if self.baseline else math.nan


@dataclass(frozen=True)
class Chart:
    """An organ's control chart.

    Args:
        organ: TG-263 name.
        scanner: pseudonym; empty for all.
        points: the weeks that had cases.
        signals: rules that hold; their places are those of the points.
    """

    organ: str
    scanner: str
    points: tuple[Point, ...]
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class Concern:
    """Something that a person must look at.

    Args:
        kind: a short stable word, as alarms have it.
        text: a sentence for the physicist.
        about: organ, and scanner where it is about one.
        goes_back: whether it is a reason to go back to the model before.
        models: digests of the versions that had drawn what it is about, in order; an empty one is not known.
    """

    kind: str
    text: str
    about: str
    goes_back: bool
    models: tuple[str, ...] = ()


def approved_organs(records: Sequence[CaseRecord]) -> tuple[Approved, ...]:
    """Return every organ that we had sent and that came back approved, oldest first."""
    found = [
        Approved(organ, case.scanner, case.filed, case.model_digest, one.edit, one.origin is Origin.UNTOUCHED)
        for case in records
        if case.status is not Status.REJECTED
        for organ, one in case.structures.items()
        if one.edit is not None
    ]
    return tuple(sorted(found, key=lambda each: each.at))


def monday_of(at: datetime) -> date:
    """Return the Monday of a week."""
    return at.date() - timedelta(days=at.weekday())


def chart_of(organs: Sequence[Approved], organ: str, scanner: str, until: date, limits: WatchLimits) -> Chart:
    """Return the chart of one organ.

    Args:
        organs: everything that came back, oldest first.
        organ: TG-263 name.
        scanner: pseudonym; empty for all.
        until: the Monday of the first week that is not over.
        limits: of the watch.
    """
    own = [
        each
        for each in organs
        if each.organ == organ and scanner in {ALL_SCANNERS, each.scanner} and math.isfinite(each.edit.surface_dice)
    ]
    points: list[Point] = []
    of_models: dict[str, list[float]] = {}
    for week, of_week in groupby(own, key=lambda each: monday_of(each.at)):
        if week >= until:
            break
        contours = list(of_week)
        mean = fmean(each.edit.surface_dice for each in contours)
        models = frozenset(each.model for each in contours)
        points.append(Point(week, mean, len(contours), _baseline(of_models, contours[-1].model, limits), models))
        if _worries(signals_of([point.z for point in points]), len(points) - 1):
            continue
        for each in contours:
            of_models.setdefault(each.model, []).append(each.edit.surface_dice)
    return Chart(organ, scanner, tuple(points), signals_of([point.z for point in points]))


def _worries(signals: Sequence[Signal], place: int) -> list[int]:
    """Return the rules that make a point an alarm."""
    return [each.rule for each in signals if each.place == place and each.is_low and each.rule in WORRYING]


def _baseline(of_models: Mapping[str, Sequence[float]], model: str, limits: WatchLimits) -> Baseline | None:
    """Return what a week is measured by: its model's first cases, else those of the latest model that has enough."""
    enough = [name for name, values in of_models.items() if len(values) >= limits.baseline_least]
    if not enough:
        return None
    return baseline_of(of_models[model if model in enough else enough[-1]][: limits.baseline_most])


def charts_of(records: Sequence[CaseRecord], now: datetime, limits: WatchLimits) -> tuple[Chart, ...]:
    """Return the chart of every organ, of all scanners and of each that has enough cases."""
    organs = approved_organs(records)
    counts = Counter((each.organ, scanner) for each in organs for scanner in {ALL_SCANNERS, each.scanner})
    several = len({each.scanner for each in organs}) > 1
    return tuple(
        chart_of(organs, organ, scanner, monday_of(now), limits)
        for (organ, scanner), count in sorted(counts.items())
        if scanner == ALL_SCANNERS or (several and count > limits.baseline_least)
    )


def concerns_of(records: Sequence[CaseRecord], now: datetime, limits: WatchLimits) -> tuple[Concern, ...]:
    """Return what a person must look at today.

    Args:
        records: the newest revision of every case.
        now: with its time zone.
        limits: of the watch.
    """
    organs = approved_organs(records)
    names = dict.fromkeys(each.organ for each in organs)
    return (
        *(concern for chart in charts_of(records, now, limits) for concern in _of_chart(chart, now)),
        *(concern for organ in names for concern in _of_untouched(organs, organ, now, limits)),
    )


def _of_chart(chart: Chart, now: datetime) -> list[Concern]:
    """Return the concern of a chart whose last week is fresh and low."""
    last = len(chart.points) - 1
    rules = _worries(chart.signals, last)
    if not rules or now.date() - chart.points[last].week > FRESH:
        return []
    point = chart.points[last]
    where = f" on scanner {chart.scanner}" if chart.scanner else ""
    centre = point.baseline.centre if point.baseline else math.nan
    why = "; ".join(MEANING[rule] for rule in rules)
    text = (
        f"{chart.organ}{where}: physicians change more than before: surface DSC {point.mean:.3f} in the week of"
        f" {point.week}, {centre:.3f} before ({why})"
    )
    weeks = chart.points[-min(SIDED[rule][0] for rule in rules) :]
    models = tuple(sorted({model for week in weeks for model in week.models}))
    about = f"{chart.organ} {chart.scanner}".strip()
    return [Concern("drift", f"{text}{_drawn_by(models)}", about, goes_back=not chart.scanner, models=models)]


def _drawn_by(models: Sequence[str]) -> str:
    """Return in words which versions had drawn something."""
    return f"; drawn by {', '.join(model[:12] or 'a version that is not known' for model in models)}"


def _of_untouched(organs: Sequence[Approved], organ: str, now: datetime, limits: WatchLimits) -> list[Concern]:
    """Return the concerns of how much of an organ is left as we drew it."""
    since = now - timedelta(days=limits.window_days)
    before = since - timedelta(days=limits.before_days)
    own = [each for each in organs if each.organ == organ]
    of_window = [each for each in own if each.at >= since]
    models = tuple(sorted({each.model for each in of_window}))
    lately = untouched_share(of_window, limits.window_least)
    earlier = untouched_share([each for each in own if before <= each.at < since], limits.window_least)
    concerns = []
    window = f"the last {limits.window_days:g} days"
    if lately > limits.untouched_most:
        text = (
            f"{organ}: {lately:.0%} of the contours of {window} were approved untouched; have somebody look whether"
            " they are still looked at, and contour some cases blind"
        )
        concerns.append(Concern("untouched", f"{text}{_drawn_by(models)}", organ, goes_back=False, models=models))
    if lately < earlier - limits.untouched_fall:
        text = f"{organ}: {lately:.0%} of the contours of {window} were approved untouched, {earlier:.0%} before"
        concerns.append(Concern("edited more", f"{text}{_drawn_by(models)}", organ, goes_back=True, models=models))
    return concerns


def untouched_share(organs: Sequence[Approved], least: int = 1) -> float:
    """Return the share that was left as we drew it; NaN of fewer than `least`."""
    return fmean(each.is_untouched for each in organs) if len(organs) >= max(least, 1) else math.nan
