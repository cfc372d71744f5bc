"""What an evaluation found, by organ and metric, and as JSON says it (pure)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adaptation.comparison import OrganComparison
from adaptation.evaluate import Score
from adaptation.foretold import GOOD_DSC, Foretold
from adaptation.statistics import Paired, Summary, paired, summarised


@dataclass(frozen=True)
class Metric:
    """One figure of a comparison.

    Args:
        key: in JSON.
        title: in a table.
        decimals: that are shown.
        value: of a comparison of what was found, A, with what was drawn, B.
        higher_is_better: None where neither is, as for a ratio.
    """

    key: str
    title: str
    decimals: int
    value: Callable[[OrganComparison], float]
    higher_is_better: bool | None = True


def _surface_dsc(tolerance_mm: float) -> Metric:
    return Metric(
        f"surface_dsc_{tolerance_mm:g}_mm",
        f"surface DSC {tolerance_mm:g} mm",
        3,
        lambda compared: compared.surface_dsc[tolerance_mm],
    )


def _volume_ratio(compared: OrganComparison) -> float:
    found, drawn = compared.volumes_cm3
    return found / drawn


METRICS = (
    Metric("dsc", "DSC", 3, lambda compared: compared.dsc),
    Metric("hd95_mm", "HD95 mm", 1, lambda compared: compared.hd95_mm, higher_is_better=False),
    _surface_dsc(1.0),
    _surface_dsc(2.0),
    _surface_dsc(3.0),
    Metric("added_path_mm", "added path mm", 0, lambda compared: compared.added_path_mm, higher_is_better=False),
    Metric("volume_ratio", "volume ratio", 2, _volume_ratio, higher_is_better=None),
)


@dataclass(frozen=True)
class About:
    """Which model was judged.

    Args:
        name: with its version.
        digest: that names it exactly.
    """

    name: str
    digest: str


@dataclass(frozen=True)
class OrganReport:
    """One organ.

    Args:
        organ: TG-263 name.
        not_found: in how many cases it was drawn and not found.
        summaries: by metric.
        against: of the other model, on the cases of both; empty without one.
        differences: by metric that has a better side; empty without another model.
    """

    organ: str
    not_found: int
    summaries: Mapping[str, Summary]
    against: Mapping[str, Summary]
    differences: Mapping[str, Paired]


@dataclass(frozen=True)
class Report:
    """An evaluation.

    Args:
        model: that was judged.
        against: another, None if none was.
        numbers: of the cases, by their names; a report shows the numbers only.
        scores: of the model.
        other_scores: of the other model.
        organs: each organ.
        mean: of each case over its organs, DSC only, as an organ of its own.
        left_out: reasons and how many cases each holds for.
        foretold: what the model's own words of its contours were worth; empty where it had none.
        threshold: of the expected DSC, in `foretold`.
    """

    model: About
    against: About | None
    numbers: Mapping[str, int]
    scores: tuple[Score, ...]
    other_scores: tuple[Score, ...]
    organs: tuple[OrganReport, ...]
    mean: OrganReport
    left_out: Mapping[str, int]
    foretold: tuple[Foretold, ...] = ()
    threshold: float = GOOD_DSC


def report_of(
    models: Sequence[About], scores: Sequence[Sequence[Score]], cases: Sequence[str], left_out: Mapping[str, int]
) -> Report:
    """Return the report of one model, or of one against another.

    Args:
        models: one or two.
        scores: of each.
        cases: names of those that were judged, in the order in which they are numbered.
        left_out: see `Report`.
    """
    first, second = scores[0], scores[1] if len(scores) > 1 else ()
    names = dict.fromkeys(score.organ for score in first)
    return Report(
        model=models[0],
        against=models[1] if len(models) > 1 else None,
        numbers={case: number for number, case in enumerate(cases, start=1)},
        scores=tuple(first),
        other_scores=tuple(second),
        organs=tuple(_organ(organ, first, second) for organ in names),
        mean=_mean(first, second),
        left_out=left_out,
    )


def _organ(organ: str, first: Sequence[Score], second: Sequence[Score]) -> OrganReport:
    """Return the report of one organ; two models are compared on the cases of both."""
    ours = {score.case: score for score in first if score.organ == organ}
    others = {score.case: score for score in second if score.organ == organ}
    both = [case for case in ours if case in others]

    def values(of: Mapping[str, Score], metric: Metric, cases: Sequence[str]) -> list[float]:
        return [metric.value(of[case].comparison) for case in cases]

    return OrganReport(
        organ=organ,
        not_found=sum(not score.is_found for score in ours.values()),
        summaries={metric.key: summarised(values(ours, metric, list(ours))) for metric in METRICS},
        against={metric.key: summarised(values(others, metric, both)) for metric in METRICS if both},
        differences={
            metric.key: paired(
                values(ours, metric, both), values(others, metric, both), higher_is_better=metric.higher_is_better
            )
            for metric in METRICS
            if both and metric.higher_is_better is not None
        },
    )


def _mean(first: Sequence[Score], second: Sequence[Score]) -> OrganReport:
    """Return the mean DSC of each case over its organs; of two models over the organs of both."""
    ours, others = _dice_of_cases(first, second or first), _dice_of_cases(second, first)
    both = [case for case in ours if case in others]
    return OrganReport(
        organ="mean over organs",
        not_found=sum(not score.is_found for score in first),
        summaries={"dsc": summarised(list(_dice_of_cases(first, first).values()))},
        against={"dsc": summarised([others[case] for case in both])} if both else {},
        differences={
            "dsc": paired([ours[case] for case in both], [others[case] for case in both], higher_is_better=True)
        }
        if both
        else {},
    )


def _dice_of_cases(scores: Sequence[Score], shared_with: Sequence[Score]) -> dict[str, float]:
    """Return each case's mean DSC over the organs that others have scored too."""
    shared = {(score.case, score.organ) for score in shared_with}
    found: dict[str, list[float]] = {}
    for score in scores:
        if (score.case, score.organ) in shared:
            found.setdefault(score.case, []).append(score.dice)
    return {case: sum(values) / len(values) for case, values in found.items()}


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON says it: cases by number, what is not a number is null."""
    return {
        "model": asdict(report.model),
        "against": asdict(report.against) if report.against else None,
        "cases": len(report.numbers),
        "left_out": dict(report.left_out),
        "organs": {one.organ: _organ_json(one) for one in report.organs},
        "mean": _organ_json(report.mean),
        "foretold": _foretold_json(report),
        "scores": [_score_json(score, report) for score in report.scores],
        "scores_against": [_score_json(score, report) for score in report.other_scores],
    }


def _organ_json(one: OrganReport) -> dict[str, Any]:
    return {
        "not_found": one.not_found,
        **{key: _finite(asdict(summary)) for key, summary in one.summaries.items()},
        "against": {key: _finite(asdict(summary)) for key, summary in one.against.items()},
        "difference": {
            key: _finite({**asdict(each.summary), "p_one_sided": each.p}) for key, each in one.differences.items()
        },
    }


def _foretold_json(report: Report) -> dict[str, Any]:
    """Return what the model's own words were worth, by organ."""
    return {
        "threshold_dsc": report.threshold,
        "organs": {
            one.organ: {
                "expected": one.expected,
                **_finite({"mean_absolute_error": one.error, "correlation": one.correlation}),
                "below": _finite(asdict(one.below)),
                "above": _finite(asdict(one.above)),
                "doubted": _finite(asdict(one.doubted)),
                "undoubted": _finite(asdict(one.undoubted)),
            }
            for one in report.foretold
        },
    }


def _score_json(score: Score, report: Report) -> dict[str, Any]:
    values = {metric.key: metric.value(score.comparison) for metric in METRICS}
    return {
        "case": report.numbers[score.case],
        "organ": score.organ,
        "found": score.is_found,
        **_finite(values),
        "found_cm3": score.comparison.volumes_cm3[0],
        "drawn_cm3": score.comparison.volumes_cm3[1],
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in values.items()}
