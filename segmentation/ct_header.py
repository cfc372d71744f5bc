"""The headers of CT files, read up to the pixels, and what the series check looks at in them; no codec is loaded."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from segmentation.errors import SeriesError
from segmentation.raw_elements import LONG_VRS, SHORT_VRS, HeaderWalk, tag_of
from segmentation.slice_header import PixelFormat, SliceHeader

HEADER_BYTES = 1 << 14  # what most CT headers fit into; a longer one is pydicom's
UID_LETTERS = frozenset("0123456789.")
PLAIN_TEXT = frozenset({"CS", "DS", "IS", "LO", "PN", "SH", "UI"})
KNOWN_VRS = frozenset((*SHORT_VRS.values(), *LONG_VRS.values()))
UNKNOWN_VR = "has an element of an unknown value representation (VR): neither its length nor what follows is sure"
UNREADABLE = (  # all that pydicom has been seen to raise of a header
    *(ValueError, TypeError, ArithmeticError, LookupError, NotImplementedError),
    *(BytesLengthException, struct.error),
)


def read_headers(paths: Sequence[Path]) -> list[Dataset]:
    """Return the datasets of files, in the order given, each read up to its pixel data.

    Raises:
        SeriesError: if any is not a DICOM file that can be read.
    """
    return [ds for ds, _ in read_up_to_pixels(paths)]


def read_up_to_pixels(paths: Sequence[Path]) -> list[tuple[Dataset, int]]:
    """Return each file's dataset without pixels, and the offset of its Pixel Data element.

    Args:
        paths: of one series, whose slices together are read quickly.

    Raises:
        SeriesError: if any is not a DICOM file that can be read; it is named by its place among the paths.
    """
    walk, read = HeaderWalk(), []
    for number, path in enumerate(paths, start=1):
        try:
            read.append(_read_one(path, walk))
        except SeriesError as error:
            raise SeriesError([f"file {number} of {len(paths)} {reason}" for reason in error.reasons]) from error
    return read


def parse_slice_header(ds: Dataset) -> SliceHeader:
    """Return what the series check looks at; a value that is absent or malformed is None or empty."""
    spacing = _numbers(ds, "PixelSpacing", 2)
    slope_and_intercept = (*_numbers(ds, "RescaleSlope", 1), *_numbers(ds, "RescaleIntercept", 1))
    return SliceHeader(
        sop_instance_uid=_uid(ds, "SOPInstanceUID"),
        sop_class_uid=_text(ds, "SOPClassUID"),
        series_instance_uid=_uid(ds, "SeriesInstanceUID"),
        study_instance_uid=_uid(ds, "StudyInstanceUID"),
        frame_of_reference_uid=_uid(ds, "FrameOfReferenceUID"),
        patient_id=_text(ds, "PatientID"),
        patient_name=_text(ds, "PatientName"),
        modality=_text(ds, "Modality"),
        image_type=tuple(str(value).strip().upper() for value in _read(ds, "ImageType").values),
        rows=whole_number(ds, "Rows"),
        columns=whole_number(ds, "Columns"),
        pixel_spacing=(spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None,
        image_position=_numbers(ds, "ImagePositionPatient", 3) or None,
        image_orientation=_numbers(ds, "ImageOrientationPatient", 6) or None,
        gantry_tilt_deg=next(iter(_numbers(ds, "GantryDetectorTilt", 1)), None),
        lossy=_text(ds, "LossyImageCompression") == "01",
        rescale=slope_and_intercept if len(slope_and_intercept) == 2 and slope_and_intercept[0] else None,
        rescale_type=_text(ds, "RescaleType").upper(),
        pixel_format=_parse_pixel_format(ds),
        transfer_syntax_uid=_transfer_syntax_uid(ds),
        acquisition_number=whole_number(ds, "AcquisitionNumber"),
        instance_number=whole_number(ds, "InstanceNumber"),
    )


def _parse_pixel_format(ds: Dataset) -> PixelFormat:
    return PixelFormat(
        samples_per_pixel=whole_number(ds, "SamplesPerPixel"),
        photometric=_text(ds, "PhotometricInterpretation"),
        bits_allocated=whole_number(ds, "BitsAllocated"),
        bits_stored=whole_number(ds, "BitsStored"),
        high_bit=whole_number(ds, "HighBit"),
        pixel_representation=whole_number(ds, "PixelRepresentation"),
        number_of_frames=whole_number(ds, "NumberOfFrames") or 1,
    )


def _read_one(path: Path, walk: HeaderWalk) -> tuple[Dataset, int]:
    """Return a file's dataset without pixels, and the offset of the Pixel Data element.

    Raises:
        SeriesError: if it cannot be read, with what the file is or has.
    """
    try:
        with path.open("rb", buffering=0) as file:
            if plain := walk.plain_header(file.read(HEADER_BYTES)):
                return plain
        with path.open("rb") as file:
            ds = dcmread(file, stop_before_pixels=True)
            offset = file.tell()  # pydicom goes back to the element at which it stops
    except NotImplementedError as error:  # of a VR that pydicom does not know, in an element that it needs itself
        raise SeriesError([UNKNOWN_VR]) from error
    except (InvalidDicomError, EOFError, *UNREADABLE) as error:
        raise SeriesError(["is not DICOM, or is damaged"]) from error
    if has_unknown_vr(ds):
        raise SeriesError([UNKNOWN_VR])
    return ds, offset


def has_unknown_vr(ds: Dataset) -> bool:
    """Return whether an element has a VR that is none of PS3.5 6.2, so that how long it is was a guess of pydicom's."""
    return any(
        isinstance(element, RawDataElement) and element.VR is not None and element.VR not in KNOWN_VRS
        for part in (getattr(ds, "file_meta", {}), ds)
        for element in part.values()
    )


def _transfer_syntax_uid(ds: Dataset) -> str:
    meta = getattr(ds, "file_meta", None)
    return _text(meta, "TransferSyntaxUID") if meta is not None else ""


@dataclass(frozen=True)
class _Reading:
    """The values of an element, as text and as numbers."""

    values: tuple[Any, ...]

    @cached_property
    def text(self) -> str:
        return "\\".join(map(str, self.values)).strip(" \0")

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """All values, or none where one is no finite number."""
        try:
            numbers = tuple(map(float, self.values))
        except (ValueError, TypeError):
            return ()
        return numbers if all(map(math.isfinite, numbers)) else ()


ABSENT = _Reading(())


def _read(ds: Dataset, keyword: str) -> _Reading:
    """Return what an element says, nothing if it is absent or cannot be read."""
    tag, vr = _entry(keyword)
    try:
        raw = ds.get_item(tag)  # which decodes a value that pydicom read as none at all
        if raw is None:
            return ABSENT
        if isinstance(raw, RawDataElement) and (plain := _read_plain(raw.VR or vr, raw.value or b"")) is not None:
            return plain
        value = ds[tag].value
    except UNREADABLE:
        return ABSENT
    if value is None or value == "":
        return ABSENT
    return _Reading(tuple(value) if isinstance(value, MultiValue) else (value,))


@lru_cache(maxsize=256)
def _entry(keyword: str) -> tuple[BaseTag, str]:
    """Return an element's tag and VR in the dictionary."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag_of(tag), dictionary_VR(tag)


@lru_cache(maxsize=4096)
def _read_plain(vr: str, value: bytes) -> _Reading | None:
    """Return what an element says that is ASCII text or one number of 16 bits; None where pydicom is to read it.

    The slices of a series share most of their values: each is read once.
    """
    if vr == "US" and len(value) == 2:
        return _Reading((int.from_bytes(value, "little"),))
    if vr not in PLAIN_TEXT or not value.isascii():
        return None
    text = value.decode("ascii").strip(" \0")
    return _Reading(tuple(text.split("\\"))) if text else ABSENT


def _text(ds: Dataset, keyword: str) -> str:
    return _read(ds, keyword).text


def _uid(ds: Dataset, keyword: str) -> str:
    """Return a UID if it has the letters of one (PS3.5 9.1), else none: a structure set could not refer by it."""
    text = _text(ds, keyword)
    return text if UID_LETTERS.issuperset(text) else ""


def _numbers(ds: Dataset, keyword: str, count: int) -> tuple[Any, ...]:
    """Return exactly `count` finite numbers, or none."""
    numbers = _read(ds, keyword).numbers
    return numbers if len(numbers) == count else ()


def whole_number(ds: Dataset, keyword: str) -> int | None:
    """Return the value of an element if it is one whole number, else None."""
    number = next(iter(_numbers(ds, keyword, 1)), None)
    return int(number) if number is not None and number.is_integer() else None
