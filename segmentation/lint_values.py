"""Values of a data set as they are written in its file, which the rules of the lint look at (pure)."""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

from pydicom import Dataset
from pydicom.charset import decode_bytes, python_encoding
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

DELIMITERS = {
    0x5C,
    0x5E,
    0x3D,
}  # backslash ^ = after which a value in ISO 2022 is in its first character set again, PS3.5 6.1.2.5.3


@cache
def _tag(keyword: str) -> BaseTag:
    """Return the tag of a keyword, which each contour asks for anew."""
    return Tag(keyword)


@lru_cache(maxsize=4096)
def _known(tag: BaseTag) -> tuple[str, str]:
    """Return VR and name of an attribute, as the dictionary has them."""
    return dictionary_VR(tag) if dictionary_has_tag(tag) else "UN", keyword_for_tag(tag) or str(tag)


def has(item: Dataset, keyword: str) -> bool:
    """Whether an attribute is there, be it empty."""
    present = item.keys()  # of a Dataset itself `in` looks every keyword up anew
    return _tag(keyword) in present


def raw_bytes(item: Dataset, keyword: str) -> bytes | None:
    """Return a value as it is encoded, with its padding; None if there is no such attribute."""
    return _encoded(item, _tag(keyword))


def _encoded(item: Dataset, tag: BaseTag) -> bytes | None:
    element = item.get_item(tag)
    if element is None:
        return None
    value = element.value
    if isinstance(value, bytes):
        return value
    # Read by pydicom already, as the character set always is; that it took the padding away is no fault of the file.
    values = value if isinstance(value, MultiValue) else [] if value is None else [value]
    text = "\\".join(map(str, values)).encode("latin-1", "replace")
    return text + b" " * (len(text) % 2)


def text_of(item: Dataset, keyword: str, encodings: Sequence[str] = ("iso8859",)) -> str:
    """Return the text of an attribute without its padding, empty where there is none."""
    value = (raw_bytes(item, keyword) or b"").strip(b" \0")
    if b"\x1b" in value:
        return str(decode_bytes(value, list(encodings), DELIMITERS))
    return value.decode(encodings[0], "replace")


def items_of(item: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence, none where it is absent."""
    return list(item[_tag(keyword)].value or []) if has(item, keyword) else []


def places(ds: Dataset, sequences: tuple[str, ...], path: str = "") -> Iterator[tuple[str, Dataset]]:
    """Yield the path and the item of every item of a nested sequence; the data set itself for no sequence."""
    if not sequences:
        yield path, ds
        return
    for index, item in enumerate(items_of(ds, sequences[0])):
        yield from places(item, sequences[1:], f"{path}{sequences[0]}[{index}].")


def encodings_of(ds: Dataset) -> list[str]:
    """Return Python's names of a data set's character sets; an unknown one is passed over."""
    terms = text_of(ds, "SpecificCharacterSet").split("\\")
    return [python_encoding[term.strip()] for term in terms if term.strip() in python_encoding] or ["iso8859"]


def elements_of(ds: Dataset, path: str = "") -> Iterator[tuple[str, str, bytes]]:
    """Yield path, VR and encoded value of every attribute of the Standard, those in sequences too."""
    for tag in list(ds.keys()):
        usual_vr, name = _known(tag)
        vr = getattr(ds.get_item(tag), "VR", None) or usual_vr
        here = f"{path}{name}"
        if vr == "SQ":
            for index, item in enumerate(ds[tag].value or []):
                yield from elements_of(item, f"{here}[{index}].")
        elif not tag.is_private:
            yield here, vr, _encoded(ds, tag) or b""
