"""Messages of a peer that has an association: endless, dripping, broken off, pipelined."""

import socket
import struct
import time
from itertools import count

import pytest

from tests.support.instances import ct_instance, encode
from tests.support.siege import DIMSE_S, MESSAGE_LIMIT_MIB, MIB, NETWORK_S, Siege
from tests.support.wire import CT_CONTEXT, ECHO_CONTEXT, P_DATA, Wire, echo_command, message, p_data, store_command

CUT_S = max(DIMSE_S, NETWORK_S) + 10.0
UNIT = 16_000
SERIES = "1.2.826.0.1.3680043.8.498.66"


def pour(connection: Wire, context: int, *, is_command: bool, mib: int) -> int:
    """Send fragments of a message that does not end; return how many MiB the other side took."""
    fragment = p_data(context, bytes(UNIT), is_command=is_command, is_last=False)
    for sent in count(step=len(fragment)):
        if sent > mib * MIB:
            return mib
        try:
            connection.send(fragment)
        except OSError:
            return sent // MIB
    raise AssertionError("count does not end")


def test_an_endless_command_set_is_cut(siege: Siege) -> None:
    """Row 7: a command set of more than 64 KiB ends its association."""
    with siege.withstood(), siege.inside() as peer:
        assert pour(peer, ECHO_CONTEXT, is_command=True, mib=64) < 16
        assert peer.is_cut_within(CUT_S)


def test_an_endless_data_set_is_cut(siege: Siege) -> None:
    """Row 7: a data set of more than the configured limit is not held, and its association ends."""
    with siege.withstood(growth_mib=MESSAGE_LIMIT_MIB + 6), siege.inside() as peer:
        peer.send(p_data(CT_CONTEXT, store_command(f"{SERIES}.7"), is_command=True))
        assert pour(peer, CT_CONTEXT, is_command=False, mib=256) < 64
        assert peer.is_cut_within(CUT_S)


def test_a_data_set_just_over_the_limit_is_refused_and_not_kept(siege: Siege) -> None:
    """Row 7: C000 or the end of the association, and no file."""
    files = len(siege.files)
    ds = ct_instance(8, series=SERIES, rows=2048, columns=2050)

    with siege.inside() as peer:
        outcome = stored_or_cut(peer, ds.SOPInstanceUID, encode(ds))

    assert outcome in {"C000", "A700", "cut"}
    assert len(siege.files) == files


def stored_or_cut(peer: Wire, sop_instance_uid: str, data: bytes) -> str:
    """Return the status of a C-STORE, or that the association ended."""
    try:
        return f"{peer.store(sop_instance_uid, data):04X}"
    except ConnectionError:
        return "cut"


@pytest.mark.parametrize("begun", [b"\x04", b"\x04\x00\x00", struct.pack(">BBI", P_DATA, 0, 1000) + b"half"])
def test_half_a_pdu_is_cut(siege: Siege, begun: bytes) -> None:
    """Row 4: the connection, its threads and its socket are gone."""
    with siege.withstood(), siege.inside() as peer:
        peer.send(begun)
        assert peer.is_cut_within(CUT_S)


def test_a_dripping_pdu_is_cut(siege: Siege) -> None:
    """Row 5: a PDU has a time in which it must be whole, however steadily its bytes come."""
    data = message(CT_CONTEXT, store_command(f"{SERIES}.5"), bytes(4000))
    with siege.withstood(), siege.inside() as peer:
        assert peer.is_cut_while_dripping(data, CUT_S)


def test_a_silent_association_is_cut(siege: Siege) -> None:
    """Row 4: a peer that has an association and says nothing has it for as long as the network timeout."""
    with siege.withstood(), siege.inside() as peer:
        assert peer.is_cut_within(CUT_S)


def test_a_peer_that_waits_for_no_answer_is_held_back(siege: Siege) -> None:
    """Row 9: 300 instances of 0.5 MB in one go wait in the network and not in memory, and each gets its answer."""
    sets = [ct_instance(number, series=SERIES, rows=512, columns=512) for number in range(100, 130)]
    messages = [message(CT_CONTEXT, store_command(ds.SOPInstanceUID), encode(ds)) for ds in sets]
    before = siege.resources.memory
    highest = before
    with siege.withstood(), siege.inside() as peer:
        for number in range(300):
            peer.send(messages[number % len(messages)])
            highest = max(highest, siege.resources.memory)
        assert {peer.status() for _ in range(300)} == {0x0000}
        peer.release()
    assert highest - before < 40 * MIB


def test_answers_that_nobody_reads_hold_nothing(siege: Siege) -> None:
    """Row 9: a peer that asks and never reads is cut."""
    many = message(ECHO_CONTEXT, echo_command()) * 200
    with siege.withstood(), siege.inside() as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.socket.settimeout(1.0)
        deadline = time.monotonic() + CUT_S + 120.0  # the kernel takes megabytes first
        while is_taken(peer, many):
            assert time.monotonic() < deadline


def is_taken(peer: Wire, data: bytes) -> bool:
    """Whether the connection still stands; that it is full is no end."""
    try:
        peer.send(data)
    except TimeoutError:
        return True
    except ConnectionError:
        return False
    return True


def test_resets_in_the_middle_of_an_instance_leave_nothing(siege: Siege) -> None:
    """Row 20: sixty peers that vanish in a C-STORE leave no file in the spool and none in the temporary folder."""
    ds = ct_instance(20, series=SERIES, rows=512, columns=512)
    half = message(CT_CONTEXT, store_command(ds.SOPInstanceUID), encode(ds))[:250_000]
    with siege.withstood():
        for _ in range(60):
            with siege.inside() as peer:
                peer.send(half)
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert list(siege.temporary.iterdir()) == []
