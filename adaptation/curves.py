"""The curves of a training, as a table and as a picture."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from adaptation.history import History, mean_of
from segmentation.durable import write_whole


def write_curves(history: History, organs: Sequence[str], folder: Path) -> None:
    """Write `curves.csv` (step, loss, mean Dice, Dice by organ; empty where there is none) and `curves.png`."""
    write_whole(folder / "curves.csv", table_of(history, organs).encode())
    figure = Figure(figsize=(9, 7), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(*zip(*history.loss_curve(), strict=True), lw=0.8)
    above.set(ylabel="loss", yscale="log")
    for organ in organs:
        found = {step: dice[organ] for step, dice in history.tuning.items() if organ in dice}
        below.plot(list(found), list(found.values()), lw=1, marker=".", label=organ)
    means = {step: mean_of(dice) for step, dice in history.tuning.items()}
    below.plot(list(means), list(means.values()), "k", lw=2, marker="o", label="mean")
    if history.best_step is not None:
        below.axvline(history.best_step, color="grey", ls=":", label="kept")
    below.set(xlabel="step", ylabel="DSC of the tuning cases", ylim=(0, 1))
    below.legend(fontsize=7, ncols=4)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110)
    write_whole(folder / "curves.png", picture.getvalue())


def table_of(history: History, organs: Sequence[str]) -> str:
    """Return the curves as CSV."""
    losses = dict(history.loss_curve())
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["step", "loss", "mean_dsc", *organs])
    for step in sorted({*losses, *history.tuning}):
        dice = history.tuning.get(step)
        table.writerow(
            [
                step,
                f"{losses[step]:.5f}" if step in losses else "",
                f"{mean_of(dice):.4f}" if dice else "",
                *(f"{dice[organ]:.4f}" if dice and organ in dice else "" for organ in organs),
            ]
        )
    return text.getvalue()
