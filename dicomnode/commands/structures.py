"""What a structure set holds: its ROIs, the organs that they are, their volumes, and whether it is approved."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset, FileDataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomnode.encoded import walk
from dicomnode.errors import NodeError, NotFound, NotUnderstood
from dicomnode.structure_settings import StructureSettings
from segmentation.approval import Approval, judge_approval
from segmentation.contour_volume import VolumeError, contour_volume_cm3
from segmentation.names import Match, OwnNames, match_name, match_names
from segmentation.rtstruct_summary import RoiSummary, StructureSetSummary, number_of, summarise

PREAMBLE_AND_PREFIX, GROUP_LENGTH_ELEMENT = 132, 12  # bytes, PS3.10 7.1
DAMAGED = (  # what pydicom raises
    *(AttributeError, TypeError, ValueError, LookupError, ArithmeticError, NotImplementedError),
    *(BytesLengthException, struct.error),
)


@dataclass(frozen=True)
class RoiView:
    """One ROI, without anything that tells the patient.

    Args:
        number: ROI Number.
        name: ROI Name.
        interpreted_type: RT ROI Interpreted Type; empty where the structure set does not say.
        organ: TG-263 name; None for what is none of the twelve.
        why_no_organ: the reason; empty where there is one.
        contours: how many.
        volume_cm3: from the contours alone, without a CT; None where they do not tell it.
        why_no_volume: the reason; empty where there is one.
    """

    number: int
    name: str
    interpreted_type: str
    organ: str | None
    why_no_organ: str
    contours: int
    volume_cm3: float | None
    why_no_volume: str


@dataclass(frozen=True)
class StructureSetView:
    """A structure set.

    Args:
        label: Structure Set Label.
        approval_status: as it is written; empty if it is not.
        approval: whether it may be learnt from, by the site's rule.
        rois: in the structure set's order.
    """

    label: str
    approval_status: str
    approval: Approval
    rois: tuple[RoiView, ...]


def read_structure_set_file(path: Path) -> tuple[Dataset, StructureSetSummary]:
    """Return a structure set and what it says of itself.

    Raises:
        NotFound: if there is no such file.
        NodeError: if it cannot be read, or is damaged.
        StructureSetError: if it is another DICOM object.
    """
    if not path.is_file():
        raise NotFound(f"{path} is no file")
    try:
        content = path.read_bytes()
        ds = dcmread(BytesIO(content))
        _refuse_what_is_not_whole(content, ds)
        return ds, summarise(ds)
    except NotUnderstood as error:
        raise NodeError(f"{path} is damaged or cut off: {error}") from None
    except (InvalidDicomError, EOFError):
        raise NodeError(f"{path} is no DICOM file") from None
    except OSError as error:
        raise NodeError(f"{path} cannot be read: {error.strerror}") from None
    except DAMAGED as error:
        raise NodeError(f"{path} is damaged: {type(error).__name__} while it was read") from None


def _refuse_what_is_not_whole(content: bytes, ds: FileDataset) -> None:
    """Raise NotUnderstood for a file that ends too early: pydicom reads it without a word, and a ROI may be lost."""
    length = ds.file_meta.get("FileMetaInformationGroupLength")
    if length is None or ds.file_meta.TransferSyntaxUID not in {ImplicitVRLittleEndian, ExplicitVRLittleEndian}:
        return  # deflated, big endian, or by a writer that left out what every file must have: we cannot tell
    # The group length counts from the end of its own element, the first after preamble and prefix (PS3.10 7.1).
    begin = PREAMBLE_AND_PREFIX + GROUP_LENGTH_ELEMENT + int(length)
    walk(content[begin:], implicit=ds.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian)


def match_rois(rois: Sequence[RoiSummary], own: OwnNames) -> Mapping[str, Match]:
    """Return what each ROI's name means; one without contours takes no organ from one that has some."""
    drawn = match_names([roi.name for roi in rois if roi.contours], own)
    return {**{roi.name: match_name(roi.name, own) for roi in rois}, **drawn}


def show_structure_set(path: Path, settings: StructureSettings) -> StructureSetView:
    """Return what a structure set holds.

    Args:
        path: of the file.
        settings: the site's names and its rule of approval.

    Raises:
        NodeError: if the file cannot be read.
        StructureSetError: if it is no structure set.
    """
    ds, summary = read_structure_set_file(path)
    matches = match_rois(summary.rois, settings.own_names())
    drawings: dict[int | None, list[Dataset]] = {}
    for item in ds.get("ROIContourSequence") or []:
        drawings.setdefault(number_of(item, "ReferencedROINumber"), []).extend(item.get("ContourSequence") or [])
    numbers = [roi.number for roi in summary.rois]
    return StructureSetView(
        label=summary.label,
        approval_status=summary.approval_status,
        approval=judge_approval(summary, settings.approval),
        rois=tuple(
            _view(roi, matches[roi.name], drawings.get(roi.number, []), is_alone=numbers.count(roi.number) == 1)
            for roi in summary.rois
        ),
    )


def as_json(view: StructureSetView) -> dict[str, Any]:
    """Return the structure set as JSON says it."""
    return asdict(view)


def _view(roi: RoiSummary, match: Match, drawings: Sequence[Dataset], *, is_alone: bool) -> RoiView:
    volume_cm3, why_no_volume = (
        None,
        "" if is_alone else "its ROI Number is another ROI's too: whose contours are these?",
    )
    try:
        volume_cm3 = contour_volume_cm3(drawings) if is_alone else None
    except VolumeError as error:
        why_no_volume = str(error) if roi.contours else "it has no contours"
    return RoiView(
        number=roi.number,
        name=roi.name,
        interpreted_type=roi.interpreted_type,
        organ=match.organ,
        why_no_organ=match.reason,
        contours=roi.contours,
        volume_cm3=volume_cm3,
        why_no_volume=why_no_volume,
    )
