"""What decides about a structure set before its CT is at hand: approval, references, patient, review (pure)."""

from dataclasses import dataclass

from pydicom import Dataset

from segmentation.approval import Approval, ApprovalRule, judge_approval
from segmentation.rtstruct_summary import summarise, text_of


@dataclass(frozen=True)
class ApprovalFacts:
    """A structure set that came in to be learnt from.

    Args:
        approval: whether it is approved, and why.
        patient_id: Patient ID; not to be kept.
        studies: UIDs of the studies that its CT may be in, the most likely first.
        series: UIDs of the series that it refers to.
        images: UIDs of the images that its contours refer to, or else those that its references list.
        reviewed: review date and time, else those of the structure set, as `YYYYMMDDHHMMSS`; empty where it says none.
    """

    approval: Approval
    patient_id: str
    studies: tuple[str, ...]
    series: tuple[str, ...]
    images: tuple[str, ...]
    reviewed: str


def approval_facts(ds: Dataset, rule: ApprovalRule, *, calling_ae_title: str) -> ApprovalFacts:
    """Return what a structure set says about itself.

    Raises:
        StructureSetError: it is none.
    """
    summary = summarise(ds)
    frames = ds.get("ReferencedFrameOfReferenceSequence") or []
    studies = [study for frame in frames for study in frame.get("RTReferencedStudySequence") or []]
    listed = [
        text_of(image, "ReferencedSOPInstanceUID")
        for study in studies
        for series in study.get("RTReferencedSeriesSequence") or []
        for image in series.get("ContourImageSequence") or []
    ]
    of_contours = [
        text_of(image, "ReferencedSOPInstanceUID")
        for roi in ds.get("ROIContourSequence") or []
        for contour in roi.get("ContourSequence") or []
        for image in contour.get("ContourImageSequence") or []
    ]
    return ApprovalFacts(
        judge_approval(summary, rule, calling_ae_title=calling_ae_title),
        text_of(ds, "PatientID").strip(),
        _once([*(text_of(study, "ReferencedSOPInstanceUID") for study in studies), text_of(ds, "StudyInstanceUID")]),
        _once(summary.referenced_series_uids),
        _once([*of_contours, *listed]),
        _when(ds),
    )


def _when(ds: Dataset) -> str:
    for date, time in (("ReviewDate", "ReviewTime"), ("StructureSetDate", "StructureSetTime")):
        if day := text_of(ds, date):
            return f"{day}{text_of(ds, time).partition('.')[0]:0<6}"
    return ""


def _once(uids: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uid for uid in uids if uid))
