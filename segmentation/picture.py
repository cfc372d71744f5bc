"""A picture of a structure set on its CT: the contours as they stand in the file, on the slices that show most."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from pydicom import Dataset

from segmentation.ct import CtSeries
from segmentation.orientation import turn_of

WINDOW_HU = (-160.0, 240.0)  # soft tissue, as the organs are contoured
APART = 4  # slices between two pictures, where there are enough
AROUND_MM = 45.0  # shown around the contours
DOTS_PER_INCH = 110

Points = NDArray[np.float64]
Colour = tuple[float, float, float]
Frame = tuple[float, float, float, float]  # patient mm: least and most x, least and most y


def draw_contours(ct: CtSeries, structure_set: Dataset, out: Path, *, pictures: int = 8) -> None:
    """Write a PNG of axial slices with contours, seen from the feet: the patient's left is on the right.

    Args:
        ct: the series that the structure set was drawn on.
        structure_set: its contours are drawn where their coordinates say, in patient mm.
        out: the PNG.
        pictures: how many slices are shown at most.

    Raises:
        GeometryError: if the slices are not axial.
    """
    contours = contours_by_slice(ct, structure_set)
    colours = colours_of(structure_set)
    frame = frame_around(contours)
    chosen = choose_slices(contours, pictures)
    columns = min(4, max(len(chosen), 1))
    rows = max(-(-len(chosen) // columns), 1)
    figure = Figure(figsize=(3.6 * columns, 3.6 * rows + 0.8), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    for place, index in enumerate(chosen, start=1):
        axes = figure.add_subplot(rows, columns, place)
        draw_slice(axes, ct, index, contours[index], colours=colours, frame=frame)
    shown = {name for index in chosen for name in contours[index]}
    handles = [Line2D([], [], color=colour, lw=2, label=name) for name, colour in colours.items() if name in shown]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=6, frameon=False, labelcolor="white", fontsize=9
        )
    figure.savefig(out, dpi=DOTS_PER_INCH)


def contours_by_slice(ct: CtSeries, structure_set: Dataset) -> dict[int, dict[str, list[Points]]]:
    """Return slice index to ROI name to its contours there, each (points, 3) in patient mm."""
    names = {int(roi.ROINumber): str(roi.ROIName) for roi in structure_set.get("StructureSetROISequence", [])}
    positions = ct.volume.grid.positions_mm
    found: dict[int, dict[str, list[Points]]] = {}
    for roi in structure_set.get("ROIContourSequence", []):
        for contour in roi.get("ContourSequence", []):
            points = np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
            index = int(np.argmin(np.abs(positions - points[0] @ ct.volume.grid.normal)))
            found.setdefault(index, {}).setdefault(names[int(roi.ReferencedROINumber)], []).append(points)
    return found


def colours_of(structure_set: Dataset) -> dict[str, Colour]:
    """Return ROI name to colour, red, green and blue from 0 to 1."""
    names = {int(roi.ROINumber): str(roi.ROIName) for roi in structure_set.get("StructureSetROISequence", [])}
    return {
        names[int(roi.ReferencedROINumber)]: (
            int(roi.ROIDisplayColor[0]) / 255,
            int(roi.ROIDisplayColor[1]) / 255,
            int(roi.ROIDisplayColor[2]) / 255,
        )
        for roi in structure_set.get("ROIContourSequence", [])
    }


def frame_around(contours: Mapping[int, Mapping[str, Sequence[Points]]]) -> Frame:
    """Return the part of the slices that all pictures show: every contour, and some of the body around them."""
    points = [ring for organs in contours.values() for rings in organs.values() for ring in rings]
    if not points:
        return (-250.0, 250.0, -250.0, 250.0)
    low, high = np.vstack(points).min(axis=0) - AROUND_MM, np.vstack(points).max(axis=0) + AROUND_MM
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def choose_slices(contours: Mapping[int, Mapping[str, object]], most: int) -> list[int]:
    """Return up to `most` slices, ascending: first those with organs not yet seen, then those between."""
    chosen: list[int] = []
    seen: set[str] = set()
    while len(chosen) < most and (left := sorted(set(contours) - set(chosen))):
        # Of slices that show as many new organs the one that shows most of all, but not next to one already chosen.
        apart = {index: min((abs(index - c) for c in chosen), default=APART) for index in left}
        best = max(
            left, key=lambda index: (len(set(contours[index]) - seen), min(apart[index], APART), len(contours[index]))
        )
        chosen.append(best)
        seen |= set(contours[best])
    return sorted(chosen)


def draw_slice(
    axes: Axes,
    ct: CtSeries,
    index: int,
    contours: Mapping[str, Sequence[Points]],
    *,
    colours: Mapping[str, Colour],
    frame: Frame,
) -> None:
    """Draw the part of a slice in a frame, and its contours; x to the right of the picture and y downwards."""
    grid = ct.volume.grid
    pixels = turn_of(grid).to_patient(np.asarray(ct.volume.hu[index : index + 1]))[0]
    corners = grid.to_patient(index, np.array([[-0.5, -0.5], [grid.rows - 0.5, grid.columns - 0.5]], dtype=np.float64))
    (left, right), (top, bottom) = sorted(corners[:, 0]), sorted(corners[:, 1])
    axes.imshow(
        pixels, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], extent=(left, right, bottom, top), aspect="equal"
    )
    for name, rings in contours.items():
        for ring in rings:
            closed = np.vstack([ring, ring[:1]])
            axes.plot(closed[:, 0], closed[:, 1], color=colours[name], lw=1.3)
    axes.set_xlim(frame[0], frame[1])
    axes.set_ylim(frame[3], frame[2])
    axes.set_title(f"z = {float(grid.origins[index, 2]):.1f} mm", color="white", fontsize=9)
    axes.set_axis_off()
