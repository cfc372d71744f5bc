"""Every way of asking for an association that the Standard or the field knows gets the answer that it wants."""

import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import pack

import pytest

from dicomnode.association_items import FIXED, GRANTED_CONTEXT, TRANSFER_SYNTAX, USER_INFORMATION, items
from dicomnode.config import Node, Receiving
from dicomnode.dimse import ACCEPTED, EXPLICIT_VR_LE, IMPLICIT_VR_LE, VERIFICATION
from dicomnode.peers import Peer
from dicomnode.routing import CT_IMAGE_STORAGE, RT_STRUCTURE_SET_STORAGE
from dicomnode.scp import start
from dicomnode.transport.association_request import plain
from dicomnode.visits import Visits
from tests.support.instances import SERIES, ct_instance, encode
from tests.support.node import wait_until
from tests.support.receiver import RunningReceiver, receiving_parts, running_receiver
from tests.support.wire import (
    ABORT,
    APPLICATION_CONTEXT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ASSOCIATE_RQ,
    CONTEXTS,
    CT_CONTEXT,
    ECHO_CONTEXT,
    P_DATA,
    Context,
    Wire,
    context_item,
    data_value,
    echo_command,
    item,
    message,
    p_data,
    pdu,
    statuses_of,
    store_command,
    wire,
)

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
CT = CT_IMAGE_STORAGE.encode()
LONGEST, MAKER = item(0x51, pack(">I", 16384)), item(0x52, b"1.2.3.4")
SLICE = encode(ct_instance())
UID = f"{SERIES}.1"
EXPLICIT_BE, DEFLATED, JPEG_2000_LOSSY = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.91"
FOREIGN_SYNTAXES = (EXPLICIT_BE, DEFLATED, JPEG_2000_LOSSY, "1.2.840.10008.1.2.4.51", "1.2.840.113619.5.2")


def request(
    user: bytes = LONGEST + MAKER,
    contexts: Sequence[Context] = CONTEXTS,
    *,
    titles: tuple[bytes, bytes] = (b"DICOMNODE".ljust(16), b"TPS".ljust(16)),
    version: int = 1,
    application: bytes = APPLICATION_CONTEXT,
    reserved: int = 0,
) -> bytes:
    """Return an A-ASSOCIATE-RQ."""
    head = pack(">HH", version, reserved * 0x101) + b"".join(titles) + bytes([reserved]) * 32
    body = item(0x10, application) + b"".join(map(context_item, contexts)) + item(0x50, user)
    return pdu(ASSOCIATE_RQ, head + body)


def sized(*values: bytes) -> bytes:
    """Return values, each behind its length in two bytes."""
    return b"".join(pack(">H", len(value)) + value for value in values)


def identity(kind: int, primary: bytes, secondary: bytes = b"", *, wants_answer: int = 1) -> bytes:
    """Return a user identity sub-item."""
    return item(0x58, bytes([kind, wants_answer]) + sized(primary, secondary))


TAKEN = {
    "no maximum PDU length": request(MAKER),
    "no implementation class": request(LONGEST),
    "no user information at all": request(b""),
    "PDUs of any length": request(item(0x51, pack(">I", 0)) + MAKER),
    "PDUs of 4096": request(item(0x51, pack(">I", 4096)) + MAKER),
    "PDUs of 28672": request(item(0x51, pack(">I", 28672)) + MAKER),
    "PDUs of 4 GiB": request(item(0x51, pack(">I", 0xFFFFFFFF)) + MAKER),
    "eight operations at once": request(LONGEST + MAKER + item(0x53, pack(">HH", 8, 8))),
    "any number of operations at once": request(LONGEST + MAKER + item(0x53, pack(">HH", 0, 0))),
    "both roles": request(LONGEST + MAKER + item(0x54, sized(CT) + b"\1\1")),
    "the role of an SCU": request(LONGEST + MAKER + item(0x54, sized(CT) + b"\1\0")),
    "a role in what is not proposed": request(LONGEST + MAKER + item(0x54, sized(MR_IMAGE_STORAGE.encode()) + b"\1\1")),
    "extended negotiation": request(LONGEST + MAKER + item(0x56, sized(CT) + b"\2\0\0\0\0\0")),
    "common extended negotiation": request(
        LONGEST + MAKER + item(0x57, sized(CT, b"1.2.840.10008.4.2") + pack(">H", 0))
    ),
    "a user's name": request(LONGEST + MAKER + identity(1, b"name")),
    "a user's name and passcode": request(LONGEST + MAKER + identity(2, b"name", b"word")),
    "a Kerberos ticket": request(LONGEST + MAKER + identity(3, b"\0\1ticket")),
    "a SAML assertion": request(LONGEST + MAKER + identity(4, b"<saml/>", wants_answer=0)),
    "a JSON web token": request(LONGEST + MAKER + identity(5, b"e30.e30.")),
    "a sub-item of tomorrow": request(LONGEST + item(0x5A, b"abcd") + MAKER),
    "a sub-item of the last number first": request(item(0xFF, b"") + LONGEST + MAKER),
    "version 2 too": request(version=3),
    "all that is reserved": request(reserved=0xFF),
    "a long version name": request(LONGEST + MAKER + item(0x55, b"MORE THAN SIXTEEN CHARACTERS")),
    "an empty version name": request(LONGEST + MAKER + item(0x55, b"")),
    "a version name ending in NUL": request(LONGEST + MAKER + item(0x55, b"OLD\0")),
    "a version name in Latin-1": request(LONGEST + MAKER + item(0x55, "Zürich 1".encode("latin-1"))),
    "a padded implementation class": request(LONGEST + item(0x52, b"1.2.3.4 ")),
    "a malformed implementation class": request(LONGEST + item(0x52, b"1.2.03.4")),
    "a padded application context": request(application=APPLICATION_CONTEXT + b"\0"),
    "AE titles behind spaces": request(titles=(b"  DICOMNODE".ljust(16), b" TPS".ljust(16))),
    "AE titles before NULs": request(titles=(b"DICOMNODE".ljust(16, b"\0"), b"TPS".ljust(16, b"\0"))),
    "padded syntaxes": request(contexts=[(1, f"{VERIFICATION}\0", (f"{EXPLICIT_VR_LE}\0",)), CONTEXTS[1]]),
    "contexts in falling order": request(contexts=CONTEXTS[::-1]),
}
"""What is asked for beside two contexts -> the request."""

NOT_TAKEN = {
    "version 2 alone": (request(version=2), bytes((1, 2, 2))),
    "another application context": (request(application=b"1.2.840.10008.3.1.1.2"), bytes((1, 1, 2))),
    "called in lower case": (request(titles=(b"dicomnode".ljust(16), b"TPS".ljust(16))), bytes((1, 1, 7))),
    "calling in lower case": (request(titles=(b"DICOMNODE".ljust(16), b"tps".ljust(16))), bytes((1, 1, 3))),
}
"""What is asked for -> the request, and result, source and reason of the rejection (PS3.8 9.3.4)."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    with running_receiver(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
def peer(node: RunningReceiver) -> Iterator[Wire]:
    with wire(("127.0.0.1", node.receiver.port), "127.0.0.1") as connection:
        yield connection


def granted(body: bytes) -> dict[int, tuple[int, str]]:
    """Return result and transfer syntax of each context in an A-ASSOCIATE-AC."""
    found = {}
    for kind, content in items(body, FIXED):
        if kind == GRANTED_CONTEXT:
            syntaxes = [value.decode() for sub, value in items(content, 4) if sub == TRANSFER_SYNTAX]
            found[content[0]] = content[2], syntaxes[0]
    return found


def associate(peer: Wire, asked: bytes) -> bytes:
    """Ask; return the body of the A-ASSOCIATE-AC."""
    peer.send(asked)
    kind, body = peer.read()
    assert kind == ASSOCIATE_AC
    return body


@pytest.mark.parametrize("asked", TAKEN.values(), ids=TAKEN)
def test_what_a_peer_says_beside_its_contexts_keeps_it_from_nothing(peer: Wire, asked: bytes) -> None:
    """Whether the node knows it or not: it verifies, stores and releases."""
    body = associate(peer, asked)

    assert {result for result, _ in granted(body).values()} == {0}
    assert peer.echo() == 0x0000
    assert peer.store(UID, SLICE) == 0x0000
    peer.release()


def test_nothing_is_granted_that_this_node_does_not_do(peer: Wire) -> None:
    """No operations at once, roles, extensions or identities: the answer has the three sub-items that it must have."""
    more = item(0x53, pack(">HH", 8, 8)) + item(0x54, sized(CT) + b"\1\1") + identity(1, b"name")
    body = associate(peer, request(LONGEST + MAKER + more))

    (user,) = [content for kind, content in items(body, FIXED) if kind == USER_INFORMATION]
    assert [kind for kind, _ in items(user)] == [0x51, 0x52, 0x55]


@pytest.mark.parametrize(("asked", "why"), NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_what_is_not_for_this_node_is_rejected_for_its_reason(peer: Wire, asked: bytes, why: bytes) -> None:
    """With result, source and reason."""
    peer.send(asked)

    kind, body = peer.read()

    assert (kind, body[1:]) == (ASSOCIATE_RJ, why)


def test_of_128_contexts_each_is_answered(peer: Wire) -> None:
    """Those of this node are accepted, the others are of classes that it does not support."""
    others = [(number, f"1.2.840.113619.4.{number}", (EXPLICIT_VR_LE, IMPLICIT_VR_LE)) for number in range(5, 256, 2)]

    results = granted(associate(peer, request(contexts=[*CONTEXTS, *others])))

    assert len(results) == 128
    assert [number for number, (result, _) in results.items() if result == 0] == [ECHO_CONTEXT, CT_CONTEXT]
    assert {result for number, (result, _) in results.items() if number > 3} == {3}
    assert peer.echo() == 0x0000


def test_a_malformed_context_costs_no_other(peer: Wire) -> None:
    """It is answered as one that is not supported."""
    malformed = [
        (5, "1.2.840.0113619.4", (EXPLICIT_VR_LE,)),
        (7, "1.2." + "3" * 64, (EXPLICIT_VR_LE,)),
        (9, CT_IMAGE_STORAGE, ("JPEG",)),
        (11, CT_IMAGE_STORAGE, ("JPEG", IMPLICIT_VR_LE)),
    ]

    results = granted(associate(peer, request(contexts=[*CONTEXTS, *malformed])))

    assert {number: result for number, (result, _) in results.items()} == {1: 0, 3: 0, 5: 3, 7: 3, 9: 4, 11: 0}
    assert results[11] == (0, IMPLICIT_VR_LE)
    assert peer.store(UID, SLICE) == 0x0000


@pytest.mark.parametrize("seed", range(20))
def test_what_is_chosen_is_what_the_peer_can_send_and_the_node_can_read(node: RunningReceiver, seed: int) -> None:
    """Whichever syntaxes a context offers, in whichever order; and none where there is none in common."""
    chance = random.Random(seed)
    contexts = []
    for number in range(1, 64, 2):
        sop_class = chance.choice([*ACCEPTED, MR_IMAGE_STORAGE])
        known = ACCEPTED.get(sop_class, (EXPLICIT_VR_LE,))
        contexts.append((number, sop_class, tuple(chance.sample((*known, *FOREIGN_SYNTAXES), chance.randint(1, 4)))))
    with wire(("127.0.0.1", node.receiver.port), "127.0.0.1") as peer:
        results = granted(associate(peer, request(contexts=contexts)))

    for number, sop_class, offered in contexts:
        result, chosen = results[number]
        common = set(offered) & set(ACCEPTED.get(sop_class, ()))
        assert result == (0 if common else 4 if sop_class in ACCEPTED else 3)
        assert chosen in common or result


@pytest.mark.parametrize("longest", [128, 4096])
def test_no_answer_is_longer_than_the_peer_takes(peer: Wire, longest: int) -> None:
    """A response that is longer comes in several PDUs."""
    associate(peer, request(item(0x51, pack(">I", longest)) + MAKER))
    peer.send(message(CT_CONTEXT, store_command(f"{UID}.1", CT_IMAGE_STORAGE), SLICE))

    lengths, last = [], False
    while not last:
        kind, body = peer.read()
        assert kind == P_DATA
        lengths.append(len(body))
        last = bool(body[5] & 2)
    assert max(lengths) <= longest


def test_a_peer_that_knows_implicit_vr_alone_is_served(peer: Wire, node: RunningReceiver) -> None:
    """As old scanners are."""
    old = [(1, VERIFICATION, (IMPLICIT_VR_LE,)), (3, CT_IMAGE_STORAGE, (IMPLICIT_VR_LE,))]
    results = granted(associate(peer, request(contexts=[*old, (5, RT_STRUCTURE_SET_STORAGE, (IMPLICIT_VR_LE,))])))

    ds = ct_instance(2)

    assert set(results.values()) == {(0, IMPLICIT_VR_LE)}
    assert peer.store(f"{SERIES}.2", encode(ds, IMPLICIT_VR_LE)) == 0x0000
    assert any(encode(ds, IMPLICIT_VR_LE) in node.spool.read(path) for path in node.spool.paths())


def test_command_and_data_may_share_a_pdu_and_data_come_in_crumbs(peer: Wire) -> None:
    """PS3.8 9.3.1 leaves it to the sender how presentation data values are put into PDUs."""
    associate(peer, request())
    command = data_value(CT_CONTEXT, store_command(UID, CT_IMAGE_STORAGE), is_command=True)
    cut = [SLICE[begin : begin + 100] for begin in range(0, len(SLICE), 100)]
    crumbs = [data_value(CT_CONTEXT, each, is_command=False, is_last=each is cut[-1]) for each in cut]

    peer.send(pdu(P_DATA, command + b"".join(crumbs)))

    assert statuses_of(peer.read()[1]) == [0x0000]


def test_an_abort_in_the_middle_of_a_slice_leaves_nothing(peer: Wire, node: RunningReceiver) -> None:
    """And the next association is served."""
    before = len(list(node.spool.paths()))
    associate(peer, request())
    peer.send(p_data(CT_CONTEXT, store_command(f"{UID}.3", CT_IMAGE_STORAGE), is_command=True))
    peer.send(p_data(CT_CONTEXT, SLICE[:100], is_command=False, is_last=False))
    peer.send(pdu(ABORT, bytes(4)))

    assert peer.is_cut_within(10.0)
    assert len(list(node.spool.paths())) == before
    with wire(("127.0.0.1", node.receiver.port), "127.0.0.1") as other:
        associate(other, request())
        assert other.echo() == 0x0000


def test_three_hundred_associations_one_after_the_other_leave_nothing(node: RunningReceiver) -> None:
    """Each is asked for, used and released; no thread and no connection stays."""
    wait_until(lambda: node.receiver.open_connections == 0, 10.0, lambda: "others are still there")
    threads = threading.active_count()
    for number in range(300):
        with wire(("127.0.0.1", node.receiver.port), "127.0.0.1") as peer:
            associate(peer, request())
            assert peer.echo() == 0x0000, number
            peer.release()

    wait_until(lambda: node.receiver.open_connections == 0, 10.0, lambda: "a connection stays")
    wait_until(lambda: threading.active_count() <= threads, 10.0, lambda: f"{threading.enumerate()}")


def test_ipv6_is_served_as_ipv4_is(tmp_path: Path) -> None:
    """A node that listens on ::1 knows its peers by their IPv6 addresses."""
    own = Node(ae_title="DICOMNODE", host="::1", port=0, data_dir=tmp_path)
    near, far = Peer("TPS", "::1", 104, may=("send_ct",)), Peer("FAR", "2001:db8::7", 104, may=("send_ct",))
    with receiving_parts(tmp_path) as parts:
        visits = Visits(own.ae_title, lambda _event: None)
        receiver = start(own, Receiving(), (near, far), parts.intake, parts.feeding, visits=visits)
        try:
            with wire(("::1", receiver.port), "::1") as peer:
                associate(peer, request())
                assert peer.store(UID, SLICE) == 0x0000
            with wire(("::1", receiver.port), "::1") as peer:
                assert peer.ask("FAR")[0] == ASSOCIATE_RJ
        finally:
            receiver.stop(grace_s=2.0)


@pytest.mark.parametrize("size", [0, 7, 41, 73, 80, 200, 301])
def test_half_a_request_is_left_as_it_is(size: int) -> None:
    """What cannot be taken apart is refused by who decodes it."""
    half = request(contexts=[*CONTEXTS, (5, MR_IMAGE_STORAGE, (EXPLICIT_VR_LE,))])[:size]

    assert plain(half) == half


def test_a_request_as_it_should_be_is_not_changed() -> None:
    """Byte for byte."""
    whole = request(LONGEST + MAKER + item(0x55, b"VERSION 1"))

    assert plain(whole) == whole


def test_an_echo_is_answered_in_the_context_that_it_came_in(peer: Wire) -> None:
    """Also where verification was accepted twice."""
    twice = [(1, VERIFICATION, (EXPLICIT_VR_LE,)), (5, VERIFICATION, (IMPLICIT_VR_LE,))]
    associate(peer, request(contexts=twice))

    for number in (5, 1):
        peer.send(message(number, echo_command()))
        kind, body = peer.read()
        assert (kind, body[4]) == (P_DATA, number)
