"""The report of an evaluation as one HTML file that needs no other, for a physicist to read."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from adaptation.evaluate import Score
from adaptation.foretold import Group
from adaptation.page import blank_figure, document, folded, image, number, png_of, table
from adaptation.report import METRICS, Metric, OrganReport, Report
from adaptation.statistics import Summary
from adaptation.worst import Panel, draw_worst

BOXES = ("dsc", "hd95_mm", "surface_dsc_2_mm")
DRAWN = "drawn"
HOW_TO_READ = """
Each organ is compared in 3-D with what was drawn, on the CT's own grid and after post-processing. <b>DSC</b>: overlap,
1 is perfect. <b>HD95</b>: 95 % of the surfaces lie within this distance of the other. <b>Surface DSC</b>: share of both
surfaces that is within the tolerance. <b>Added path</b>: length of drawn contour that would have to be added.
<b>Volume ratio</b>: found over drawn. An organ that was drawn and not found counts with a DSC and surface DSC of 0 and
has no HD95. Mean &plusmn; SD over the cases, and the 95 % bootstrap interval of the mean.
"""
HOW_TO_COMPARE = """
The same cases by both models. Difference: model less other, with its 95 % bootstrap interval. p: one-sided Wilcoxon
signed-rank test that the model is better, not corrected for the number of organs; none for fewer than 5 cases. Green:
p &lt; .05. Red: the whole interval is on the worse side.
"""

WORDS = """
Before anybody looks, the node says of each organ which DSC it expects, where the model is calibrated, and whether its
volume, place or parts are implausible. Here is what the organs then had; those that were not found are left out.
<b>Error</b>: mean absolute difference between expected and reached DSC. <b>Correlation</b>: of the two over the cases,
none where all are expected to have the same; over all organs it also says that one organ is easier than another.
"""


def page_of(report: Report, worst: Sequence[Panel]) -> str:
    """Return the report as HTML: cases by number, no patient's identity.

    Args:
        report: what was found.
        worst: pictures of it.
    """
    cases = f"{len(report.numbers)} cases"
    against = f" against {escape(report.against.name)}" if report.against else ""
    left = "".join(f"<li>{count}: {escape(reason)}</li>" for reason, count in report.left_out.items())
    parts = [
        f"<h1>{escape(report.model.name)}{against}</h1>",
        f"<p>{cases}. Model <code>{report.model.digest[:16]}</code>"
        + (f", other <code>{report.against.digest[:16]}</code>" if report.against else "")
        + ". Not for clinical use by itself.</p>",
        f"<p>Cases left out:</p><ul>{left}</ul>" if left else "",
        f"<p>{HOW_TO_READ}</p>",
        "<h2>By organ</h2>",
        _summaries([*report.organs, report.mean]),
        *([f"<h2>Difference</h2><p>{HOW_TO_COMPARE}</p>", differences(report)] if report.against else []),
        *([f"<h2>Do its own words foretell it?</h2><p>{WORDS}</p>", _foretold(report)] if report.foretold else []),
        "<h2>Spread over the cases</h2>",
        image(_boxes(report)),
        "<h2>Worst cases</h2><p>The slice of each organ's two worst cases on which most pixels differ.</p>",
        image(draw_worst(worst, report.numbers, _labels(report))) if worst else "",
        "<h2>Every case</h2>",
        _every_case(report),
    ]
    return document(report.model.name, parts)


def _labels(report: Report) -> list[str]:
    return [DRAWN, report.model.name, *([report.against.name] if report.against else [])]


def _summaries(organs: Sequence[OrganReport]) -> str:
    """Return the table of the model alone."""
    head = ["organ", "cases", "not found", *(metric.title for metric in METRICS)]
    rows = [
        [
            escape(one.organ),
            str(one.summaries["dsc"].count),
            str(one.not_found),
            *(_summary(one.summaries.get(metric.key), metric.decimals) for metric in METRICS),
        ]
        for one in organs
    ]
    return table(head, rows)


def differences(report: Report) -> str:
    """Return the table of the model against the other."""
    metrics = [metric for metric in METRICS if metric.higher_is_better is not None]
    head = ["organ", "cases", *(metric.title for metric in metrics)]
    rows = [
        [
            escape(one.organ),
            str(one.differences["dsc"].summary.count),
            *(_difference(one, metric) for metric in metrics),
        ]
        for one in [*report.organs, report.mean]
        if one.differences
    ]
    return table(head, rows)


def _foretold(report: Report) -> str:
    """Return the table of what was expected and doubted, and what came of it."""
    limit = f"{report.threshold:.2f}"
    groups = (f"DSC where less than {limit} was expected", "where more was", "DSC where implausible", "where not")
    rows = [
        [
            escape(one.organ),
            str(one.expected),
            number(one.error, 3),
            number(one.correlation, 2, sign=True),
            *(_group(group) for group in (one.below, one.above, one.doubted, one.undoubted)),
        ]
        for one in report.foretold
    ]
    return table(["organ", "expected in", "error", "correlation", *groups], rows)


def _group(group: Group) -> str:
    return f"{number(group.dice, 3)} <small>of {group.count}</small>" if group.count else ""


def _difference(one: OrganReport, metric: Metric) -> str:
    """Return one cell: difference, interval and p, coloured; nothing where no case has a value of both."""
    each, places = one.differences.get(metric.key), metric.decimals
    if each is None or not each.summary.count:
        return ""
    summary = each.summary
    is_worse = summary.high < 0 if metric.higher_is_better else summary.low > 0
    colour = "better" if each.p < 0.05 else "worse" if is_worse else ""
    p = "" if math.isnan(each.p) else f", p {_p(each.p)}"
    return (
        f'<span class="{colour}">{number(summary.mean, places, sign=True)}</span><br><small>'
        f"{number(summary.low, places, sign=True)} to {number(summary.high, places, sign=True)}{p}</small>"
    )


def _p(p: float) -> str:
    return "&lt; .001" if p < 0.001 else f"{p:.3f}"


def _summary(summary: Summary | None, places: int) -> str:
    if summary is None or not summary.count:
        return ""
    spread = "" if math.isnan(summary.sd) else f" &plusmn; {number(summary.sd, places)}"
    ends = f"{number(summary.low, places)} to {number(summary.high, places)}"
    return f"{number(summary.mean, places)}{spread}<br><small>{ends}</small>"


def _every_case(report: Report) -> str:
    """Return the table of all scores, folded away."""
    head = ["case", "organ", *(metric.title for metric in METRICS)]
    rows = [
        [
            str(report.numbers[score.case]),
            escape(score.organ) + ("" if score.is_found else " (not found)"),
            *(number(metric.value(score.comparison), metric.decimals) for metric in METRICS),
        ]
        for score in report.scores
    ]
    return folded(f"{len(rows)} organs", table(head, rows))


def _boxes(report: Report) -> bytes:
    """Return a PNG of box plots: of each organ, and beside it the other model's."""
    metrics = [metric for metric in METRICS if metric.key in BOXES]
    organs = [one.organ for one in report.organs]
    figure = blank_figure(max(6.0, 1.1 * len(organs)), 3.2 * len(metrics))
    models: list[Sequence[Score]] = [report.scores, *([report.other_scores] if report.against else [])]
    for axes, metric in zip(figure.subplots(len(metrics), 1, squeeze=False)[:, 0], metrics, strict=True):
        for index, scores in enumerate(models):
            values = _values(scores, metric, organs)
            places = [number + 0.35 * (index - (len(models) - 1) / 2) for number in range(len(organs))]
            colour = ("#1f77b4", "#ff7f0e")[index]
            drawn = axes.boxplot(
                list(values.values()), positions=places, widths=0.3, patch_artist=True, medianprops={"color": "black"}
            )
            for box in drawn["boxes"]:
                box.set(facecolor=colour, alpha=0.5)
            axes.plot([], [], color=colour, lw=6, alpha=0.5, label=_labels(report)[1 + index])
        axes.set(xticks=range(len(organs)), xticklabels=organs, ylabel=metric.title)
        axes.tick_params(axis="x", rotation=20)
        axes.grid(visible=True, axis="y", alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    return png_of(figure)


def _values(scores: Sequence[Score], metric: Metric, organs: Sequence[str]) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = {organ: [] for organ in organs}
    for score in scores:
        value = metric.value(score.comparison)
        if score.organ in found and math.isfinite(value):
            found[score.organ].append(value)
    return found
