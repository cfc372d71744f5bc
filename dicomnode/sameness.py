"""Whether two encodings hold the same instance: the same data set, whatever its transfer syntax.

File meta information, group lengths and padding do not count, pixels are compared by their values. As both are little
endian, the bytes of a value are the same in implicit and explicit VR; only sequences differ, and they are walked.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from dicomnode.dimse import IMPLICIT_VR_LE, UNCOMPRESSED
from dicomnode.encoded import PIXEL_DATA, Element, find, sequence_items, walk
from dicomnode.errors import NotUnderstood
from dicomnode.header import Header, value_representation
from dicomnode.instance_file import InstanceFile
from dicomnode.pixel_decoder import Frame

Decode = Callable[[bytes, Frame], str]
"""Returns a digest of the values of a frame, as `PixelDecoder.digest` does."""

TRAILING_PADDING = 0xFFFCFFFC  # Data Set Trailing Padding, PS3.10 7.2
DERIVATION_DESCRIPTION = 0x00082111
"""In which encoders, dcmtk's for one, note that they compressed: no content where the transfer syntaxes differ."""

_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})  # extended ones, of an encapsulated value
_SEVERAL = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"})
_SINGLE = frozenset({"LT", "ST", "UR", "UT"})  # a backslash is a character of these, PS3.5 6.2


@dataclass(frozen=True)
class _Side:
    """One of the two data sets."""

    data: bytes
    implicit: bool
    elements: tuple[Element, ...]


def is_same(stored: InstanceFile, received: InstanceFile, *, decode: Decode) -> bool:
    """Whether both files hold the same instance.

    Args:
        stored: one.
        received: the other.
        decode: asked only where the pixels are encoded differently.

    Raises:
        NotUnderstood: one is not whole, or its pixels cannot be decoded.
    """
    one, other = _side(stored), _side(received)
    elements, others = one.elements, other.elements
    if stored.transfer_syntax_uid != received.transfer_syntax_uid:
        elements, others = (
            tuple(each for each in side if each.tag != DERIVATION_DESCRIPTION) for side in (elements, others)
        )
    return _same_elements(one, elements, other, others) and _same_pixels((stored, one), (received, other), decode)


def _side(file: InstanceFile) -> _Side:
    implicit = file.transfer_syntax_uid == IMPLICIT_VR_LE
    data = bytes(file.data)
    return _Side(data, implicit, walk(data, implicit=implicit))


def _counts(tag: int) -> bool:
    """Whether an element is part of the content: not meta information, group length, padding, or pixels."""
    return tag >> 16 != 2 and tag & 0xFFFF != 0 and tag not in {TRAILING_PADDING, PIXEL_DATA, *_OFFSET_TABLES}


def _same_elements(one: _Side, elements: tuple[Element, ...], other: _Side, others: tuple[Element, ...]) -> bool:
    mine = {each.tag: each for each in elements if _counts(each.tag)}
    theirs = {each.tag: each for each in others if _counts(each.tag)}
    return mine.keys() == theirs.keys() and all(_same_element(one, mine[tag], other, theirs[tag]) for tag in mine)


def _same_element(one: _Side, mine: Element, other: _Side, theirs: Element) -> bool:
    value, their_value = one.data[mine.start : mine.end], other.data[theirs.start : theirs.end]
    if value == their_value and one.implicit == other.implicit:
        return True
    representations = {value_representation(mine), value_representation(theirs)}
    if mine.items is not None or theirs.items is not None or "SQ" in representations:
        return _same_items(one, mine, other, theirs)
    known = sorted(representations - {"UN"})
    return same_value(known[0] if known else "UN", value, their_value)


def _same_items(one: _Side, mine: Element, other: _Side, theirs: Element) -> bool:
    try:
        items = sequence_items(one.data, mine, implicit=one.implicit)
        their_items = sequence_items(other.data, theirs, implicit=other.implicit)
    except NotUnderstood:  # only one of the two is a sequence
        return False
    return len(items) == len(their_items) and all(
        _same_elements(one, item, other, their_item) for item, their_item in zip(items, their_items, strict=True)
    )


def same_value(vr: str, one: bytes, other: bytes) -> bool:
    """Whether two values are the same apart from padding, and from how a decimal number is written.

    Args:
        vr: value representation, UN if nobody knows it.
        one: the bytes of the one.
        other: the bytes of the other.
    """
    if one == other:
        return True
    if vr in _SEVERAL:
        parts, others = one.split(b"\\"), other.split(b"\\")
        return len(parts) == len(others) and all(
            _same_part(vr, part.strip(b" \0"), their.strip(b" \0")) for part, their in zip(parts, others, strict=True)
        )
    if vr in _SINGLE or (vr == "UN" and len(one) != len(other)):
        return one.rstrip(b" \0") == other.rstrip(b" \0")
    return False


def _same_part(vr: str, one: bytes, other: bytes) -> bool:
    if vr in {"DS", "IS"} and one and other:
        with suppress(ValueError):
            return float(one) == float(other)
    return one == other


def _same_pixels(one: tuple[InstanceFile, _Side], other: tuple[InstanceFile, _Side], decode: Decode) -> bool:
    pixels, their_pixels = (find(side.elements, PIXEL_DATA) for _, side in (one, other))
    if pixels is None or their_pixels is None:
        return pixels is their_pixels
    syntax, their_syntax = one[0].transfer_syntax_uid, other[0].transfer_syntax_uid
    data, their_data = _encoded(one[1], pixels), _encoded(other[1], their_pixels)
    if data == their_data and (syntax == their_syntax or {syntax, their_syntax} <= set(UNCOMPRESSED)):
        return True
    if {syntax, their_syntax} <= set(UNCOMPRESSED):
        return False
    return decode(data, _frame(one[1], syntax)) == decode(their_data, _frame(other[1], their_syntax))


def _encoded(side: _Side, pixels: Element) -> bytes:
    """Return the bytes of the one frame: the value, or all fragments but the offset table."""
    if pixels.fragments is None:
        return side.data[pixels.start : pixels.end]
    return b"".join(side.data[start:end] for start, end in pixels.fragments[1:])


def _frame(side: _Side, syntax: str) -> Frame:
    header = Header(side.data, side.elements, implicit=side.implicit)
    rows, columns, allocated = (header.number(name) or 0 for name in ("Rows", "Columns", "BitsAllocated"))
    return Frame(syntax, rows, columns, allocated, header.number("BitsStored") or allocated)
