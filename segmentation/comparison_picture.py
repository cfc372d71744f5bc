"""A picture of two structure sets on their CT: each organ where the two differ most, both contours as in the files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydicom import Dataset

from segmentation.contour_reader import Target, read_contour
from segmentation.ct import CtSeries
from segmentation.picture import DOTS_PER_INCH, Colour, Frame, Points, draw_slice

AROUND_MM = 15.0  # shown around the contours of an organ
SMALLEST_MM = 50.0  # of a picture's side
COLOURS: dict[str, Colour] = {"A": (0.0, 0.85, 1.0), "B": (1.0, 0.65, 0.0)}
COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """One organ on one slice.

    Args:
        title: what stands above it.
        slice_index: on the CT.
        roi_numbers: of the organ in A and in B.
    """

    title: str
    slice_index: int
    roi_numbers: tuple[int, int]


def draw_comparison(ct: CtSeries, structure_sets: tuple[Dataset, Dataset], panels: Sequence[Panel], out: Path) -> None:
    """Write a PNG with a picture for each panel, seen from the feet: the patient's left is on the right.

    Args:
        ct: the series that both structure sets were drawn on.
        structure_sets: A and B.
        panels: what to show, of ROIs that could be read; one at least.
        out: the PNG.

    Raises:
        GeometryError: if the slices are not axial.
    """
    rows = -(-len(panels) // COLUMNS)
    columns = min(COLUMNS, len(panels))
    figure = Figure(figsize=(3.6 * columns, 3.7 * rows + 0.5), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    for place, panel in enumerate(panels, start=1):
        rings = {
            side: list(_rings(ds, number, ct, panel.slice_index))
            for side, ds, number in zip("AB", structure_sets, panel.roi_numbers, strict=True)
        }
        axes = figure.add_subplot(rows, columns, place)
        draw_slice(axes, ct, panel.slice_index, rings, colours=COLOURS, frame=_frame([*rings["A"], *rings["B"]]))
        axes.set_title(f"{panel.title}, {axes.get_title()}", color="white", fontsize=9)
    handles = [Line2D([], [], color=colour, lw=2, label=side) for side, colour in COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, labelcolor="white", fontsize=9)
    figure.savefig(out, dpi=DOTS_PER_INCH)


def _rings(ds: Dataset, roi_number: int, ct: CtSeries, slice_index: int) -> Iterator[Points]:
    """Yield the contours of a ROI on a slice, (points, 3) each, patient mm."""
    target = Target(ct.volume.grid, {str(header.SOPInstanceUID): index for index, header in enumerate(ct.headers)})
    for drawn in ds.get("ROIContourSequence") or []:
        if int(drawn.ReferencedROINumber) == roi_number:
            for item in drawn.get("ContourSequence") or []:
                contour = read_contour(item, target)
                if contour is not None and contour.slice_index == slice_index:
                    yield ct.volume.grid.to_patient(slice_index, contour.row_column)


def _frame(rings: Sequence[Points]) -> Frame:
    """Return a square around contours."""
    points = np.vstack(rings)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    half = max(float(np.ptp(points[:, :2], axis=0).max()) / 2 + AROUND_MM, SMALLEST_MM / 2)
    x, y = float(middle[0]), float(middle[1])
    return x - half, x + half, y - half, y + half
