"""A DIMSE message while it arrives, in one buffer that the association uses again and again."""

import mmap

from dicomnode.transport.command_set import COMMAND, LAST, Command, parse_command
from dicomnode.transport.faults import ProtocolFault
from dicomnode.transport.limits import Limits

STEP = 1 << 20  # bytes by which the buffer grows, with what has really arrived and not with what is announced
KEPT = 4 << 20  # bytes of buffer that an association keeps for its next message; sixteen slices of 512 x 512 fit often


class Incoming:
    """A message of which fragments arrive.

    Args:
        limits: of the receiver.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer: mmap.mmap | None = None
        self._fragments = bytearray()
        self.context_id = 0
        self.command: Command | None = None
        self.received = 0
        self.began = 0.0

    @property
    def is_under_way(self) -> bool:
        """Whether a part of a message is here and its end is not."""
        return bool(self.context_id)

    @property
    def is_too_long(self) -> bool:
        """Whether the data set was longer than may be kept."""
        return self.received > self._limits.message_length

    @property
    def encoded_command(self) -> bytes:
        """The command set as it was sent."""
        return bytes(self._fragments)

    @property
    def data(self) -> memoryview:
        """The data set, in the buffer: whoever keeps it must copy it, the next message overwrites it."""
        if self._buffer is None or self.is_too_long:
            return memoryview(b"")
        return memoryview(self._buffer)[: self.received]

    def room(self, context_id: int, control: int, size: int, now: float) -> memoryview:
        """Return where a fragment is to be received.

        Args:
            context_id: of the fragment's presentation context.
            control: its message control header.
            size: in bytes.
            now: seconds of the monotonic clock.

        Raises:
            ProtocolFault: no such fragment may come now, or the message is too long or too slow.
        """
        if not self.is_under_way:
            self.context_id, self.began = context_id, now
        if context_id != self.context_id or (control & COMMAND) != (0 if self.command else COMMAND):
            raise ProtocolFault("a fragment of another message came in between")
        if now - self.began > self._limits.message_deadline_s(self.received):
            raise ProtocolFault("a message took too long")
        return self._room_for_command(size) if control & COMMAND else self._room_for_data(size)

    def is_complete(self, control: int) -> bool:
        """Whether the message is whole, now that the fragment of this control header has been received."""
        if not control & LAST:
            return False
        if self.command is not None:
            return True
        self.command = parse_command(self._fragments)
        return not self.command.has_data_set

    def clear(self) -> None:
        """Make ready for the next message; a large buffer is given back."""
        self.context_id, self.command, self.received = 0, None, 0
        self._fragments = bytearray()
        if self._buffer is not None and len(self._buffer) > KEPT:
            self._buffer = None

    def _room_for_command(self, size: int) -> memoryview:
        begin = len(self._fragments)
        if begin + size > self._limits.command_length:
            raise ProtocolFault("a command set is too long")
        self._fragments.extend(bytes(size))
        return memoryview(self._fragments)[begin:]

    def _room_for_data(self, size: int) -> memoryview:
        begin, self.received = self.received, self.received + size
        if self.received > 2 * self._limits.message_length:
            raise ProtocolFault("a data set is too long by far")
        if self.is_too_long:
            begin = 0  # read over what is there: the answer is a refusal
        end = begin + size
        if self._buffer is None:
            # Pages of its own and not the heap's: the heap keeps for itself what many threads have given back.
            self._buffer = mmap.mmap(-1, _in_steps(end), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        elif len(self._buffer) < end:
            self._buffer.resize(_in_steps(end))
        return memoryview(self._buffer)[begin:end]


def _in_steps(size: int) -> int:
    return -(-size // STEP) * STEP or STEP
