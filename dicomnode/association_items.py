"""Items and sub-items of the PDUs that negotiate an association, PS3.8 9.3.1 (pure)."""

from collections.abc import Iterator
from struct import error, pack, unpack_from

APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"  # PS3.7 A.2.1
APPLICATION_CONTEXT, PROPOSED_CONTEXT, GRANTED_CONTEXT, USER_INFORMATION = 0x10, 0x20, 0x21, 0x50
ABSTRACT_SYNTAX, TRANSFER_SYNTAX = 0x30, 0x40
MAXIMUM_LENGTH, IMPLEMENTATION_CLASS, ROLE_SELECTION, IMPLEMENTATION_VERSION = 0x51, 0x52, 0x54, 0x55
FIXED = 68  # bytes of such a PDU between its header and its items: version, AE titles, reserved
USUAL_LENGTH = 16384  # bytes of a PDU, for who names no maximum although PS3.8 D.1 says that it shall


def item(kind: int, content: bytes) -> bytes:
    """Return an item."""
    return pack(">BxH", kind, len(content)) + content


def items(data: bytes, position: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each item from a position on.

    Raises:
        struct.error: one does not end where its length says.
    """
    while position < len(data):
        kind, length = unpack_from(">BxH", data, position)
        end = position + 4 + length
        if end > len(data):
            raise error("an item is longer than what holds it")
        yield kind, data[position + 4 : end]
        position = end
