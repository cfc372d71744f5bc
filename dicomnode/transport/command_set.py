"""The command set of a C-STORE request, read by hand, and the response to it (pure).

PS3.7 6.3.1 and 9.3.1: implicit VR little endian, group 0000, in the order of the tags.
"""

from dataclasses import dataclass
from struct import Struct, error

from dicomnode.acceptance import is_uid

_ELEMENT = Struct("<HHI")
_US = Struct("<H")
_PDU = Struct(">BxIIBB")  # PS3.8 9.3.5 with one value: type, length, length of the value, context, control header

P_DATA_TF = 0x04
COMMAND, LAST = 0x01, 0x02  # of a message control header, PS3.8 E.2
C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
NO_DATA_SET = 0x0101

# Elements of group 0000 (PS3.7 E.1).
CLASS, FIELD, MESSAGE_ID, RESPONDED_TO, DATA_SET_TYPE = 0x0002, 0x0100, 0x0110, 0x0120, 0x0800
STATUS, COMMENT, INSTANCE = 0x0900, 0x0902, 0x1000


@dataclass(frozen=True, slots=True)
class Command:
    """What a command set says, as far as the receiver itself looks at it.

    Args:
        field: which command it is; 0 where that cannot be read.
        has_data_set: whether a data set follows.
        message_id: by which the response refers to it; None where it has none.
        sop_class_uid: Affected SOP Class UID; empty where it is absent or no UID.
        sop_instance_uid: Affected SOP Instance UID; likewise.
    """

    field: int
    has_data_set: bool
    message_id: int | None
    sop_class_uid: str
    sop_instance_uid: str

    @property
    def is_store_request(self) -> bool:
        """Whether it is a C-STORE request that can be answered; one that is malformed cannot."""
        return (
            self.field == C_STORE_RQ
            and self.message_id is not None
            and bool(self.sop_class_uid)
            and bool(self.sop_instance_uid)
        )


def parse_command(encoded: bytes | bytearray) -> Command:
    """Return what a command set says; what is malformed has no value."""
    values: dict[int, bytes] = {}
    position = 0
    try:
        while position < len(encoded):
            group, number, length = _ELEMENT.unpack_from(encoded, position)
            if group:
                break
            position += 8 + length
            values[number] = bytes(encoded[position - length : position])
    except error:
        values = {}
    if position > len(encoded):
        values = {}
    data_set_type = _number(values, DATA_SET_TYPE)
    return Command(
        _number(values, FIELD) or 0,
        data_set_type is not None and data_set_type != NO_DATA_SET,
        _number(values, MESSAGE_ID),
        _uid(values, CLASS),
        _uid(values, INSTANCE),
    )


def store_response(command: Command, context_id: int, status: int, comment: str, longest_pdu: int) -> bytes:
    """Return the PDUs of a C-STORE response.

    Args:
        command: the request's.
        context_id: of the request's presentation context.
        status: of PS3.4 B.2.3.
        comment: ASCII of at most 64 characters; empty for none.
        longest_pdu: in bytes after the header, as the peer announced it; 0 for any length.
    """
    body = b"".join(
        (
            _element(CLASS, command.sop_class_uid.encode(), b"\0"),
            _element(FIELD, _US.pack(C_STORE_RSP)),
            _element(RESPONDED_TO, _US.pack(command.message_id or 0)),
            _element(DATA_SET_TYPE, _US.pack(NO_DATA_SET)),
            _element(STATUS, _US.pack(status)),
            _element(COMMENT, comment.encode()) if comment else b"",
            _element(INSTANCE, command.sop_instance_uid.encode(), b"\0"),
        )
    )
    encoded = _element(0x0000, len(body).to_bytes(4, "little")) + body
    step = max(longest_pdu - 6, 2) if longest_pdu else len(encoded)
    parts = [encoded[start : start + step] for start in range(0, len(encoded), step)]
    return b"".join(
        _PDU.pack(P_DATA_TF, len(part) + 6, len(part) + 2, context_id, COMMAND | (LAST if part is parts[-1] else 0))
        + part
        for part in parts
    )


def _element(number: int, value: bytes, padding: bytes = b" ") -> bytes:
    value += padding * (len(value) % 2)
    return _ELEMENT.pack(0, number, len(value)) + value


def _number(values: dict[int, bytes], number: int) -> int | None:
    value = values.get(number, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else None


def _uid(values: dict[int, bytes], number: int) -> str:
    text = values.get(number, b"").rstrip(b"\0 ").decode("latin-1")
    return text if is_uid(text) else ""
