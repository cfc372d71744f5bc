"""Association requests that are wrong: who asks, for what, and how long it is."""

import struct

import pytest

from dicomnode.dimse import EXPLICIT_VR_LE, VERIFICATION
from dicomnode.routing import CT_IMAGE_STORAGE
from tests.support.siege import ACSE_S, NETWORK_S, Siege
from tests.support.wire import (
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    CONTEXTS,
    ECHO_CONTEXT,
    P_DATA,
    Wire,
    associate_rq,
    context_item,
    item,
    p_data,
    pdu,
    wire,
)

CUT_S = max(ACSE_S, NETWORK_S) + 8.0
DEFLATED = "1.2.840.10008.1.2.1.99"


@pytest.mark.parametrize(
    ("calling", "called", "code"),
    [
        ("MALLORY", "SOMEONE", (1, 1, 7)),
        ("STRANGER", "DICOMNODE", (1, 1, 3)),
        ("WORKER", "DICOMNODE", (1, 1, 3)),
        ("mallory", "DICOMNODE", (1, 1, 3)),
    ],
)
def test_who_is_not_known_is_rejected(siege: Siege, calling: str, called: str, code: tuple[int, int, int]) -> None:
    """Row 16: by the called title, by the calling title, and a known title from another peer's address."""
    with siege.withstood(), siege.attacker() as stranger:
        kind, body = stranger.ask(calling, called=called)
        assert (kind, tuple(body[1:4])) == (ASSOCIATE_RJ, code)


def test_the_worker_may_not_be_played(siege: Siege) -> None:
    """Row 16: the title that is rejected from the attacker's address is the one that is served from its own."""
    with wire(siege.address, "127.0.0.2") as worker:
        assert worker.ask("WORKER")[0] == ASSOCIATE_AC


@pytest.mark.parametrize("length", [0xFFFFFFFF, 1 << 20])
def test_a_request_that_says_it_is_huge_is_not_waited_for(siege: Siege, length: int) -> None:
    """Row 6, before the association: closed before the body is read, whatever kind of PDU says so."""
    with siege.withstood(growth_mib=5):
        for kind in (0x01, 0x04, 0x05, 0x07):
            with siege.attacker() as huge:
                flood(huge, struct.pack(">BBI", kind, 0, length), mib=64)
                assert huge.is_cut_within(CUT_S)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 16 << 20])
def test_a_pdu_that_says_it_is_huge_is_not_waited_for(siege: Siege, length: int) -> None:
    """Row 6, with an association: closed before the body is read."""
    with siege.withstood(growth_mib=5), siege.inside() as huge:
        flood(huge, struct.pack(">BBI", P_DATA, 0, length), mib=64)
        assert huge.is_cut_within(CUT_S)


def flood(connection: Wire, head: bytes, *, mib: int) -> None:
    """Send a beginning and then zeros for as long as somebody takes them."""
    try:
        connection.send(head)
        for _ in range(mib):
            connection.send(bytes(1 << 20))
    except ConnectionError:
        return


REQUESTS = {
    "no transfer syntax": associate_rq("MALLORY", contexts=[(1, VERIFICATION, ())]),
    "no context": associate_rq("MALLORY", contexts=[]),
    "no abstract syntax": associate_rq("MALLORY", contexts=[], more=item(0x20, bytes([1, 0, 0, 0]))),
    "even context": associate_rq("MALLORY", contexts=[(2, VERIFICATION, (EXPLICIT_VR_LE,))]),
    "context 0": associate_rq("MALLORY", contexts=[(0, VERIFICATION, (EXPLICIT_VR_LE,))]),
    "a context twice": associate_rq("MALLORY", contexts=[CONTEXTS[0], CONTEXTS[0]]),
    "empty UID": associate_rq("MALLORY", contexts=[(1, "", (EXPLICIT_VR_LE,))]),
    "empty transfer syntax": associate_rq("MALLORY", contexts=[(1, VERIFICATION, ("",))]),
    "UID with a slash": associate_rq("MALLORY", contexts=[(1, "../../x", (EXPLICIT_VR_LE,))]),
    "UID of a thousand digits": associate_rq("MALLORY", contexts=[(1, "1." * 500 + "1", (EXPLICIT_VR_LE,))]),
    "unknown item": associate_rq("MALLORY", more=item(0x77, b"what")),
    "item longer than the rest": associate_rq("MALLORY", more=struct.pack(">BBH", 0x20, 0, 0xFFFF)),
    "two application contexts": associate_rq("MALLORY", more=item(0x10, b"1.2.3")),
    "user information twice": associate_rq("MALLORY", more=item(0x50, item(0x51, struct.pack(">I", 0)))),
    "maximum length of one byte": associate_rq("MALLORY", more=item(0x50, item(0x51, b"\x01"))),
    "protocol version 0": b"\x01\0" + associate_rq("MALLORY")[2:6] + b"\0\0" + associate_rq("MALLORY")[8:],
    "no body": pdu(1, b""),
    "half a fixed part": pdu(1, bytes(40)),
    "name that is no ASCII": associate_rq("MALLORY").replace(b"MALLORY", b"\xff\xfe\x00ORY"),
}


def test_a_malformed_request_holds_nothing(siege: Siege) -> None:
    """Rows 12 and 13: it is rejected, aborted or cut, and what is left of it is gone in time."""
    with siege.withstood(), siege.attackers(len(REQUESTS)) as odd:
        for each, request in zip(odd, REQUESTS.values(), strict=True):
            each.send(request)
        held = [name for name, each in zip(REQUESTS, odd, strict=True) if not each.is_cut_within(CUT_S)]
        assert held == []


PDUS = {
    "empty value": p_data(ECHO_CONTEXT, b"", is_command=True),
    "empty P-DATA": pdu(P_DATA, b""),
    "value of length 0": pdu(P_DATA, struct.pack(">I", 0)),
    "value longer than the PDU": pdu(P_DATA, struct.pack(">IBB", 0xFFFFFFFF, ECHO_CONTEXT, 3)),
    "context not negotiated": p_data(99, b"\0" * 40, is_command=True),
    "data without a command": p_data(ECHO_CONTEXT, b"\0" * 40, is_command=False),
    "unknown PDU": pdu(0x09, b""),
    "second request": associate_rq("MALLORY"),
    "release response": pdu(6, bytes(4)),
    "abort of no length": pdu(7, b""),
}


def test_a_malformed_pdu_ends_its_association(siege: Siege) -> None:
    """Row 13: the association is cut at once or by its timeout, and nothing stays."""
    with siege.withstood(), siege.attackers(len(PDUS)) as peers:
        assert {peer.ask("MALLORY")[0] for peer in peers} == {ASSOCIATE_AC}
        for peer, odd in zip(peers, PDUS.values(), strict=True):
            peer.send(odd)
        held = [name for name, peer in zip(PDUS, peers, strict=True) if not peer.is_cut_within(CUT_S)]
        assert held == []


@pytest.mark.parametrize("number", [128, 10_000])
def test_a_request_with_too_many_contexts_is_not_read(siege: Siege, number: int) -> None:
    """Row 22: a request of more than 64 KiB is closed before its contexts cost anything."""
    each = context_item((1, CT_IMAGE_STORAGE, [f"1.2.3.{syntax}" for syntax in range(60)]))
    request = associate_rq("MALLORY", more=each * number)
    before = siege.process.cpu_times().user

    with siege.attacker() as many:
        flood(many, request, mib=0)
        assert many.is_cut_within(CUT_S)

    assert siege.process.cpu_times().user - before < 0.5


def test_deflated_is_not_negotiated(siege: Siege) -> None:
    """Row 8: a deflated bomb finds no presentation context."""
    with siege.attacker() as peer:
        kind, body = peer.ask("MALLORY", contexts=[CONTEXTS[0], (5, CT_IMAGE_STORAGE, (DEFLATED,))])
        assert kind == ASSOCIATE_AC
        assert results_of(body) == {1: 0, 5: 4}


def results_of(body: bytes) -> dict[int, int]:
    """Return the result of each presentation context of an A-ASSOCIATE-AC (PS3.8 Table 9-18)."""
    found, position = {}, 68
    while position < len(body):
        kind, _, length = struct.unpack(">BBH", body[position : position + 4])
        if kind == 0x21:
            found[body[position + 4]] = body[position + 6]
        position += 4 + length
    return found
