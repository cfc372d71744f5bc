"""A message while it arrives: where its fragments go, and what may not come."""

import pytest

from dicomnode.transport.faults import ProtocolFault
from dicomnode.transport.incoming import KEPT, Incoming
from dicomnode.transport.limits import Limits
from tests.support.wire import echo_command, store_command

COMMAND, DATA, LAST = 1, 0, 2
LIMITS = Limits(command_length=1000, message_length=3000, message_s=30.0)


def receive(incoming: Incoming, control: int, fragment: bytes, now: float = 0.0, context_id: int = 3) -> bool:
    """Receive a fragment; return whether the message is whole."""
    incoming.room(context_id, control, len(fragment), now)[:] = fragment
    return incoming.is_complete(control)


def test_fragments_make_a_message() -> None:
    """Command set and data set may each come in pieces."""
    incoming, command = Incoming(LIMITS), store_command("1.2.3")

    whole = [
        receive(incoming, COMMAND, command[:50]),
        receive(incoming, COMMAND | LAST, command[50:]),
        receive(incoming, DATA, b"one "),
        receive(incoming, DATA | LAST, b"two!"),
    ]

    assert whole == [False, False, False, True]
    assert (incoming.encoded_command, bytes(incoming.data)) == (command, b"one two!")


def test_a_message_without_data_set_is_whole_with_its_command() -> None:
    """A C-ECHO request is one fragment; the next message begins afresh."""
    incoming = Incoming(LIMITS)

    first = receive(incoming, COMMAND | LAST, echo_command())
    incoming.clear()
    second = receive(incoming, COMMAND | LAST, echo_command(2), context_id=1)

    assert (first, second) == (True, True)
    assert incoming.encoded_command == echo_command(2)


@pytest.mark.parametrize(
    ("control", "size", "now", "context_id", "said"),
    [
        (COMMAND, 10, 0.0, 3, "another message"),
        (DATA, 10, 0.0, 5, "another message"),
        (DATA, 6001, 0.0, 3, "too long by far"),
        (DATA, 10, 31.0, 3, "took too long"),
    ],
)
def test_what_may_not_follow_a_command(control: int, size: int, now: float, context_id: int, said: str) -> None:
    """Another message in between, an endless data set, one that takes for ever."""
    incoming = Incoming(LIMITS)
    receive(incoming, COMMAND | LAST, store_command("1.2.3"))

    with pytest.raises(ProtocolFault, match=said):
        incoming.room(context_id, control, size, now)


def test_a_command_set_has_a_limit_and_comes_first() -> None:
    """However it is cut into fragments."""
    incoming = Incoming(LIMITS)
    receive(incoming, COMMAND, bytes(900))

    with pytest.raises(ProtocolFault, match="too long"):
        incoming.room(3, COMMAND, 101, 0.0)
    with pytest.raises(ProtocolFault, match="another message"):
        Incoming(LIMITS).room(3, DATA, 1, 0.0)


def test_a_data_set_that_is_too_long_is_read_and_not_kept() -> None:
    """Up to twice the limit, so that the peer can be told instead of being cut off."""
    incoming = Incoming(LIMITS)
    receive(incoming, COMMAND | LAST, store_command("1.2.3"))

    receive(incoming, DATA, bytes(2000))
    whole = receive(incoming, DATA | LAST, bytes(2000))

    assert whole
    assert incoming.is_too_long
    assert len(incoming.data) == 0


def test_memory_grows_with_what_came_and_a_large_buffer_goes() -> None:
    """The next small message gets a small buffer again."""
    incoming = Incoming(Limits())
    receive(incoming, COMMAND | LAST, store_command("1.2.3"))
    for _ in range(50):
        receive(incoming, DATA, b"x" * 131000)
    large = len(incoming._buffer or b"")
    data = bytes(incoming.data)

    incoming.clear()
    receive(incoming, COMMAND | LAST, store_command("1.2.3"))
    receive(incoming, DATA | LAST, b"small")

    assert data == b"x" * 50 * 131000
    assert KEPT < large <= len(data) + (1 << 20)
    assert len(incoming._buffer or b"") == 1 << 20
