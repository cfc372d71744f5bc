"""A listening receiver, and connections that do not behave."""

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.config import Receiving
from tests.support.instances import ct_instance, encode
from tests.support.receiver import RunningReceiver, running_receiver
from tests.support.wire import (
    ABORT,
    ASSOCIATE_AC,
    CT_CONTEXT,
    ECHO_CONTEXT,
    P_DATA,
    RELEASE_RP,
    Wire,
    associate_rq,
    data_value,
    echo_command,
    message,
    pdu,
    statuses_of,
    store_command,
    wire,
)

IMPATIENT = Receiving(acse_timeout_s=1.0, pdu_timeout_s=1.0, message_limit_mib=1, maximum_connections_of_one_address=4)
DATA = encode(ct_instance(), "1.2.840.10008.1.2.1")
UID = str(ct_instance().SOPInstanceUID)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningReceiver]:
    with running_receiver(tmp_path, receiving=IMPATIENT) as running:
        yield running


@pytest.fixture
def peer(node: RunningReceiver) -> Iterator[Wire]:
    """Return a connection with an association."""
    with wire(("127.0.0.1", node.receiver.port), "127.0.0.1") as connection:
        assert connection.ask()[0] == ASSOCIATE_AC
        yield connection


def test_one_pdu_may_hold_a_whole_message_and_the_next(peer: Wire) -> None:
    """Command set, data set in two values, and the command of an echo, in one P-DATA-TF: both are answered."""
    values = (
        data_value(CT_CONTEXT, store_command(UID), is_command=True)
        + data_value(CT_CONTEXT, DATA[:100], is_command=False, is_last=False)
        + data_value(CT_CONTEXT, DATA[100:], is_command=False)
        + data_value(ECHO_CONTEXT, echo_command(2), is_command=True)
    )

    peer.send(pdu(P_DATA, values))

    assert [peer.status(), peer.status()] == [0x0000, 0x0000]


def test_messages_that_do_not_wait_for_their_answers_are_served_in_order(peer: Wire) -> None:
    """Three instances in one go, and the release right behind them."""
    for number in (1, 2, 3):
        ds = ct_instance(number)
        peer.send(message(CT_CONTEXT, store_command(ds.SOPInstanceUID, message=number), encode(ds)))

    statuses = [peer.status() for _ in range(3)]
    peer.send(struct.pack(">BBII", 5, 0, 4, 0))

    assert statuses == [0x0000] * 3
    assert peer.read()[0] == RELEASE_RP


def test_a_data_set_that_is_too_long_is_refused_and_the_association_goes_on(peer: Wire) -> None:
    """C000, and the next one is taken."""
    too_long = peer.store("1.2.3", bytes((1 << 20) + 1))

    assert (too_long, peer.store(UID, DATA)) == (0xC000, 0x0000)


@pytest.mark.parametrize(
    "bad",
    [
        struct.pack(">BBI", P_DATA, 0, 0xFFFFFFFF),
        struct.pack(">BBI", 1, 0, 1 << 20),
        pdu(P_DATA, b""),
        pdu(P_DATA, struct.pack(">IBB", 1, CT_CONTEXT, 3)),
        pdu(P_DATA, struct.pack(">IBB", 500, CT_CONTEXT, 3)),
        pdu(P_DATA, data_value(99, echo_command(), is_command=True)),
        pdu(P_DATA, data_value(CT_CONTEXT, b"data", is_command=False)),
        message(CT_CONTEXT, store_command("../../x"), DATA),
        pdu(9, b"what"),
    ],
)
def test_what_breaks_the_protocol_is_aborted(peer: Wire, node: RunningReceiver, bad: bytes) -> None:
    """Too long, empty, outside its PDU, in no context, out of order, of no kind; nothing of it stays."""
    peer.send(bad)

    assert peer.read()[0] == ABORT
    assert peer.is_cut_within(5.0)
    assert list(node.spool.paths()) == []


@pytest.mark.parametrize("half", [b"\x04\x00\x00", struct.pack(">BBI", P_DATA, 0, 1000) + b"half"])
def test_half_a_pdu_is_cut_when_its_time_is_up(peer: Wire, half: bytes) -> None:
    """Also when a byte comes now and then."""
    peer.send(half)

    assert peer.is_cut_while_dripping(bytes(20), 8.0)


def test_a_request_that_is_too_long_is_not_read(node: RunningReceiver) -> None:
    """An A-ASSOCIATE-RQ of four gigabytes is answered with an abort at its header."""
    with wire(("127.0.0.1", node.receiver.port), "127.0.0.1") as stranger:
        stranger.send(struct.pack(">BBI", 1, 0, 0xFFFFFFFF))

        assert stranger.read()[0] == ABORT


def test_silent_connections_are_bounded_and_keep_nobody_out(node: RunningReceiver) -> None:
    """One address gets its four; another is served, and all is over soon after."""
    address = ("127.0.0.1", node.receiver.port)
    silent = [socket.create_connection(address, source_address=("127.0.0.2", 0)) for _ in range(20)]

    with wire(address, "127.0.0.1") as peer:
        answer, connections = peer.ask()[0], node.receiver.open_connections
        echo = peer.echo()
        peer.release()
    deadline = time.monotonic() + 8.0
    while node.receiver.open_connections and time.monotonic() < deadline:
        time.sleep(0.05)
    for each in silent:
        each.close()

    assert (answer, echo) == (ASSOCIATE_AC, 0x0000)
    assert connections <= 5
    assert node.receiver.open_connections == 0


def test_a_context_without_transfer_syntax_leaves_no_thread(node: RunningReceiver) -> None:
    """Negotiation fails inside the library; the association is aborted and forgotten at once."""
    with wire(("127.0.0.1", node.receiver.port), "127.0.0.1") as stranger:
        stranger.send(associate_rq(contexts=((1, "1.2.840.10008.1.1", ()),)))
        stranger.socket.settimeout(5.0)

        assert stranger.is_cut_within(5.0)


def test_the_answer_says_what_was_asked(peer: Wire) -> None:
    """A refusal on the wire carries its status."""
    peer.send(message(CT_CONTEXT, store_command("1.2.3"), DATA))

    kind, body = peer.read()

    assert (kind, statuses_of(body)) == (P_DATA, [0xA900])
