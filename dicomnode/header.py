"""The values of an encoded data set that the node itself looks at (pure).

Read straight from the bytes: much faster than a full parse, nothing is warned of that could hold a value, and no
pixel is touched.
"""

from functools import lru_cache
from struct import calcsize, unpack

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicomnode.encoded import Element, sequence_items
from dicomnode.errors import NotUnderstood

SPECIFIC_CHARACTER_SET = 0x00080005
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_TEXTS = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT", "UN")
)


class Header:
    """A data set, or an item of one, whose values can be asked for by keyword.

    Args:
        data: the encoded data set.
        elements: of the data set or of one item, as `encoded.walk` found them.
        implicit: whether the value representations are left out.
        encoding: Python's name of the character set, of the data set that an item stands in.
    """

    def __init__(
        self, data: bytes | memoryview, elements: tuple[Element, ...], *, implicit: bool, encoding: str = "latin-1"
    ) -> None:
        self._data = data
        self.elements = elements
        self._by_tag = {element.tag: element for element in elements}
        self._implicit = implicit
        self._encoding = encoding
        self._encoding = self._named_encoding() or encoding

    def text(self, name: str) -> str:
        """Return the value as text, several values joined by a backslash; empty if it is absent or has no text.

        Args:
            name: keyword of the DICOM dictionary, or `gggg,eeee` in hexadecimal digits.
        """
        element = self._by_tag.get(tag_of(name))
        if element is None or element.items is not None or element.fragments is not None:
            return ""
        vr = value_representation(element)
        if vr in _TEXTS:
            text = str(self._data[element.start : element.end], self._encoding, "replace")
            return "\\".join(part.strip(" \0") for part in text.split("\\")) if "\\" in text else text.strip(" \0")
        if vr in _NUMBERS:
            value = bytes(self._data[element.start : element.end])
            size = calcsize(_NUMBERS[vr])
            numbers = unpack(f"<{len(value) // size}{_NUMBERS[vr]}", value[: len(value) // size * size])
            return "\\".join(f"{number:g}" if vr in {"FL", "FD"} else str(number) for number in numbers)
        return ""

    def number(self, keyword: str) -> int | None:
        """Return an unsigned short, or None if it is absent, empty or none."""
        element = self._by_tag.get(tag_of(keyword))
        if element is None or element.end - element.start != 2:
            return None
        return int.from_bytes(self._data[element.start : element.end], "little")

    def items(self, keyword: str) -> tuple["Header", ...]:
        """Return the items of a sequence; none if it is absent or empty.

        Raises:
            NotUnderstood: the element is no sequence.
        """
        element = self._by_tag.get(tag_of(keyword))
        if element is None:
            return ()
        found = sequence_items(self._data, element, implicit=self._implicit)
        return tuple(Header(self._data, item, implicit=self._implicit, encoding=self._encoding) for item in found)

    def _named_encoding(self) -> str:
        """Return Python's name of the first character set that the data set names; code extensions are left out."""
        element = self._by_tag.get(SPECIFIC_CHARACTER_SET)
        if element is None or element.items is not None:
            return ""
        terms = bytes(self._data[element.start : element.end]).decode("ascii", "replace").split("\\")
        return next((python_encoding[term.strip()] for term in terms if python_encoding.get(term.strip())), "")


@lru_cache(maxsize=1024)
def tag_of(name: str) -> int:
    """Return the tag of a keyword or of `gggg,eeee`.

    Raises:
        NotUnderstood: the name is neither.
    """
    tag = int(name.replace(",", ""), 16) if len(name) == 9 and name[4] == "," else tag_for_keyword(name)
    if tag is None:
        raise NotUnderstood(f"{name} is no keyword of the DICOM dictionary")
    return tag


def value_representation(element: Element) -> str:
    """Return the VR as encoded, or the dictionary's where it is left out or unknown; UN if that has none either."""
    if element.vr and element.vr != "UN":
        return element.vr
    try:
        return dictionary_VR(element.tag)[:2]
    except KeyError:
        return "UN"
