"""An A-ASSOCIATE-RQ made plain: what the Standard tells an acceptor to read over is gone, the rest as it was (pure).

pynetdicom aborts on whatever it does not know or finds out of form, where PS3.8 wants it ignored, and where it says
nothing of whom and what is asked for. A context of malformed UIDs is answered as one that is not supported, and costs
its peer no other.
"""

import re
from collections.abc import Iterator
from struct import error, pack, unpack_from

from dicomnode.association_items import (
    ABSTRACT_SYNTAX,
    APPLICATION_CONTEXT,
    FIXED,
    IMPLEMENTATION_CLASS,
    IMPLEMENTATION_VERSION,
    MAXIMUM_LENGTH,
    PROPOSED_CONTEXT,
    TRANSFER_SYNTAX,
    USER_INFORMATION,
    USUAL_LENGTH,
    item,
    items,
)

NOBODYS = b"2.25.0"  # stands for a malformed UID: of the right form, and nothing is called so
LONGEST_VERSION_NAME = 16  # PS3.7 D.3.3.2.3
LONGEST_UID = 64
_UID = re.compile(rb"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
_HEADER = 6  # bytes: type, reserved, length
_TITLES = slice(_HEADER + 4, _HEADER + 36)  # called and calling AE title
_KNOWN = frozenset(range(MAXIMUM_LENGTH, 0x59))  # sub-items of the user information in a request, PS3.7 D.3.3


def plain(pdu: bytes) -> bytes:
    """Return the request without what is to be read over; what cannot be taken apart is returned as it is.

    Args:
        pdu: an A-ASSOCIATE-RQ, whole.
    """
    if len(pdu) < _HEADER + FIXED:
        return pdu
    try:
        (version,) = unpack_from(">H", pdu, _HEADER)
        titles = pdu[_TITLES].replace(b"\0", b" ")  # as some pad them
        body = b"".join(item(kind, content) for kind, content in _known_items(pdu))
    except error:
        return pdu
    version &= 1  # others may be named beside version 1, PS3.8 9.3.2
    reserved = pdu[_TITLES.stop : _HEADER + FIXED]
    return pdu[:2] + pack(">IHH", FIXED + len(body), version, 0) + titles + reserved + body


def _known_items(pdu: bytes) -> Iterator[tuple[int, bytes]]:
    for kind, content in items(pdu, _HEADER + FIXED):
        if kind == APPLICATION_CONTEXT:
            yield kind, content
        elif kind == PROPOSED_CONTEXT:
            yield kind, content[:4] + b"".join(item(sub, _syntax(sub, value)) for sub, value in items(content, 4))
        elif kind == USER_INFORMATION:
            yield kind, b"".join(item(sub, value) for sub, value in _user_information(content))


def _syntax(kind: int, value: bytes) -> bytes:
    """Return an abstract or transfer syntax that pynetdicom reads; one that is absent is left to it."""
    if kind not in {ABSTRACT_SYNTAX, TRANSFER_SYNTAX} or not value:
        return value
    return _uid(value) or NOBODYS


def _user_information(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield what is known of it (PS3.8 D.2 Note 2), and what a peer says of its own making if it is well-formed."""
    found = [(kind, value) for kind, value in items(content) if kind in _KNOWN]
    if MAXIMUM_LENGTH not in (kind for kind, _ in found):
        yield MAXIMUM_LENGTH, pack(">I", USUAL_LENGTH)
    for kind, value in found:
        said = _OF_ITS_MAKING[kind](value) if kind in _OF_ITS_MAKING else value
        if said:
            yield kind, said


def _uid(value: bytes) -> bytes:
    """Return a UID without its padding; nothing where it has not the form of PS3.5 9.1."""
    text = value.strip(b"\0 ")
    return text if len(text) <= LONGEST_UID and _UID.fullmatch(text) else b""


def _name(value: bytes) -> bytes:
    """Return a version name that is short and ASCII."""
    text = value.decode("ascii", "replace").strip("\0 ")[:LONGEST_VERSION_NAME]
    return text.encode("ascii", "replace")


_OF_ITS_MAKING = {IMPLEMENTATION_CLASS: _uid, IMPLEMENTATION_VERSION: _name}
