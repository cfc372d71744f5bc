"""The pixels of one slice: found in its file, decoded bit for bit, turned into HU."""

import struct
from collections.abc import Callable
from io import BufferedIOBase, RawIOBase
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import generate_frames

from segmentation.codestream import rle_bytes_per_sample, samples_declared
from segmentation.errors import SeriesError

AIR_HU = -1024
UNDEFINED_LENGTH = 0xFFFFFFFF  # PS3.5 A.4: encapsulated
PIXEL_DATA = b"\xe0\x7f\x10\x00"  # (7FE0,0010), little endian
EXPLICIT_VRS = frozenset({b"OW", b"OB", b"UN"})  # as the start of an implicit length they would be odd, which none is
INT16 = np.iinfo(np.int16)

Stored = np.int16 | np.uint16

# pydicom's own plug-ins cannot decode .57 and .70 bit-exactly without a GPL library; imagecodecs can.
CODECS: dict[str, Callable[[bytes], Any]] = {
    "1.2.840.10008.1.2.4.57": imagecodecs.ljpeg_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.ljpeg_decode,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.81": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.91": imagecodecs.jpeg2k_decode,
}
RLE = "1.2.840.10008.1.2.5"


def read_pixels(
    file: RawIOBase | BufferedIOBase, offset: int, transfer_syntax_uid: str, out: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    """Return the pixels of one slice as they are stored.

    Args:
        file: a DICOM file in little endian byte order.
        offset: of the element's tag.
        transfer_syntax_uid: tells the codec where the element is encapsulated.
        out: (rows, columns), contiguous: what is not compressed is read straight into it.

    Returns:
        uint16, (rows, columns): the 16 bits of each pixel; `out`, or an array of its own.

    Raises:
        SeriesError: if they are absent, cut off, of another length than the matrix needs, or do not decode.
    """
    file.seek(offset)
    if file.read(4) != PIXEL_DATA:
        raise SeriesError(["there is no pixel data"])
    length = _read_length(file)
    if length == UNDEFINED_LENGTH:
        return decode_frame(file.read(), transfer_syntax_uid, out.shape)
    if transfer_syntax_uid == RLE or transfer_syntax_uid in CODECS:
        raise SeriesError(["the pixel data are not encapsulated as their transfer syntax demands"])
    if length != out.nbytes:
        needed = f"{out.shape[0]} x {out.shape[1]} pixels need {out.nbytes}"
        raise SeriesError([f"the pixel data have {length} bytes where {needed}"])
    if file.readinto(out.data.cast("B")) != out.nbytes:
        raise SeriesError(["the pixel data are cut off"])
    return out


def _read_length(file: RawIOBase | BufferedIOBase) -> int:
    """Return the length of the element whose tag was just read, whether or not a VR stands between (PS3.5 7.1)."""
    first = file.read(4)
    return int.from_bytes(file.read(4) if first[:2] in EXPLICIT_VRS else first, "little")


def decode_frame(encapsulated: bytes, transfer_syntax_uid: str, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Return the pixels of an encapsulated single frame, bit for bit as they were before compression.

    Args:
        encapsulated: the value of Pixel Data from the Basic Offset Table on (PS3.5 A.4).
        transfer_syntax_uid: of JPEG lossless, JPEG-LS, JPEG 2000 or RLE.
        shape: rows, columns.

    Returns:
        uint16, (rows, columns): signed values as their two's complement.

    Raises:
        SeriesError: if the fragments are malformed, the codec refuses them or the size is another.
    """
    try:
        frame = next(generate_frames(encapsulated, number_of_frames=1))
        pixels = _decode_rle(frame) if transfer_syntax_uid == RLE else _decode(frame, transfer_syntax_uid, shape)
    except (ValueError, RuntimeError, EOFError, StopIteration, struct.error) as error:
        raise SeriesError(["the compressed pixel data cannot be decoded"]) from error
    if pixels.size != shape[0] * shape[1] or pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
        raise SeriesError(
            [f"the compressed pixel data hold {pixels.size} pixels where {shape[0]} x {shape[1]} are declared"]
        )
    return pixels.astype(np.int16 if pixels.dtype.kind == "i" else np.uint16).view(np.uint16).reshape(shape)


def _decode(frame: bytes, transfer_syntax_uid: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a frame as its codec gives it, asked only once the frame itself says that it has the right size."""
    if transfer_syntax_uid not in CODECS:
        raise SeriesError(["the pixel data are encapsulated although their transfer syntax is not compressed"])
    declared = samples_declared(frame)
    if declared != (*shape, 1):
        told = " x ".join(map(str, declared)) if declared else "of no readable size"
        raise SeriesError([f"the compressed pixel data are {told} where {shape[0]} x {shape[1]} x 1 are declared"])
    return np.asarray(CODECS[transfer_syntax_uid](frame))


def _decode_rle(frame: bytes) -> NDArray[Any]:
    if rle_bytes_per_sample(frame) != 2:
        raise SeriesError(["the compressed pixel data do not have two bytes for each pixel"])
    return np.frombuffer(imagecodecs.dicomrle_decode(frame, "<u2"), "<u2")


def stored_values(bits: NDArray[np.uint16], bits_stored: int, *, signed: bool) -> NDArray[Stored]:
    """Return the pixel values; what stands in the bits above Bits Stored, as overlays once did, is dropped.

    Args:
        bits: uint16, any shape; overwritten.
        bits_stored: 1 to 16, from the lowest bit up.
        signed: Pixel Representation is 1.

    Returns:
        int16 where signed, else uint16, of the same shape, in the same memory.
    """
    unused = 16 - bits_stored
    values = bits.view(np.int16) if signed else bits
    if unused and signed:
        np.left_shift(bits, np.uint16(unused), out=bits)
        np.right_shift(values, np.int16(unused), out=values)  # a signed value that is shifted down copies its sign
    elif unused:
        np.bitwise_and(bits, np.uint16(0xFFFF >> unused), out=bits)
    return values


def to_hounsfield(
    values: NDArray[Stored], bits_stored: int, rescale: tuple[float, float], padding: tuple[int, int] | None
) -> NDArray[np.generic]:
    """Return the HU of stored values (PS3.3 C.11.1.1.2), and air where there was no scan.

    Args:
        values: int16 or uint16, any shape; overwritten.
        bits_stored: 1 to 16, which all values fit.
        rescale: slope and intercept.
        padding: the stored values, first and last, that stand for no scan (Pixel Padding Value, PS3.3 C.7.5.1.1.2).

    Returns:
        int16 if that holds every HU exactly, in the same memory; else float32; of the same shape.
    """
    slope, intercept = rescale
    is_padding = (values >= padding[0]) & (values <= padding[1]) if padding else None
    if is_padding is not None and is_padding.any():
        # What stands for nothing must not decide which type can hold the rest.
        values[is_padding] = 0 if is_padding.all() else values.flat[is_padding.argmin()]
    hu: NDArray[np.generic]
    if slope.is_integer() and intercept.is_integer() and _fit_int16(values, bits_stored, slope, intercept):
        # Modulo 2 ** 16, which is what 16 bits count in, everything that fits at the end is exact.
        whole = values.view(np.int16)
        if slope != 1:
            np.multiply(whole, _modulo(slope), out=whole)
        np.add(whole, _modulo(intercept), out=whole)
        hu = whole
    else:
        hu = (values.astype(np.float64) * slope + intercept).astype(np.float32)
    if is_padding is not None:
        hu[is_padding] = AIR_HU
    return hu


def _fit_int16(values: NDArray[Stored], bits_stored: int, slope: float, intercept: float) -> bool:
    """Whether every value becomes HU that int16 holds; they are only looked at where their bits do not tell."""

    def fit(*ends: int) -> bool:
        hu = [slope * end + intercept for end in ends]
        return INT16.min <= min(hu) <= max(hu) <= INT16.max

    lowest = -(1 << bits_stored - 1) if values.dtype == np.int16 else 0
    return fit(lowest, lowest + (1 << bits_stored) - 1) or fit(int(values.min()), int(values.max()))


def _modulo(whole: float) -> np.int16:
    return np.uint16(int(whole) % (1 << 16)).view(np.int16)
