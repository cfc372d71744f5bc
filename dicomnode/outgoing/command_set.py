"""A DIMSE command set to bytes and back, PS3.7 6.3.1 and E.1: group 0000 in implicit VR little endian (pure)."""

from collections.abc import Mapping
from struct import error, pack, unpack_from

from dicomnode.errors import PeerFailure

Command = dict[str, int | str]
"""Keyword of the element -> its value."""

C_STORE, C_GET, C_FIND, C_MOVE, C_ECHO = 0x0001, 0x0010, 0x0020, 0x0021, 0x0030
N_EVENT_REPORT, N_ACTION, C_CANCEL = 0x0100, 0x0130, 0x0FFF
RESPONSE = 0x8000  # is set in the Command Field of a response
NO_DATA_SET = 0x0101  # Command Data Set Type; any other value: one follows
WITH_DATA_SET = 0x0001
LONGEST = 65536  # bytes; a command set has some hundred

_US, _TEXT, _UID = "US", "text", "UI"
_ELEMENTS: dict[str, tuple[int, str]] = {
    "AffectedSOPClassUID": (0x0002, _UID),
    "RequestedSOPClassUID": (0x0003, _UID),
    "CommandField": (0x0100, _US),
    "MessageID": (0x0110, _US),
    "MessageIDBeingRespondedTo": (0x0120, _US),
    "MoveDestination": (0x0600, _TEXT),
    "Priority": (0x0700, _US),
    "CommandDataSetType": (0x0800, _US),
    "Status": (0x0900, _US),
    "ErrorComment": (0x0902, _TEXT),
    "AffectedSOPInstanceUID": (0x1000, _UID),
    "RequestedSOPInstanceUID": (0x1001, _UID),
    "EventTypeID": (0x1002, _US),
    "ActionTypeID": (0x1008, _US),
    "NumberOfRemainingSuboperations": (0x1020, _US),
    "NumberOfCompletedSuboperations": (0x1021, _US),
    "NumberOfFailedSuboperations": (0x1022, _US),
    "NumberOfWarningSuboperations": (0x1023, _US),
}
_KEYWORDS = {number: (keyword, vr) for keyword, (number, vr) in _ELEMENTS.items()}


def encode(command: Mapping[str, int | str]) -> bytes:
    """Return the command set, its group length first."""
    elements = b"".join(
        _element(number, vr, command[keyword]) for keyword, (number, vr) in _ELEMENTS.items() if keyword in command
    )
    return pack("<HHII", 0, 0, 4, len(elements)) + elements


def parse(data: bytes) -> Command:
    """Return what a peer's command set says; elements that nobody here asks for are left out.

    Raises:
        PeerFailure: it is no command set.
    """
    found: Command = {}
    position = 0
    try:
        while position < len(data):
            group, number, length = unpack_from("<HHI", data, position)
            position += 8
            if position + length > len(data):
                raise PeerFailure("the peer sends a broken command set", transient=True)
            # Orthanc 1.10 puts the list of failed instances, which is no part of a command, behind its elements.
            keyword, vr = _KEYWORDS.get(number, ("", "")) if group == 0 else ("", "")
            if keyword and length:
                found[keyword] = _value(vr, data[position : position + length])
            position += length
    except error:
        raise PeerFailure("the peer sends a broken command set", transient=True) from None
    return found


def number_in(command: Mapping[str, int | str], keyword: str) -> int | None:
    """Return an element's number, None where it is absent."""
    value = command.get(keyword)
    return value if isinstance(value, int) else None


def text_in(command: Mapping[str, int | str], keyword: str) -> str:
    """Return an element's text, empty where it is absent."""
    value = command.get(keyword, "")
    return value if isinstance(value, str) else ""


def _element(number: int, vr: str, value: int | str) -> bytes:
    if isinstance(value, int):
        return pack("<HHIH", 0, number, 2, value)
    encoded = value.encode("ascii", "replace")
    encoded += (b"\0" if vr == _UID else b" ") * (len(encoded) % 2)
    return pack("<HHI", 0, number, len(encoded)) + encoded


def _value(vr: str, value: bytes) -> int | str:
    if vr == _US:
        return int(unpack_from("<H", value)[0])
    return value.decode("ascii", "replace").strip(" \0")
