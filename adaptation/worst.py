"""The worst cases of each organ, as a slice each: what was drawn, what was found, and where they differ most."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from adaptation.comparison import worst_slice
from adaptation.evaluate import Score, known_part
from adaptation.labelled_ct import LabelledCt
from segmentation.organ_mask import OrganMask
from segmentation.orientation import turn_of

KEPT = 2  # cases of an organ
AROUND_MM = 30.0
WINDOW_HU = (-160, 240)
COLOURS = ("#ffa500", "#00d9ff", "#ff60ff")  # drawn, found, found by the other model
COLUMNS = 4

Plane = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Panel:
    """One organ of one case on one slice, cut out around it; the patient's left is on the right.

    Args:
        score: of it.
        hu: (rows, columns).
        planes: what was drawn, found, and found by another model; the same shape.
        pixel_mm: row, column.
    """

    score: Score
    hu: NDArray[np.generic]
    planes: tuple[Plane, ...]
    pixel_mm: tuple[float, float]


@dataclass
class Worst:
    """Keeps the worst cases of each organ while cases are judged, so that no CT is held or read twice."""

    panels: dict[str, list[Panel]] = field(default_factory=dict)

    def look_at(self, scores: Sequence[Score], labelled: LabelledCt, found: Sequence[Mapping[str, OrganMask]]) -> None:
        """Keep what is worse than what is kept.

        Args:
            scores: of the first model, of one case.
            labelled: the case.
            found: by each model.
        """
        for score in scores:
            kept = self.panels.setdefault(score.organ, [])
            if len(kept) < KEPT or score.dice < kept[-1].score.dice:
                kept.append(_panel(score, labelled, [organs.get(score.organ) for organs in found]))
                kept.sort(key=lambda panel: panel.score.dice)
                del kept[KEPT:]

    def in_order(self) -> list[Panel]:
        """Return what is kept, the worst first."""
        return sorted((panel for kept in self.panels.values() for panel in kept), key=lambda panel: panel.score.dice)


def _panel(score: Score, labelled: LabelledCt, found: Sequence[OrganMask | None]) -> Panel:
    """Return the slice of a case on which the first model differs most from what was drawn."""
    grid = labelled.volume.grid
    drawn = OrganMask.from_full(labelled.masks[score.organ])
    judged = known_part(score.organ, found[0], labelled.masks[score.organ])
    index = worst_slice(judged, drawn) if judged is not None else drawn.start[0] + drawn.mask.sum((1, 2)).argmax()
    masks = [labelled.masks[score.organ], *(one.full() if one else np.zeros(grid.shape, np.bool_) for one in found)]
    turn = turn_of(grid)
    hu, *planes = (turn.to_patient(each[index : index + 1])[0] for each in (labelled.volume.hu, *masks))
    row_mm, column_mm = (grid.row_spacing_mm, grid.column_spacing_mm)[:: -1 if turn.transposed else 1]
    occupied = np.argwhere(np.any(planes, axis=0))
    margin = np.ceil([AROUND_MM / row_mm, AROUND_MM / column_mm]).astype(int)
    low, high = np.maximum(occupied.min(axis=0) - margin, 0), occupied.max(axis=0) + margin + 1
    cut = np.s_[low[0] : high[0], low[1] : high[1]]
    return Panel(score, hu[cut].copy(), tuple(plane[cut].copy() for plane in planes), (row_mm, column_mm))


def draw_worst(panels: Sequence[Panel], numbers: Mapping[str, int], labels: Sequence[str]) -> bytes:
    """Return a PNG with a picture for each panel.

    Args:
        panels: one at least.
        numbers: of the cases, by name.
        labels: of what was drawn, and of each model.
    """
    rows, columns = -(-len(panels) // COLUMNS), min(COLUMNS, len(panels))
    figure = Figure(figsize=(3.2 * columns, 3.4 * rows + 0.4), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        aspect = panel.pixel_mm[0] / panel.pixel_mm[1]
        axes.imshow(panel.hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], aspect=aspect)
        for plane, colour in zip(panel.planes, COLOURS, strict=False):
            if plane.any():
                axes.contour(plane.astype(float), [0.5], colors=[colour], linewidths=1.2)
        title = f"{panel.score.organ}, case {numbers[panel.score.case]}\nDSC {panel.score.dice:.2f}"
        axes.set_title(title if panel.score.is_found else f"{title}, not found", color="white", fontsize=9)
        axes.set_axis_off()
    handles = [Line2D([], [], color=colour, lw=2, label=text) for colour, text in zip(COLOURS, labels, strict=False)]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, labelcolor="white", fontsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=90)
    return picture.getvalue()
