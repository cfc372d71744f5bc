"""Any RT Structure Set to masks on the CT that it refers to, with a report; never a silently shifted mask (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset

from segmentation.contour_reader import Contour, ContourError, Target, read_contour
from segmentation.errors import StructureSetError
from segmentation.even_odd import combine
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct_summary import RoiSummary, StructureSetSummary, number_of, summarise, text_of

__all__ = [
    "RoiReading",
    "RoiSummary",
    "StructureSetMasks",
    "StructureSetSummary",
    "read_structure_set",
    "summarise",
]


@dataclass(frozen=True, eq=False)
class RoiReading:
    """What became of one ROI.

    Args:
        number: ROI Number; None where it is missing.
        name: ROI Name, as it is written.
        mask: on the CT's grid, without probabilities; None for a ROI that was refused or has no voxel.
        reasons: why it was refused, all of them; empty for one that was not.
        notes: what a physicist may want to know of a ROI that was read.
        contours: how many were filled.
        ignored: how many were not, for they enclose nothing: points, open lines, fewer than three points.
    """

    number: int | None
    name: str
    mask: OrganMask | None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contours: int = 0
    ignored: int = 0


@dataclass(frozen=True, eq=False)
class StructureSetMasks:
    """Every ROI of a structure set, in its order."""

    rois: tuple[RoiReading, ...]

    @property
    def by_name(self) -> dict[str, OrganMask]:
        """The masks of the ROIs that have one; of ROIs of the same name none, for which is meant is unknown."""
        names = [roi.name for roi in self.rois]
        return {roi.name: roi.mask for roi in self.rois if roi.mask is not None and names.count(roi.name) == 1}

    @property
    def refused(self) -> tuple[RoiReading, ...]:
        """The ROIs that were refused."""
        return tuple(roi for roi in self.rois if roi.reasons)


def read_structure_set(ds: Dataset, headers: Sequence[Dataset], grid: Grid) -> StructureSetMasks:
    """Return the masks of a structure set on a CT.

    A ROI is refused, with every reason, for a contour off every plane, off the image, or on an image that the CT does
    not have; the others are read.

    Args:
        ds: the structure set, of any vendor.
        headers: the CT's datasets, one for each slice of the grid in the same order; pixel data is not needed.
        grid: where the voxels lie.

    Raises:
        StructureSetError: if this is no structure set, or no ROI shares the CT's frame of reference.
    """
    if ds.get("Modality") != "RTSTRUCT":
        raise StructureSetError(f"the modality is {ds.get('Modality', 'missing')}, not RTSTRUCT")
    if len(headers) != grid.shape[0]:
        raise StructureSetError(f"{len(headers)} headers for a grid of {grid.shape[0]} slices")
    wanted = str(headers[0].get("FrameOfReferenceUID") or "")
    listed = list(ds.get("StructureSetROISequence") or [])
    if not wanted or all(_frame_of_reference(roi, ds) != wanted for roi in listed):
        raise StructureSetError("no ROI of the structure set is in the CT's frame of reference")
    target = Target(grid, {str(header.SOPInstanceUID): index for index, header in enumerate(headers)})
    drawings = _drawings(ds)
    numbers = [number_of(roi, "ROINumber") for roi in listed]
    readings = []
    for roi, number in zip(listed, numbers, strict=True):
        if number is None or numbers.count(number) > 1:
            readings.append(_named(roi, reasons=["its ROI Number is missing or not its own"]))
        elif _frame_of_reference(roi, ds) != wanted:
            readings.append(_named(roi, reasons=["its frame of reference is not the CT's"]))
        else:
            readings.append(_read_roi(roi, drawings.get(number, []), target))
    return StructureSetMasks(tuple(readings))


def _frame_of_reference(roi: Dataset, ds: Dataset) -> str:
    """Return the ROI's frame of reference; where it does not say, the structure set's if that has just one."""
    if own := str(roi.get("ReferencedFrameOfReferenceUID") or ""):
        return own
    referenced = ds.get("ReferencedFrameOfReferenceSequence") or []
    candidates = {str(frame.get("FrameOfReferenceUID") or "") for frame in referenced}
    return candidates.pop() if len(candidates) == 1 else str(ds.get("FrameOfReferenceUID") or "")


def _drawings(ds: Dataset) -> dict[int | None, list[Dataset]]:
    """Return the items of the Contour Sequences by ROI number; their order may be another than the ROIs'."""
    drawings: dict[int | None, list[Dataset]] = {}
    for item in ds.get("ROIContourSequence") or []:
        drawings.setdefault(number_of(item, "ReferencedROINumber"), []).extend(item.get("ContourSequence") or [])
    return drawings


def _named(
    roi: Dataset,
    *,
    mask: OrganMask | None = None,
    reasons: Sequence[str] = (),
    notes: Sequence[str] = (),
    contours: int = 0,
    ignored: int = 0,
) -> RoiReading:
    name = text_of(roi, "ROIName")
    return RoiReading(number_of(roi, "ROINumber"), name, mask, tuple(reasons), tuple(notes), contours, ignored)


def _read_roi(roi: Dataset, drawings: Sequence[Dataset], target: Target) -> RoiReading:
    """Read the contours of one ROI, or all the reasons why not."""
    contours: list[Contour] = []
    reasons: list[str] = []
    notes: list[str] = []
    ignored = 0
    for position, drawing in enumerate(drawings, start=1):
        try:
            contour = read_contour(drawing, target)
        except ContourError as error:
            reasons.append(f"contour {position} of {len(drawings)}: {error}")
            continue
        if contour is None:
            ignored += 1
            continue
        contours.append(contour)
        notes += [f"contour {position} of {len(drawings)}: {note}" for note in contour.notes]
    if reasons:
        return _named(roi, reasons=reasons, notes=notes, ignored=ignored)
    mask, combination_notes = combine(
        [contour.row_column for contour in contours], [contour.slice_index for contour in contours], target.grid.shape
    )
    if mask is None:
        notes.append("it has no voxel on the CT")
    return _named(roi, mask=mask, notes=[*notes, *combination_notes], contours=len(contours), ignored=ignored)
