"""CT slices in files become a volume in HU, in the order of their places and never of their numbers."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from segmentation.ct_header import parse_slice_header, read_up_to_pixels, whole_number
from segmentation.errors import SeriesError
from segmentation.geometry import Grid
from segmentation.pixel_data import read_pixels, stored_values, to_hounsfield
from segmentation.slice_header import SliceHeader
from segmentation.volume import Volume
from segmentation.volume_check import UNCOMPRESSED, check_volume


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


def read_ct_series(paths: Sequence[Path]) -> CtSeries:
    """Return the volume of one CT series; files may be in any order.

    What only forbids to contour honestly, as a missing slice, is not asked here: see `series_check.check_series`.

    Raises:
        SeriesError: with every reason why the files make no volume.
    """
    files = [
        _SliceFile(path, ds, pixel_offset, parse_slice_header(ds))
        for path, (ds, pixel_offset) in zip(paths, read_up_to_pixels(paths), strict=True)
    ]
    if reasons := check_volume([file.header for file in files]):
        raise SeriesError([reason.text for reason in reasons])
    files, grid = _in_order(files)
    return CtSeries(Volume(_read_hounsfield(files, grid), grid), tuple(file.ds for file in files))


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
    volume: NDArray[np.generic] = np.empty(grid.shape, np.int16)
    compressed = any(file.header.transfer_syntax_uid not in UNCOMPRESSED for file in files)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as readers:
        # A codec runs for long without the interpreter; to copy a slice takes less than to hand it to another thread.
        slices = (readers.map if compressed else map)(_read_slice, files, volume)
        for index in range(len(files)):
            try:
                hu = next(slices)
            except SeriesError as error:
                place = f"slice {index + 1} of {len(files)}, counted from the feet"
                raise SeriesError([f"{place}: {reason}" for reason in error.reasons]) from error
            if hu.dtype == np.float32:
                volume = volume.astype(np.float32, copy=False)
            if not np.may_share_memory(hu, volume):
                volume[index] = hu
    return volume


def _read_slice(file: _SliceFile, out: NDArray[np.int16]) -> NDArray[np.generic]:
    """Return the HU of one slice, (rows, columns): in the memory of `out` where they can be, else float32 or a copy."""
    header = file.header
    with file.path.open("rb", buffering=0) as stream:
        bits = read_pixels(stream, file.pixel_offset, header.transfer_syntax_uid, out.view(np.uint16))
    signed = header.pixel_format.pixel_representation == 1
    bits_stored = header.pixel_format.bits_stored or 16
    values = stored_values(bits, bits_stored, signed=signed)
    return to_hounsfield(values, bits_stored, header.rescale or (1.0, 0.0), _padding(file.ds, signed=signed))


def _padding(ds: Dataset, *, signed: bool) -> tuple[int, int] | None:
    """Return the range of stored values that stand for no scan, None if there is no such value."""
    ends = [
        end
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
        if (end := whole_number(ds, keyword)) is not None
    ]
    if not ends or "PixelPaddingValue" not in ds:
        return None
    # Some exporters write a negative value as US: 63536 for -2000.
    ends = [end - 65536 if signed and end > 32767 else end + 65536 if not signed and end < 0 else end for end in ends]
    return min(ends), max(ends)
