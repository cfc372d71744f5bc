"""The report of a month as one HTML file that needs no other, for the physicist (pure)."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from matplotlib.axes import Axes

from adaptation.control_charts import MEANING
from adaptation.month_report import Blind, MonthReport, Row
from adaptation.page import blank_figure, document, image, number, png_of, table
from adaptation.watch import WORRYING, Chart

COLUMNS = 3
HEAD = ["contours", "untouched", "surface DSC", "DSC", "HD95 mm", "added path mm", "volume ratio", "slices edited"]
HOW_TO_READ = """
What physicians approved, against what this node had sent, organ by organ. <b>Untouched</b>: approved as it was sent.
<b>Surface DSC</b>: share of both surfaces within the organ's tolerance, 2 mm, or 1 mm for lenses, optic nerves and
pituitary. <b>Added path</b>: length of approved contour that had to be drawn. <b>Volume ratio</b>: approved over sent.
Medians over the month's contours. Many untouched contours may mean that ours are good, or that nobody looks.
"""
HOW_TO_READ_CHARTS = """
Each point is a week's mean surface DSC. Lines: the centre, two and three standard deviations of a mean of so many
contours, from the first cases of the model version that served, or of the one before it while there are few; weeks that
were an alarm do not count. Red: an alarm; orange: another of Nelson's rules, or a change for the better.
"""
HOW_TO_READ_BLIND = """
A share of the patients is contoured blind: nobody sees our contours, and what is approved was drawn from nothing. Where
contours that were <b>shown</b> agree better with ours than those that were drawn <b>blind</b>, what is shown draws the
physician to itself. Medians over the contours of the last 12 months.
"""
ALARMING, SHOWN = "#c0392b", "#e08e0b"


def month_page(report: MonthReport) -> str:
    """Return the report as HTML, without a patient's identity."""
    concerns = "".join(f"<li>{escape(each.text)}</li>" for each in report.concerns)
    parts = [
        f"<h1>Approved contours of {report.month}</h1>",
        f"<p>{report.cases} cases came back approved; {report.blind_cases} of them had been contoured blind.</p>",
        f"<p>Versions that had drawn what was shown: {_versions(report.models)}.</p>",
        f'<div class="banner worse"><b>To look at</b><ul>{concerns}</ul></div>'
        if concerns
        else '<div class="banner better">Nothing calls for attention.</div>',
        f"<p>{HOW_TO_READ}</p><h2>By organ</h2>",
        table(["organ", *HEAD], [[escape(row.organ), *_cells(row)] for row in report.organs]),
        *(["<h2>By scanner</h2>", _by_scanner(report.scanners)] if report.scanners else []),
        *([f"<h2>Blind and shown</h2><p>{HOW_TO_READ_BLIND}</p>", _by_sight(report.blind)] if report.blind else []),
        "<h2>Untouched, by month</h2>",
        _by_month(report.before),
        f"<h2>Control charts</h2><p>{HOW_TO_READ_CHARTS}</p>",
        image(draw_charts([chart for chart in report.charts if not chart.scanner])) if report.charts else "",
        _of_scanners(report.charts),
        _signals(report.charts),
    ]
    return document(f"Approved contours of {report.month}", parts)


def _versions(models: Mapping[str, int]) -> str:
    return escape(", ".join(f"{model[:12]} ({count} contours)" for model, count in models.items())) or "none"


def _cells(row: Row) -> list[str]:
    medians = row.medians
    return [
        str(row.count),
        f"{row.untouched:.0%}",
        number(medians["surface_dsc"], 3),
        number(medians["dsc"], 3),
        number(medians["hd95_mm"], 1),
        number(medians["added_path_mm"], 0),
        number(medians["volume_ratio"], 2),
        "" if math.isnan(medians["edited_slices"]) else f"{medians['edited_slices']:.0%}",
    ]


def _by_scanner(rows: Sequence[Row]) -> str:
    cells = [[escape(row.organ), escape(row.scanner), *_cells(row)] for row in rows]
    return table(["organ", "scanner", *HEAD], cells, texts=(1,))


def _by_sight(rows: Sequence[Blind]) -> str:
    """Return what was contoured blind beside what was shown."""
    head = ["organ", "blind", "shown", "DSC blind", "DSC shown", "surface DSC blind", "surface DSC shown"]
    cells = [
        [
            escape(row.organ),
            str(row.count),
            str(row.shown_count),
            *(number(side[name], 3) for name in ("dsc", "surface_dsc") for side in (row.medians, row.shown)),
        ]
        for row in rows
    ]
    return table(head, cells)


def _by_month(rows: Sequence[Row]) -> str:
    """Return the share of untouched contours of each organ in each month."""
    months = sorted({row.month for row in rows})
    shares = {(row.organ, row.month): f"{row.untouched:.0%} <small>of {row.count}</small>" for row in rows}
    organs = dict.fromkeys(row.organ for row in rows)
    cells = [[escape(organ), *(shares.get((organ, month), "") for month in months)] for organ in organs]
    return table(["organ", *months], cells)


def _of_scanners(charts: Sequence[Chart]) -> str:
    own = [chart for chart in charts if chart.scanner]
    return f"<h3>By scanner</h3>{image(draw_charts(own))}" if own else ""


def _signals(charts: Sequence[Chart]) -> str:
    """Return the rules that held, in words."""
    rows = [
        [
            escape(f"{chart.organ} {chart.scanner}"),
            str(chart.points[signal.place].week),
            str(signal.rule),
            MEANING[signal.rule] + ("" if signal.is_low is None else ", low" if signal.is_low else ", high"),
        ]
        for chart in charts
        for signal in chart.signals
    ]
    return table(["organ", "week", "rule", ""], rows, texts=(1, 2, 3)) if rows else "<p>No rule held.</p>"


def draw_charts(charts: Sequence[Chart]) -> bytes:
    """Return control charts side by side."""
    rows = -(-len(charts) // COLUMNS)
    figure = blank_figure(12, 2.5 * rows + 0.3)
    places = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, chart in zip(places, charts, strict=False):
        _draw(axes, chart)
    for axes in places[len(charts) :]:
        axes.set_axis_off()
    return png_of(figure)


def _draw(axes: Axes, chart: Chart) -> None:
    """Draw one chart."""
    weeks = [point.week.toordinal() for point in chart.points]
    axes.plot(weeks, [point.mean for point in chart.points], "-o", color="#1f5fa8", ms=3, lw=1)
    judged = [(week, point) for week, point in zip(weeks, chart.points, strict=True) if point.baseline]
    for deviations, style in ((0, "-"), (-2, ":"), (2, ":"), (-3, "--"), (3, "--")):
        heights = [
            point.baseline.centre + deviations * point.baseline.sigma / math.sqrt(point.count)
            for _, point in judged
            if point.baseline
        ]
        axes.step([week for week, _ in judged], heights, style, where="mid", color="grey", lw=0.8)
    alarming = [each for each in chart.signals if each.is_low and each.rule in WORRYING]
    for signals, colour in ((chart.signals, SHOWN), (alarming, ALARMING)):
        places = [each.place for each in signals]
        axes.plot([weeks[place] for place in places], [chart.points[place].mean for place in places], "o", color=colour)
    shown = chart.points[:: max(1, len(weeks) // 5)]
    axes.set_xticks([point.week.toordinal() for point in shown], [f"{point.week:%d %b %y}" for point in shown])
    axes.tick_params(labelsize=7)
    axes.set_title(f"{chart.organ} {chart.scanner}".strip(), fontsize=9)
    axes.grid(visible=True, alpha=0.25)
