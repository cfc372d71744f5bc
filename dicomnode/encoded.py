"""Where the elements of an encoded data set lie, and whether it is whole (pure).

PS3.5 chapter 7 and A.4, little endian only. The walk reads no value and allocates nothing in proportion to a declared
length, so that it can be the first to touch what a stranger sent.
"""

from struct import Struct, error
from typing import NamedTuple

from dicomnode.errors import NotUnderstood

PIXEL_DATA = 0x7FE00010
UNDEFINED = 0xFFFFFFFF
DEEPEST = 64  # nested sequences; dcmtk has the same limit since 2026
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DELIMITERS = b"\xfe\xff"  # their group
_SHORT = frozenset(
    (
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO"),
        *("LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
    )
)
"""Value representations whose explicit length has 16 bits (PS3.5 Table 7.1-2); all others have 32."""

_KNOWN = {
    vr.encode(): vr for vr in (*_SHORT, "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
}
"""Value representations as encoded -> as text; a newer one is taken letter by letter."""

_TAG_AND_LENGTH = Struct("<HHI")
_TAG_VR_LENGTH = Struct("<HH2sH")
_LENGTH = Struct("<I")


class Element(NamedTuple):
    """A data element and where it lies; a tuple, as some hundred are made for each instance that comes.

    Args:
        tag: group << 16 | element.
        vr: as encoded; empty in implicit VR.
        offset: of the first byte of the tag in the data set.
        start: of the first byte of the value.
        end: of the first byte after the value, any delimiter left out.
        items: the elements of each item, where this is a sequence that the encoding shows as one; else None.
        fragments: first byte and end of each fragment, the offset table first, where the value is encapsulated.
    """

    tag: int
    vr: str
    offset: int
    start: int
    end: int
    items: tuple[tuple["Element", ...], ...] | None = None
    fragments: tuple[tuple[int, int], ...] | None = None


def walk(data: bytes | memoryview, *, implicit: bool) -> tuple[Element, ...]:
    """Return the elements of the data set in their order.

    Args:
        data: a whole data set without preamble and file meta information.
        implicit: whether the value representations are left out.

    Raises:
        NotUnderstood: the bytes are not a whole data set, or nest deeper than 64 sequences.
    """
    try:
        elements, end = _elements(data, 0, len(data), implicit, 0)
    except error:
        raise NotUnderstood("the data set ends in the middle of an element") from None
    if end != len(data):
        raise NotUnderstood("the data set has bytes after its end")
    return elements


def sequence_items(data: bytes | memoryview, element: Element, *, implicit: bool) -> tuple[tuple[Element, ...], ...]:
    """Return the items of an element whose value is a sequence although its encoding does not say so.

    Raises:
        NotUnderstood: the value is no sequence of items.
    """
    if element.items is not None:
        return element.items
    try:
        return _items(data, element.start, element.end, implicit, 1)[0]
    except error:
        raise NotUnderstood("the value is no sequence") from None


def _elements(
    data: bytes | memoryview, position: int, limit: int, implicit: bool, depth: int
) -> tuple[tuple[Element, ...], int]:
    """Return the elements up to the limit or an item delimiter, and where they end."""
    if depth > DEEPEST:
        raise NotUnderstood(f"the data set nests sequences deeper than {DEEPEST}")
    found: dict[int, Element] = {}
    while position < limit:
        if data[position : position + 2] == _DELIMITERS:  # only they end a data set; the caller knows whether one may
            break
        tag, vr, length, start = _header(data, position, implicit)
        if tag in found:
            raise NotUnderstood("the data set has an element twice")
        if length == UNDEFINED or vr == "SQ":
            element, after = _nested(data, position, implicit, depth)
        else:
            after = start + length
            element = Element(tag, vr, position, start, after)
        if after > limit:
            raise NotUnderstood("the data set ends in the middle of an element")
        found[tag], position = element, after
    return tuple(found.values()), position


def _nested(data: bytes | memoryview, offset: int, implicit: bool, depth: int) -> tuple[Element, int]:
    """Return the element at the offset that has items or fragments, and where the next one begins."""
    tag, vr, length, start = _header(data, offset, implicit)
    if length == UNDEFINED:
        if tag == PIXEL_DATA and vr in {"OB", "OW"}:
            fragments, end, after = _fragments(data, start)
            return Element(tag, vr, offset, start, end, fragments=fragments), after
        if vr not in {"", "SQ", "UN"}:
            raise NotUnderstood("an element that is no sequence has an undefined length")
        # PS3.5 6.2.2 note 2: what is UN and of undefined length is a sequence in implicit VR.
        items, end, after = _delimited_items(data, start, implicit or vr == "UN", depth + 1)
        return Element(tag, vr, offset, start, end, items=items), after
    end = start + length
    if end > len(data):
        raise NotUnderstood("the data set ends in the middle of an element")
    items, after = _items(data, start, end, implicit, depth + 1)
    return Element(tag, vr, offset, start, end, items=items), after


def _header(data: bytes | memoryview, offset: int, implicit: bool) -> tuple[int, str, int, int]:
    """Return tag, value representation, declared length and the start of the value."""
    if implicit:
        group, number, length = _TAG_AND_LENGTH.unpack_from(data, offset)
        return group << 16 | number, "", length, offset + 8
    group, number, letters, length = _TAG_VR_LENGTH.unpack_from(data, offset)
    vr = _KNOWN.get(letters) or _spelt(letters)
    if vr in _SHORT:
        return group << 16 | number, vr, length, offset + 8
    return group << 16 | number, vr, _LENGTH.unpack_from(data, offset + 8)[0], offset + 12


def _spelt(letters: bytes) -> str:
    vr = letters.decode("latin-1")
    if not (vr.isascii() and vr.isalpha() and vr.isupper()):
        raise NotUnderstood("an element has no value representation")
    return vr


def _items(
    data: bytes | memoryview, position: int, limit: int, implicit: bool, depth: int
) -> tuple[tuple[tuple[Element, ...], ...], int]:
    """Return the items of a sequence of defined length; they must end where it ends."""
    items: list[tuple[Element, ...]] = []
    while position < limit:
        tag, length = _delimiter(data, position)
        if tag != _ITEM:
            raise NotUnderstood("a sequence holds something that is no item")
        item, position = _item(data, position + 8, length, implicit, depth)
        items.append(item)
    if position != limit:
        raise NotUnderstood("an item goes on beyond its sequence")
    return tuple(items), position


def _delimited_items(
    data: bytes | memoryview, position: int, implicit: bool, depth: int
) -> tuple[tuple[tuple[Element, ...], ...], int, int]:
    """Return the items of a sequence of undefined length, where they end, and where its delimiter ends."""
    items: list[tuple[Element, ...]] = []
    while True:
        tag, length = _delimiter(data, position)
        if tag == _SEQUENCE_END:
            return tuple(items), position, position + 8
        if tag != _ITEM:
            raise NotUnderstood("a sequence holds something that is no item")
        item, position = _item(data, position + 8, length, implicit, depth)
        items.append(item)


def _item(
    data: bytes | memoryview, position: int, length: int, implicit: bool, depth: int
) -> tuple[tuple[Element, ...], int]:
    """Return the elements of one item and where the next begins."""
    if length != UNDEFINED:
        if position + length > len(data):
            raise NotUnderstood("the data set ends in the middle of an item")
        elements, end = _elements(data, position, position + length, implicit, depth)
        if end != position + length:
            raise NotUnderstood("an item does not end where its length says")
        return elements, end
    elements, end = _elements(data, position, len(data), implicit, depth)
    if _delimiter(data, end)[0] != _ITEM_END:
        raise NotUnderstood("an item of undefined length has no delimiter")
    return elements, end + 8


def _fragments(data: bytes | memoryview, start: int) -> tuple[tuple[tuple[int, int], ...], int, int]:
    """Return the fragments of an encapsulated value (PS3.5 A.4), their end and that of the delimiter."""
    fragments: list[tuple[int, int]] = []
    position = start
    while True:
        tag, length = _delimiter(data, position)
        if tag == _SEQUENCE_END:
            return tuple(fragments), position, position + 8
        end = position + 8 + length
        if tag != _ITEM or length == UNDEFINED or end > len(data):
            raise NotUnderstood("the compressed pixel data are not in well-formed fragments")
        fragments.append((position + 8, end))
        position = end


def _delimiter(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """Return the tag and the length of an item or a delimiter."""
    group, number, length = _TAG_AND_LENGTH.unpack_from(data, position)
    return group << 16 | number, length


def find(elements: tuple[Element, ...], tag: int) -> Element | None:
    """Return the element of this tag at this level."""
    return next((element for element in elements if element.tag == tag), None)
