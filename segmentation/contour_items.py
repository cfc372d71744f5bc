"""An organ's contours as the structure set holds them: placed in the patient, rounded, proven, encoded (pure).

What is proven is what is written: the numbers are rounded to their text first, then brought back onto the grid, filled
and compared with the mask, voxel by voxel.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from segmentation import implicit_le
from segmentation.contours import finer, trace_organ
from segmentation.ct_attributes import reference
from segmentation.errors import StructureSetError
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.profiles import Profile
from segmentation.rasterise import fill_planes

AXIAL_TOLERANCE = 1e-6  # of a direction cosine: over 512 mm it moves a point half of what three decimals can say
AXIAL_DECIMALS = 3  # mm
OBLIQUE_DECIMALS = 5  # mm: rounding must not lift a point off its plane
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)
LONGEST_DS = 16  # bytes, PS3.5 6.2; Eclipse refuses more


@dataclass(frozen=True, eq=False)
class Plane:
    """What a contour has to say about the slice that it lies on.

    Args:
        sop_class_uid: of the slice.
        sop_instance_uid: of the slice.
        z_text: the third coordinate of every point, in the slice's own words; None where it varies over the plane.
    """

    sop_class_uid: str
    sop_instance_uid: str
    z_text: str | None

    def reference(self) -> bytes:
        """Return the item of a Contour Image Sequence that refers to the slice."""
        return reference(self.sop_class_uid, self.sop_instance_uid)


def planes_of(headers: Sequence[Dataset], grid: Grid) -> tuple[Plane, ...]:
    """Return what contours have to say about each slice of the grid; `headers` are the slices', in the same order."""
    return tuple(
        Plane(
            sop_class_uid=str(header.SOPClassUID),
            sop_instance_uid=str(header.SOPInstanceUID),
            z_text=_plain(header.ImagePositionPatient[2]) if _is_axial(grid) else None,
        )
        for header in headers
    )


def _is_axial(grid: Grid) -> bool:
    return bool(max(abs(grid.row_direction[2]), abs(grid.column_direction[2])) < AXIAL_TOLERANCE)


def _plain(number: object) -> str:
    """Return a DS as it was sent, or in plain digits where it had an exponent or too many of them."""
    sent = str(number).strip()
    if PLAIN_NUMBER.fullmatch(sent) and len(sent) <= LONGEST_DS:
        return sent
    return f"{round(float(sent), OBLIQUE_DECIMALS) + 0.0:.{OBLIQUE_DECIMALS}f}"


def roi_contour_item(
    number: int,
    colour: tuple[int, int, int],
    contours: Sequence[tuple[int, NDArray[np.float64]]],
    planes: Sequence[Plane],
) -> bytes:
    """Return the item of the ROI Contour Sequence (PS3.3 C.8.8.6) of an organ's contours, from `contour_organ`."""
    references = {index: planes[index].reference() for index in {contour[0] for contour in contours}}
    items = (
        implicit_le.sequence("ContourImageSequence", [references[index]])
        + implicit_le.text("ContourGeometricType", "CLOSED_PLANAR")
        + implicit_le.text("NumberOfContourPoints", str(len(points)))
        + implicit_le.text("ContourNumber", str(contour_number))
        + implicit_le.text("ContourData", contour_data(points, planes[index].z_text))
        for contour_number, (index, points) in enumerate(contours, start=1)
    )
    return (
        implicit_le.text("ROIDisplayColor", "\\".join(map(str, colour)))
        + implicit_le.sequence("ContourSequence", items)
        + implicit_le.text("ReferencedROINumber", str(number))
    )


def contour_data(points: NDArray[np.float64], z_text: str | None) -> str:
    """Return the text of Contour Data of rounded patient points, (points, 3), mm."""
    if z_text is not None:
        triple = f"%.{AXIAL_DECIMALS}f\\%.{AXIAL_DECIMALS}f\\{z_text}"
        numbers = points[:, :2]
    else:
        triple = "\\".join([f"%.{OBLIQUE_DECIMALS}f"] * 3)
        numbers = points
    return "\\".join([triple] * len(points)) % tuple(numbers.ravel().tolist())


def contour_organ(name: str, organ: OrganMask, grid: Grid, profile: Profile) -> list[tuple[int, NDArray[np.float64]]]:
    """Return the contours of one organ, rounded as they are written and proven to give the mask back.

    Returns:
        Slice index and patient points, float64, (points, 3), mm, of each contour, by ascending slice.

    Raises:
        StructureSetError: if no way of drawing gives the mask back; names the organ and counts the voxels.
    """
    proven: dict[int, list[NDArray[np.float64]]] = {}
    remaining = organ
    for attempt in finer(profile):
        placed = {index: list(_placed(rings, index, grid)) for index, rings in trace_organ(remaining, attempt).items()}
        wrong = _differing(placed, remaining, grid)
        proven |= {index: rings for index, rings in placed.items() if not wrong[index - organ.start[0]]}
        if not wrong.any():
            return [(index, ring) for index in sorted(proven) for ring in proven[index]]
        remaining = replace(organ, mask=organ.mask & (wrong > 0)[:, None, None])
    raise StructureSetError(
        f"{name}: contours on {np.count_nonzero(wrong)} slices differ from the mask by {wrong.sum()} voxels"
    )


def _placed(rings: Sequence[NDArray[np.float64]], index: int, grid: Grid) -> Iterator[NDArray[np.float64]]:
    """Yield each ring of a slice in patient mm as its text will say it, without points that the text makes equal."""
    decimals = AXIAL_DECIMALS if _is_axial(grid) else OBLIQUE_DECIMALS
    for ring in rings:
        points = np.round(grid.to_patient(index, ring), decimals)
        points += 0.0  # no -0.000
        points = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
        if len(points) >= 3:
            yield points


def _differing(placed: dict[int, list[NDArray[np.float64]]], organ: OrganMask, grid: Grid) -> NDArray[np.intp]:
    """Return how many pixels of each slice of the organ's box the rounded contours get wrong."""
    first_slice, *corner = organ.start
    rings = [grid.to_row_column(index, ring) - corner for index, drawn in placed.items() for ring in drawn]
    at = [index - first_slice for index, drawn in placed.items() for _ in drawn]
    differs: NDArray[np.bool_] = fill_planes(rings, at, organ.mask.shape) != organ.mask
    counts: NDArray[np.intp] = differs.sum(axis=(1, 2))
    return counts
