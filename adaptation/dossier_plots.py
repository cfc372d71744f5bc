"""The pictures of a change dossier (pure)."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from adaptation.dossier import Learning
from adaptation.evidence import Finding, State, Verdict
from adaptation.gate_pairs import ScorePair, dsc, gain_of_patients
from adaptation.limits import GateLimits
from adaptation.looks import Look
from adaptation.page import blank_figure, png_of
from adaptation.statistics import summarised

GOES, STAYS, REFUSED = "#2e8b57", "#888888", "#c0392b"


def draw_gains(pairs: Sequence[ScorePair], verdict: Verdict, limits: GateLimits) -> bytes:
    """Return each organ's gain with its interval, the bound that it must stay above, and every case as a dot."""
    organs = list(dict.fromkeys(pair.organ for pair in pairs))
    figure = blank_figure(10, 1.2 + 0.42 * len(organs))
    axes = figure.subplots()
    for row, organ in enumerate(organs):
        gains = [pair.gain(dsc) for pair in pairs if pair.organ == organ]
        summary = summarised(gains)
        colour = _colour(organ, verdict)
        axes.plot(gains, [row] * len(gains), "|", color=colour, alpha=0.35, ms=9)
        axes.plot([summary.low, summary.high], [row, row], color=colour, lw=2.5)
        axes.plot(summary.mean, row, "o", color=colour)
        axes.plot([-limits.largest_drop(organ)] * 2, [row - 0.35, row + 0.35], color="black", lw=1)
    for label, colour in (("goes over", GOES), ("stays", STAYS), ("stays: a guard failed", REFUSED)):
        axes.plot([], [], "o-", color=colour, label=label)
    axes.plot([], [], color="black", lw=1, label="bound of the guard")
    axes.axvline(0, color="grey", lw=0.8)
    axes.set(
        yticks=range(len(organs)), yticklabels=organs, xlabel="DSC of the candidate less that of the model in service"
    )
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13 * 12 / (len(organs) + 3)), ncols=4)
    return png_of(figure)


def _colour(organ: str, verdict: Verdict) -> str:
    if organ in verdict.organs:
        return GOES
    return REFUSED if any(_fails(each, organ) for each in verdict.whole) else STAYS


def _fails(finding: Finding, organ: str) -> bool:
    return finding.organ == organ and finding.state is State.FAILED


def draw_patients(pairs: Sequence[ScorePair]) -> bytes:
    """Return each case's mean DSC by both models, and how the gains are spread."""
    figure = blank_figure(10, 4.2)
    left, right = figure.subplots(1, 2)
    means = [
        [sum(values) / len(values) for values in _by_case(pairs, candidate=candidate)] for candidate in (False, True)
    ]
    low, high = min(min(of) for of in means) - 0.01, max(max(of) for of in means) + 0.01
    left.plot([low, high], [low, high], color="grey", lw=0.8)
    left.plot(*means, "o", color=GOES, alpha=0.7)
    left.set(xlabel="model in service", ylabel="candidate", title="mean DSC of each gate case", aspect="equal")
    gains = sorted(gain_of_patients(pairs, dsc))
    right.bar(range(1, len(gains) + 1), gains, color=[GOES if gain > 0 else REFUSED for gain in gains])
    right.axhline(0, color="grey", lw=0.8)
    right.set(xticks=[], xlabel="gate cases, by gain", ylabel="gain in mean DSC", title="gain of each gate case")
    return png_of(figure)


def _by_case(pairs: Sequence[ScorePair], *, candidate: bool) -> list[list[float]]:
    found: dict[str, list[float]] = {}
    for pair in pairs:
        found.setdefault(pair.case, []).append((pair.candidate if candidate else pair.current).dice)
    return list(found.values())


def draw_learning(learning: Learning) -> bytes:
    """Return the loss and the tuning cases' mean DSC over the steps."""
    figure = blank_figure(10, 3.4)
    left, right = figure.subplots(1, 2)
    _line(left, learning.losses, "loss")
    _line(right, learning.tuning, "mean DSC of the tuning cases")
    if learning.kept_step is not None:
        right.axvline(learning.kept_step, color="grey", ls=":", label="kept")
        right.legend(fontsize=8)
    return png_of(figure)


def _line(axes: Axes, points: Sequence[tuple[int, float]], title: str) -> None:
    axes.plot(*zip(*points, strict=True), lw=1.2)
    axes.set(xlabel="step", title=title)


def draw_looks(looks: Sequence[Look], year_alpha: float) -> bytes:
    """Return what the looks of the last year spent, one by one and together."""
    figure = blank_figure(10, 3.0)
    axes = figure.subplots()
    places = range(1, len(looks) + 1)
    axes.bar(places, [look.alpha for look in looks], color=[GOES if look.promoted else STAYS for look in looks])
    paid = [0.0 if look.promoted else look.alpha for look in looks]
    axes.step(places, [math.fsum(paid[:place]) for place in places], where="mid", color="black", lw=1.2)
    axes.axhline(year_alpha, color=REFUSED, ls="--", lw=1)
    axes.set(xlabel="look of the last year", ylabel="alpha", xticks=list(places))
    axes.plot([], [], color="black", label="spent so far")
    axes.plot([], [], color=REFUSED, ls="--", label="the year's")
    axes.plot([], [], color=GOES, lw=6, label="let something through: its alpha is given back")
    axes.plot([], [], color=STAYS, lw=6, label="refused")
    axes.legend(fontsize=8)
    return png_of(figure)
