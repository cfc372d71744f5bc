"""Whether a received data set is a whole and valid instance of its class (pure)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dicomnode.dimse import IMPLICIT_VR_LE, RLE_LOSSLESS, UNCOMPRESSED
from dicomnode.encoded import PIXEL_DATA, Element, find, walk
from dicomnode.errors import DataSetMismatch, NotUnderstood
from dicomnode.header import Header
from dicomnode.records import StructureSetSummary
from dicomnode.routing import CT_IMAGE_STORAGE

LONGEST_UID = 64  # PS3.5 9.1
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
"""Leading zeros in a component are wrong and seen in use; they do no harm here."""


@dataclass(frozen=True)
class Instance:
    """A data set that was found to be whole and valid.

    Args:
        header: its values, by keyword.
        series_instance_uid: the series that it belongs to.
        study_instance_uid: the study that it belongs to.
    """

    header: Header
    series_instance_uid: str
    study_instance_uid: str


def is_uid(text: str) -> bool:
    """Whether the text has the form of a UID (PS3.5 9.1)."""
    return len(text) <= LONGEST_UID and _UID.fullmatch(text) is not None


def identify(
    data: bytes | memoryview, *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
) -> Instance:
    """Check that the data set is whole and is the instance that was announced.

    Args:
        data: as received.
        sop_class_uid: as the command, or the file meta information, names it.
        sop_instance_uid: likewise.
        transfer_syntax_uid: that the data set is encoded in.

    Raises:
        NotUnderstood: it is cut off, malformed, or lacks a UID.
        DataSetMismatch: its SOP class or instance is another.
    """
    if not is_uid(sop_instance_uid):
        raise NotUnderstood("the SOP Instance UID is no UID")
    implicit = transfer_syntax_uid == IMPLICIT_VR_LE
    header = Header(data, walk(data, implicit=implicit), implicit=implicit)
    if header.text("SOPInstanceUID") != sop_instance_uid:
        raise DataSetMismatch("the data set's SOP Instance UID is not the command's")
    if header.text("SOPClassUID") != sop_class_uid:
        raise DataSetMismatch("the data set's SOP Class UID is not the command's")
    series_instance_uid, study_instance_uid = header.text("SeriesInstanceUID"), header.text("StudyInstanceUID")
    if not is_uid(series_instance_uid):
        raise NotUnderstood("Series Instance UID is missing or no UID")
    if not is_uid(study_instance_uid):
        raise NotUnderstood("Study Instance UID is missing or no UID")
    return Instance(header, series_instance_uid, study_instance_uid)


def require_content(instance: Instance, *, sop_class_uid: str, transfer_syntax_uid: str) -> None:
    """Check that an instance holds what one of its class must hold.

    Raises:
        NotUnderstood: pixels are missing, or are not as many as the header says.
    """
    if sop_class_uid == CT_IMAGE_STORAGE:
        _require_pixels(instance.header, transfer_syntax_uid)


def _require_pixels(header: Header, transfer_syntax_uid: str) -> None:
    """Check number and form of the pixel data of a CT image (PS3.3 C.7.6.3, PS3.5 8.1 and A.4)."""
    described = {name: header.number(name) for name in ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel")}
    for name, number in described.items():
        if not number:
            raise NotUnderstood(f"{name} is missing or zero")
    pixels = find(header.elements, PIXEL_DATA)
    if pixels is None or pixels.items is not None:
        raise NotUnderstood("Pixel Data are missing")
    if header.text("NumberOfFrames") not in {"", "1"}:
        raise NotUnderstood("a CT image has one frame")
    if transfer_syntax_uid not in UNCOMPRESSED:
        _require_one_frame(pixels, transfer_syntax_uid)
        return
    bits = 1
    for number in described.values():
        bits *= number or 0
    size = (bits + 7) // 8
    if pixels.fragments is not None or pixels.end - pixels.start != size + size % 2:
        raise NotUnderstood(f"Pixel Data have {pixels.end - pixels.start} bytes, Rows and Columns ask for {size}")


def _require_one_frame(pixels: Element, transfer_syntax_uid: str) -> None:
    """Check that encapsulated pixel data are one frame: an offset table of at most one entry, and fragments."""
    if pixels.fragments is None or len(pixels.fragments) < 2:
        raise NotUnderstood("compressed Pixel Data are not encapsulated")
    offset_table, *fragments = ((end - start) for start, end in pixels.fragments)
    if offset_table not in {0, 4}:
        raise NotUnderstood("compressed Pixel Data hold more than one frame")
    if transfer_syntax_uid == RLE_LOSSLESS and len(fragments) != 1:  # PS3.5 A.4.2: one fragment a frame
        raise NotUnderstood("RLE Pixel Data hold more than one frame")
    if not all(fragments):
        raise NotUnderstood("compressed Pixel Data have an empty fragment")


def summarise_structure_set(header: Header) -> StructureSetSummary:
    """Return what an RT Structure Set says of itself.

    Raises:
        NotUnderstood: one of its sequences is none.
    """
    return StructureSetSummary(
        label=header.text("StructureSetLabel"),
        approval_status=header.text("ApprovalStatus"),
        roi_count=len(header.items("StructureSetROISequence")),
        referenced_series_uid=next(_referenced_series(header), ""),
    )


def _referenced_series(header: Header) -> Iterator[str]:
    """Yield the series that the structure set was drawn on (PS3.3 C.8.8.5)."""
    for frame in header.items("ReferencedFrameOfReferenceSequence"):
        for study in frame.items("RTReferencedStudySequence"):
            for series in study.items("RTReferencedSeriesSequence"):
                yield series.text("SeriesInstanceUID")
