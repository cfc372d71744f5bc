"""Data elements as Implicit VR Little Endian bytes, PS3.5 7.1.3 and 7.5 (pure).

pydicom parses and formats every number of a contour again when it writes one; twelve organs have tens of thousands.
"""

import struct
from collections.abc import Iterable
from functools import cache

from pydicom.tag import Tag

ITEM = struct.pack("<HH", 0xFFFE, 0xE000)
LENGTH = struct.Struct("<I")
LARGEST_SHORT = 65534  # bytes: the most that an explicit VR with a 16 bit length holds, even


def element(keyword: str, value: bytes, *, padding: bytes = b" ") -> bytes:
    """Return one data element, its value padded to an even length (PS3.5 6.2: UI with NUL, text with a space)."""
    return _tagged(_tag(keyword), value + padding * (len(value) % 2))


def uid(keyword: str, value: str) -> bytes:
    """Return one data element of VR UI."""
    return element(keyword, value.encode("ascii"), padding=b"\0")


def text(keyword: str, value: str) -> bytes:
    """Return one data element of a text or number VR, which must be ASCII."""
    return element(keyword, value.encode("ascii"))


def sequence(keyword: str, items: Iterable[bytes]) -> bytes:
    """Return a sequence of items, each given as its joined data elements in ascending order of tags."""
    return element(keyword, items_of(items))


def items_of(items: Iterable[bytes]) -> bytes:
    """Return the value of a sequence: its items, with defined lengths."""
    return b"".join(_tagged(ITEM, item) for item in items)


@cache
def _tag(keyword: str) -> bytes:
    tag = Tag(keyword)
    return struct.pack("<HH", tag.group, tag.element)


def _tagged(tag: bytes, value: bytes) -> bytes:
    return tag + LENGTH.pack(len(value)) + value
