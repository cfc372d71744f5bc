"""The header of a DICOM file as pydicom keeps it, every element still unread, found in a fraction of its time (pure).

pydicom's own reader takes most of a millisecond for the header of a CT slice: more than its pixels take. Whatever is
not plain here is left to it: an element of undefined length, another byte order, a header that is cut off.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, repeat
from struct import Struct

from pydicom import Dataset
from pydicom.charset import convert_encodings, default_encoding, python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag

Elements = dict[BaseTag, DataElement | RawDataElement]
_Encoded = tuple[bytes, BaseTag, RawDataElement]  # an element's bytes, and what was read in them


@lru_cache(maxsize=4096)
def tag_of(number: int) -> BaseTag:
    """Return a tag, the same object each time: a dictionary finds that without asking pydicom whether it is equal."""
    return BaseTag(number)


PREFIX = b"DICM"
META_BEGINS = 132  # bytes: the preamble and the prefix (PS3.10 7.1)
META_GROUP = 0x0002
META_ENDS = META_GROUP + 1 << 16  # the first tag behind file meta information
PIXELS_BEGIN = 0x7FE00008  # Float Pixel Data, Double Float Pixel Data, Pixel Data
PIXEL_DATA = 0x7FE00010
TRANSFER_SYNTAX, CHARACTER_SET = tag_of(0x00020010), tag_of(0x00080005)
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


class HeaderWalk:
    """Walks over one header after the other; where one begins like the one before, its elements need no new reading.

    The slices of a series share nearly all of their elements, which their datasets then share too: raw elements do not
    change, a dataset that decodes one puts another into its place. Only `value_tell` is that of the first slice.
    """

    def __init__(self) -> None:
        """Begin with nothing to compare with."""
        self._meta: list[_Encoded] = []
        self._elements: dict[bool, list[_Encoded]] = {True: [], False: []}  # by whether their VR is implicit

    def plain_header(self, data: bytes) -> tuple[Dataset, int] | None:
        """Return a file's dataset up to its pixels, and the offset of Pixel Data; None where pydicom is to read it.

        Args:
            data: the first bytes of the file.
        """
        if data[128:META_BEGINS] != PREFIX:
            return None
        meta, self._meta, begins = _elements(data, META_BEGINS, META_ENDS, self._meta, implicit=False)
        uid = _value(meta, TRANSFER_SYNTAX).decode("latin-1").rstrip("\0 ")
        if (uid != IMPLICIT_VR and uid not in EXPLICIT_VR) or any(tag >> 16 != META_GROUP for tag in meta):
            return None
        implicit = uid == IMPLICIT_VR
        before = self._elements[implicit]
        found, self._elements[implicit], pixels = _elements(data, begins, PIXELS_BEGIN, before, implicit=implicit)
        if not pixels or _TAG_LENGTH(data, pixels)[:2] != (PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF):
            return None
        encodings = _encodings(_value(found, CHARACTER_SET))
        if encodings is None:
            return None
        ds = Dataset(found)
        ds.file_meta = FileMetaDataset(meta)
        ds.set_original_encoding(implicit, True, encodings)
        return ds, pixels


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


def _elements(
    data: bytes, at: int, stop: int, before: Iterable[_Encoded], *, implicit: bool
) -> tuple[Elements, list[_Encoded], int]:
    """Return the elements from an offset up to the first tag from `stop` on, the same as met, and where that begins.

    Args:
        data: the first bytes of a file.
        at: where the first element begins.
        stop: the tag.
        before: elements below `stop` of another header, in the order in which these are expected.
        implicit: whether there is no VR in the bytes.

    Returns:
        Nothing, and 0 for the offset, where the elements are not plain.
    """
    found: list[_Encoded] = []
    ends = len(data) - 12  # the longest there is before a value
    for known in chain(before, repeat(None)):
        if at > ends:
            break
        if known is not None and data.startswith(known[0], at):
            found.append(known)
            at += len(known[0])
            continue
        number, vr, value, length = _beginning(data[at : at + 8], implicit)
        if number >= stop:
            return {tag: element for _, tag, element in found}, found, at
        if value == 12:
            (length,) = _LENGTH(data, at + 8)
        if vr == "" or length == UNDEFINED:
            break
        begin, value = at, at + value
        at = value + length
        tag = tag_of(number)
        element = RawDataElement(tag, vr, length, data[value:at], value, implicit, True)
        found.append((data[begin:at], tag, element))
    return {}, [], 0


def _beginning(first: bytes, implicit: bool) -> tuple[int, str | None, int, int]:
    """Return an element's tag, its VR, "" where that is none, the bytes before its value, and how many this has."""
    group, number, letters, length = _TAG_VR_LENGTH(first)
    tag = group << 16 | number
    if implicit:
        return tag, None, 8, *_LENGTH(first, 4)
    if letters in SHORT_VRS:
        return tag, SHORT_VRS[letters], 8, length
    return tag, LONG_VRS.get(letters, ""), 12, 0
