"""What a structure set says of itself, without a look at its contours (pure)."""

from dataclasses import dataclass

from pydicom import Dataset
from pydicom.multival import MultiValue

from segmentation.errors import StructureSetError


@dataclass(frozen=True)
class RoiSummary:
    """One ROI.

    Args:
        number: ROI Number; 0 where there is none.
        name: ROI Name.
        interpreted_type: RT ROI Interpreted Type, as ORGAN or PTV; empty where the structure set does not say.
        contours: how many items its Contour Sequence has.
    """

    number: int
    name: str
    interpreted_type: str
    contours: int


@dataclass(frozen=True)
class StructureSetSummary:
    """A structure set.

    Args:
        label: Structure Set Label.
        approval_status: APPROVED, UNAPPROVED, REJECTED, or empty where it does not say.
        is_signed: whether review date, review time and a reviewer are there (PS3.3 C.8.8.16 asks for all three).
        referenced_series_uids: of the images that it was drawn on.
        rois: in the structure set's order.
    """

    label: str
    approval_status: str
    is_signed: bool
    referenced_series_uids: tuple[str, ...]
    rois: tuple[RoiSummary, ...]


def summarise(ds: Dataset) -> StructureSetSummary:
    """Return what a structure set says of itself.

    Raises:
        StructureSetError: if it is none.
    """
    if ds.get("Modality") != "RTSTRUCT":
        raise StructureSetError(f"the modality is {ds.get('Modality', 'missing')}, not RTSTRUCT")
    types = {
        number_of(item, "ReferencedROINumber"): str(item.get("RTROIInterpretedType") or "")
        for item in ds.get("RTROIObservationsSequence") or []
    }
    counts: dict[int | None, int] = {}
    for item in ds.get("ROIContourSequence") or []:
        number = number_of(item, "ReferencedROINumber")
        counts[number] = counts.get(number, 0) + len(item.get("ContourSequence") or [])
    listed = [(number_of(roi, "ROINumber"), roi) for roi in ds.get("StructureSetROISequence") or []]
    return StructureSetSummary(
        label=text_of(ds, "StructureSetLabel"),
        approval_status=str(ds.get("ApprovalStatus") or ""),
        is_signed=all(ds.get(keyword) for keyword in ("ReviewDate", "ReviewTime", "ReviewerName")),
        referenced_series_uids=_referenced_series(ds),
        rois=tuple(
            RoiSummary(
                number=number or 0,
                name=text_of(roi, "ROIName"),
                interpreted_type="" if number is None else types.get(number, ""),
                contours=0 if number is None else counts.get(number, 0),
            )
            for number, roi in listed
        ),
    )


def number_of(item: Dataset, keyword: str) -> int | None:
    """Return a ROI's number, None where there is none that is one."""
    try:
        number = float(str(item.get(keyword)))  # as it is written: pydicom makes 1 of 1.5
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None


def text_of(item: Dataset, keyword: str) -> str:
    """Return the text of an attribute; a backslash, which is not allowed in a name, stays in it.

    Control characters become spaces, and at the ends nothing: some writers pad with NUL or end a line, and a name goes
    to terminals and into archives.
    """
    value = item.get(keyword)
    text = "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value or "")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _referenced_series(ds: Dataset) -> tuple[str, ...]:
    """Return the Series Instance UIDs under Referenced Frame of Reference > RT Referenced Study (PS3.3 C.8.8.5)."""
    return tuple(
        str(series.get("SeriesInstanceUID") or "")
        for frame in ds.get("ReferencedFrameOfReferenceSequence") or []
        for study in frame.get("RTReferencedStudySequence") or []
        for series in study.get("RTReferencedSeriesSequence") or []
    )
