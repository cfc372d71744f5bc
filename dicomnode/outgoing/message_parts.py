"""A DIMSE message cut into P-DATA-TF PDUs and put together again, PS3.8 9.3.5 and Annex E (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import pack, unpack_from

from dicomnode.errors import PeerFailure
from dicomnode.outgoing import command_set
from dicomnode.outgoing.command_set import NO_DATA_SET, Command

P_DATA = 0x04
_PDU_HEAD, _PDV_HEAD = 6, 6  # bytes: type, reserved, length; length, context, control
_COMMAND, _LAST = 0x01, 0x02  # bits of the message control header, PS3.8 E.2
_LEAST_PDU = 64  # bytes; a peer that announces less cannot mean it
_UNLIMITED_PDU = 131072  # bytes, for a peer that announces no limit


@dataclass(frozen=True)
class Message:
    """One DIMSE message.

    Args:
        context_id: of the presentation context that it came in.
        command: its command set.
        data: its data set as encoded, empty where it has none.
    """

    context_id: int
    command: Command
    data: bytes


def cut(context_id: int, command: Command, data: bytes | memoryview, longest_pdu: int) -> bytes:
    """Return a message as the PDUs that carry it.

    Args:
        context_id: of the presentation context.
        command: without CommandDataSetType, which is set by whether there is data.
        data: the encoded data set, empty where there is none.
        longest_pdu: what the receiver announced, in bytes; 0: it has no limit.
    """
    longest = max(longest_pdu, _LEAST_PDU) if longest_pdu else _UNLIMITED_PDU
    encoded = command_set.encode({**command, "CommandDataSetType": 1 if data else NO_DATA_SET})
    parts = [*_pdus(context_id, encoded, longest, _COMMAND)]
    if data:
        parts += _pdus(context_id, data, longest, 0)
    return b"".join(parts)


def _pdus(context_id: int, content: bytes | memoryview, longest: int, kind: int) -> Iterator[bytes | memoryview]:
    view, step = memoryview(content), longest - _PDV_HEAD
    for begin in range(0, len(content), step):
        piece = view[begin : begin + step]
        control = kind | (_LAST if begin + step >= len(content) else 0)
        yield pack(">BxIIBB", P_DATA, len(piece) + _PDV_HEAD, len(piece) + 2, context_id, control)
        yield piece


@dataclass
class Assembly:
    """Messages in the making, from the bodies of P-DATA-TF PDUs.

    Args:
        longest_data: bytes; a longer data set is refused.
    """

    longest_data: int
    _context_id: int = 0
    _command: bytearray = field(default_factory=bytearray)
    _parsed: Command | None = None
    _data: bytearray = field(default_factory=bytearray)

    def add(self, body: bytes) -> list[Message]:
        """Take one PDU; return the messages that it completes.

        Raises:
            PeerFailure: the peer sends what is no message, or one that is too long.
        """
        done, position = [], 0
        while position < len(body):
            if position + _PDV_HEAD > len(body):
                raise PeerFailure("the peer sends a broken P-DATA", transient=True)
            length, context_id, control = unpack_from(">IBB", body, position)
            end = position + 4 + length
            if length < 2 or end > len(body):
                raise PeerFailure("the peer sends a broken P-DATA", transient=True)
            message = self._take(context_id, control, body[position + _PDV_HEAD : end])
            done += [message] if message else []
            position = end
        return done

    def _take(self, context_id: int, control: int, piece: bytes) -> Message | None:
        if control & _COMMAND:
            self._begin_or_go_on(context_id, piece)
            if not control & _LAST:
                return None
            self._parsed = command_set.parse(bytes(self._command))
            if self._parsed.get("CommandDataSetType", NO_DATA_SET) != NO_DATA_SET:
                return None
            return self._finish()
        if self._parsed is None or context_id != self._context_id:
            raise PeerFailure("the peer sends a data set that belongs to no command", transient=True)
        self._data += piece
        if len(self._data) > self.longest_data:
            raise PeerFailure("the peer sends a longer data set than is allowed", transient=False)
        return self._finish() if control & _LAST else None

    def _begin_or_go_on(self, context_id: int, piece: bytes) -> None:
        if self._parsed is not None or (self._command and context_id != self._context_id):
            raise PeerFailure("the peer begins a message before the last one has ended", transient=True)
        self._context_id = context_id
        self._command += piece
        if len(self._command) > command_set.LONGEST:
            raise PeerFailure("the peer sends a longer command set than is allowed", transient=True)

    def _finish(self) -> Message:
        message = Message(self._context_id, self._parsed or {}, bytes(self._data))
        self._parsed = None
        self._command.clear()
        self._data.clear()
        return message
