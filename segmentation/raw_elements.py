"""The header of a DICOM file as pydicom keeps it, every element still unread, found in a fraction of its time (pure).

pydicom's own reader takes most of a millisecond for the header of a CT slice: more than its pixels take. Whatever is
not plain here is left to it: an element of undefined length, another byte order, a header that is cut off.
"""

from functools import lru_cache
from struct import Struct

from pydicom import Dataset
from pydicom.charset import convert_encodings, default_encoding, python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag

Elements = dict[BaseTag, DataElement | RawDataElement]

PREFIX = b"DICM"
META_BEGINS = 132  # bytes: the preamble and the prefix (PS3.10 7.1)
META_ENDS = 0x00030000  # the first tag that file meta information cannot have
PIXELS_BEGIN = 0x7FE00008  # Float Pixel Data, Double Float Pixel Data, Pixel Data
PIXEL_DATA = 0x7FE00010
TRANSFER_SYNTAX, CHARACTER_SET = BaseTag(0x00020010), BaseTag(0x00080005)
IMPLICIT_VR = "1.2.840.10008.1.2"
EXPLICIT_VR = frozenset(
    f"1.2.840.10008.1.2.{tail}" for tail in ("1", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "5")
)
UNDEFINED = 0xFFFFFFFF
SHORT_VRS = {  # whose explicit length has 16 bits (PS3.5 table 7.1-2), as encoded
    vr.encode(): vr
    for vr in (
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO"),
        *("LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
    )
}
LONG_VRS = {vr.encode(): vr for vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")}
_TAG_LENGTH = Struct("<HHI").unpack_from
_TAG_VR_LENGTH = Struct("<HH2sH").unpack_from
_LENGTH = Struct("<I").unpack_from


def plain_header(data: bytes) -> tuple[Dataset, int] | None:
    """Return the dataset of a file up to its pixels, and the offset of Pixel Data; None where pydicom is to read it.

    Args:
        data: the first bytes of the file.
    """
    if data[128:META_BEGINS] != PREFIX:
        return None
    meta, begins = _elements(data, META_BEGINS, META_ENDS, implicit=False) or ({}, 0)
    uid = _value(meta, TRANSFER_SYNTAX).decode("latin-1").rstrip("\0 ")
    if uid != IMPLICIT_VR and uid not in EXPLICIT_VR:
        return None
    implicit = uid == IMPLICIT_VR
    found = _elements(data, begins, PIXELS_BEGIN, implicit=implicit)
    if found is None or _TAG_LENGTH(data, found[1])[:2] != (PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF):
        return None
    encodings = _encodings(_value(found[0], CHARACTER_SET))
    if encodings is None:
        return None
    ds = Dataset(found[0])
    ds.file_meta = FileMetaDataset(meta)
    ds.set_original_encoding(implicit, True, encodings)
    return ds, found[1]


def _value(elements: Elements, tag: BaseTag) -> bytes:
    """Return the bytes of an element that was found, none if it was not."""
    return elements[tag].value or b"" if tag in elements else b""


@lru_cache(maxsize=64)
def _encodings(specific_character_set: bytes) -> list[str] | str | None:
    """Return pydicom's names of the character sets, None where one is unknown."""
    terms = [term.strip(" \0") for term in specific_character_set.decode("latin-1").split("\\")]
    if terms == [""]:
        return default_encoding
    return convert_encodings(terms) if all(term in python_encoding for term in terms) else None


def _elements(data: bytes, at: int, stop: int, *, implicit: bool) -> tuple[Elements, int] | None:
    """Return the elements from an offset up to the first tag from `stop` on, and where that begins."""
    found: Elements = {}
    ends = len(data) - 12  # the longest there is before a value
    while at <= ends:
        group, number, letters, length = _TAG_VR_LENGTH(data, at)
        if group << 16 | number >= stop:
            return found, at
        value = at + 8
        if implicit:
            vr = None
            (length,) = _LENGTH(data, at + 4)
        elif (vr := SHORT_VRS.get(letters)) is None:
            if (vr := LONG_VRS.get(letters)) is None:
                return None
            value = at + 12
            (length,) = _LENGTH(data, at + 8)
        if length == UNDEFINED:
            return None
        tag = BaseTag(group << 16 | number)
        at = value + length
        found[tag] = RawDataElement(tag, vr, length, data[value:at], value, implicit, True)
    return None
