"""CT slices in files become a volume in HU, in the order of their places and never of their numbers."""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from segmentation.errors import SeriesError
from segmentation.geometry import Grid
from segmentation.pixel_data import read_pixels, stored_values, to_hounsfield
from segmentation.slice_header import PixelFormat, SliceHeader
from segmentation.volume import Volume
from segmentation.volume_check import check_volume

UNREADABLE = (ValueError, TypeError, ArithmeticError, LookupError, NotImplementedError, struct.error)


@dataclass(frozen=True, eq=False)
class CtSeries:
    """A CT series as a volume, with what its slices say of patient and study.

    Args:
        volume: in HU.
        headers: one for each slice, in the order of the grid, without pixel data.
    """

    volume: Volume
    headers: tuple[Dataset, ...]


@dataclass(frozen=True, eq=False)
class _SliceFile:
    """One file: its dataset up to the pixels, and where these begin."""

    path: Path
    ds: Dataset
    pixel_offset: int
    header: SliceHeader


def read_headers(paths: Sequence[Path]) -> list[Dataset]:
    """Return the datasets of files, in the order given, each read up to its pixel data.

    Raises:
        SeriesError: if any is not a DICOM file.
    """
    return [ds for ds, _ in map(_read_up_to_pixels, paths)]


def read_ct_series(paths: Sequence[Path]) -> CtSeries:
    """Return the volume of one CT series; files may be in any order.

    What only forbids to contour honestly, as a missing slice, is not asked here: see `series_check.check_series`.

    Raises:
        SeriesError: with every reason why the files make no volume.
    """
    files = []
    for path in paths:
        ds, pixel_offset = _read_up_to_pixels(path)
        files.append(_SliceFile(path, ds, pixel_offset, parse_slice_header(ds)))
    if reasons := check_volume([file.header for file in files]):
        raise SeriesError([reason.text for reason in reasons])
    files, grid = _in_order(files)
    return CtSeries(Volume(_read_hounsfield(files, grid), grid), tuple(file.ds for file in files))


def parse_slice_header(ds: Dataset) -> SliceHeader:
    """Return what the series check looks at; a value that is absent or malformed is None or empty."""
    spacing = _numbers(ds, "PixelSpacing", 2)
    slope_and_intercept = (*_numbers(ds, "RescaleSlope", 1), *_numbers(ds, "RescaleIntercept", 1))
    return SliceHeader(
        sop_instance_uid=_text(ds, "SOPInstanceUID"),
        sop_class_uid=_text(ds, "SOPClassUID"),
        series_instance_uid=_text(ds, "SeriesInstanceUID"),
        study_instance_uid=_text(ds, "StudyInstanceUID"),
        frame_of_reference_uid=_text(ds, "FrameOfReferenceUID"),
        patient_id=_text(ds, "PatientID"),
        patient_name=_text(ds, "PatientName"),
        modality=_text(ds, "Modality"),
        image_type=tuple(str(value).strip().upper() for value in _values(ds, "ImageType")),
        rows=_whole(ds, "Rows"),
        columns=_whole(ds, "Columns"),
        pixel_spacing=(spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None,
        image_position=_numbers(ds, "ImagePositionPatient", 3) or None,
        image_orientation=_numbers(ds, "ImageOrientationPatient", 6) or None,
        gantry_tilt_deg=next(iter(_numbers(ds, "GantryDetectorTilt", 1)), None),
        lossy=_text(ds, "LossyImageCompression") == "01",
        rescale=slope_and_intercept if len(slope_and_intercept) == 2 and slope_and_intercept[0] else None,
        rescale_type=_text(ds, "RescaleType").upper(),
        pixel_format=_parse_pixel_format(ds),
        transfer_syntax_uid=_transfer_syntax_uid(ds),
        acquisition_number=_whole(ds, "AcquisitionNumber"),
        instance_number=_whole(ds, "InstanceNumber"),
    )


def _parse_pixel_format(ds: Dataset) -> PixelFormat:
    return PixelFormat(
        samples_per_pixel=_whole(ds, "SamplesPerPixel"),
        photometric=_text(ds, "PhotometricInterpretation"),
        bits_allocated=_whole(ds, "BitsAllocated"),
        bits_stored=_whole(ds, "BitsStored"),
        high_bit=_whole(ds, "HighBit"),
        pixel_representation=_whole(ds, "PixelRepresentation"),
        number_of_frames=_whole(ds, "NumberOfFrames") or 1,
    )


def _read_up_to_pixels(path: Path) -> tuple[Dataset, int]:
    """Return a file's dataset without pixels, and the offset of the Pixel Data element."""
    try:
        with path.open("rb") as file:
            ds = dcmread(file, stop_before_pixels=True)
            return ds, file.tell()  # pydicom goes back to the element at which it stops
    except (InvalidDicomError, EOFError, *UNREADABLE) as error:
        raise SeriesError(["a file of the series is not DICOM, or is damaged"]) from error


def _in_order(files: Sequence[_SliceFile]) -> tuple[list[_SliceFile], Grid]:
    """Return the files in ascending order along the normal, and their grid."""
    first = files[0]
    orientation = np.array(first.header.image_orientation, dtype=np.float64)
    origins = np.array([file.header.image_position for file in files], dtype=np.float64)
    spacing = first.header.pixel_spacing or (0.0, 0.0)  # check_volume has seen to it that there is one
    plane = (orientation[:3], orientation[3:], *spacing, first.header.rows or 0, first.header.columns or 0)
    normal = Grid(origins[:1], *plane).normal
    order = np.argsort(origins @ normal)
    return [files[index] for index in order], Grid(origins[order], *plane)


def _read_hounsfield(files: Sequence[_SliceFile], grid: Grid) -> NDArray[np.generic]:
    """Return the HU of all slices: int16, or float32 as soon as one slice needs it."""
    slices = []
    for number, file in enumerate(files, start=1):
        try:
            slices.append(_read_slice(file, grid.shape[1:]))
        except SeriesError as error:
            place = f"slice {number} of {len(files)}, counted from the feet"
            raise SeriesError([f"{place}: {reason}" for reason in error.reasons]) from error
    return np.stack(slices)  # of int16 and float32 numpy makes float32


def _read_slice(file: _SliceFile, shape: tuple[int, int]) -> NDArray[np.generic]:
    """Return the HU of one slice, (rows, columns)."""
    header = file.header
    with file.path.open("rb") as stream:
        bits = read_pixels(stream, file.pixel_offset, header.transfer_syntax_uid, shape)
    signed = header.pixel_format.pixel_representation == 1
    values = stored_values(bits, header.pixel_format.bits_stored or 16, signed=signed)
    return to_hounsfield(values, header.rescale or (1.0, 0.0), _padding(file.ds, signed=signed))


def _padding(ds: Dataset, *, signed: bool) -> tuple[int, int] | None:
    """Return the range of stored values that stand for no scan, None if there is no such value."""
    ends = [
        end for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit") if (end := _whole(ds, keyword)) is not None
    ]
    if "PixelPaddingValue" not in ds or not ends:
        return None
    # Some exporters write a negative value as US: 63536 for -2000.
    ends = [end - 65536 if signed and end > 32767 else end + 65536 if not signed and end < 0 else end for end in ends]
    return min(ends), max(ends)


def _transfer_syntax_uid(ds: Dataset) -> str:
    meta = getattr(ds, "file_meta", None)
    return _text(meta, "TransferSyntaxUID") if meta is not None else ""


def _values(ds: Dataset, keyword: str) -> tuple[Any, ...]:
    """Return the values of an element, none if it is absent or cannot be read."""
    try:
        value = ds.get(keyword)
    except UNREADABLE:
        return ()
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, MultiValue) else (value,)


def _text(ds: Dataset, keyword: str) -> str:
    return "\\".join(str(value) for value in _values(ds, keyword)).strip(" \0")


def _numbers(ds: Dataset, keyword: str, count: int) -> tuple[Any, ...]:
    """Return exactly `count` finite numbers, or none."""
    return tuple(_finite(_values(ds, keyword), count))


def _finite(values: Sequence[Any], count: int) -> Iterator[float]:
    try:
        numbers = [float(value) for value in values]
    except (ValueError, TypeError):
        return
    if len(numbers) == count and all(map(math.isfinite, numbers)):
        yield from numbers


def _whole(ds: Dataset, keyword: str) -> int | None:
    number = next(iter(_numbers(ds, keyword, 1)), None)
    return int(number) if number is not None and number.is_integer() else None
