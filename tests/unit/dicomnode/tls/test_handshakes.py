"""Who comes in over TLS, and who does not and why; those who stay silent are in `tests/attacks`."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from dicomnode.audit.message import Kind
from dicomnode.peers import Peer
from dicomnode.scp import SecurePort
from dicomnode.tls.certificates import Certificates
from dicomnode.tls.contexts import calling_context
from tests.support.authority import Authority, Issued
from tests.support.instances import ct_instance, encode
from tests.support.receiver import SCANNER, TPS, RunningReceiver, running_receiver
from tests.support.wire import ASSOCIATE_AC, ASSOCIATE_RJ, Cut, Wire, associate_rq

HOST = "127.0.0.1"
CALLING_UNKNOWN = bytes((1, 1, 3))
ADDRESSES = count(10)
SILENT_S = 5.0  # after which a handshake is given up: `Limits.handshake_s`


@dataclass(frozen=True)
class Papers:
    """Every certificate of the tests, by whose it is."""

    node: Issued
    tps: Issued
    scanner: Issued
    expired: Issued
    foreign: Issued


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    own, other = Authority.make(folder / "own"), Authority.make(folder / "other")
    return Papers(
        own.issue("node", f"IP:{HOST}"),
        own.issue("tps", "DNS:tps.hospital.example"),
        own.issue("scanner", "DNS:scanner.hospital.example"),
        own.issue("expired", "DNS:tps.hospital.example", days=-1),
        other.issue("foreign", "DNS:tps.hospital.example"),
    )


@dataclass(frozen=True)
class SecureNode:
    """A receiver that listens for both, and calls by peers who are sound."""

    running: RunningReceiver
    certificates: Certificates
    papers: Papers
    here: str = HOST

    @property
    def alerts(self) -> str:
        """What the audit was told of those who were kept out, and came from here."""
        events = [event for event in self.running.told if event.kind is Kind.STRANGER]
        return " | ".join(event.text for event in events if event.parties[0].address == self.here)

    @contextmanager
    def connected(self, *, plain: bool = False) -> Iterator[socket.socket]:
        """Connect to a port, and say nothing."""
        receiver = self.running.receiver
        address = HOST, receiver.port if plain else receiver.tls_port
        with socket.create_connection(address, timeout=10, source_address=(self.here, 0)) as connection:
            yield connection

    @contextmanager
    def secured(self, issued: Issued, version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> Iterator[Wire]:
        """Connect over TLS."""
        context = calling_context(issued.files)
        context.maximum_version = version
        with self.connected() as connection, context.wrap_socket(connection) as secure:
            yield Wire(secure)

    def serves_tps(self) -> bool:
        """Whether a sound peer gets an association and an answer."""
        with self.secured(self.papers.tps) as peer:
            kind, _ = peer.ask("TPS")
            answers = kind, peer.echo()
            peer.release()
        return answers == (ASSOCIATE_AC, 0x0000)


@pytest.fixture(scope="module")
def shared_node(papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNode]:
    anywhere = ("127.0.0.0/8",)
    peers = (
        replace(TPS, addresses=anywhere, tls=True, certificates=("tps.hospital.example",)),
        replace(SCANNER, addresses=anywhere, certificates=(papers.scanner.fingerprint,)),
        Peer("PLAIN", HOST, 11119, addresses=anywhere, may=("send_ct",)),
    )
    certificates = Certificates(papers.node.files)
    secure = SecurePort(0, only=False, settings=certificates.listening)
    with running_receiver(tmp_path_factory.mktemp("node"), peers=peers, secure=secure) as running:
        yield SecureNode(running, certificates, papers)


@pytest.fixture
def node(shared_node: SecureNode) -> SecureNode:
    """The node, called from an address that no other test calls from: the audit hears once a minute of each."""
    return replace(shared_node, here=f"127.0.0.{next(ADDRESSES)}")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("title", "whose"), [("TPS", "tps"), ("SCANNER", "scanner")])
def test_a_peer_with_its_certificate_comes_in(
    node: SecureNode, version: ssl.TLSVersion, title: str, whose: str
) -> None:
    """Bound by a name or by a fingerprint, with either version; what it sends is kept."""
    ds = ct_instance(next(ADDRESSES), rows=128, columns=128)
    before = len(list(node.running.spool.paths()))

    with node.secured(getattr(node.papers, whose), version) as peer:
        kind, _ = peer.ask(title)
        status = peer.store(ds.SOPInstanceUID, encode(ds))
        spoken = peer.socket.version()
        peer.release()

    assert (kind, status) == (ASSOCIATE_AC, 0x0000)
    assert spoken == version.name.replace("_", ".")
    assert len(list(node.running.spool.paths())) == before + 1


def without_certificate(papers: Papers) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=papers.node.ca)
    context.check_hostname = False
    return context


def foreign(papers: Papers) -> ssl.SSLContext:
    return calling_context(replace(papers.foreign.files, ca=papers.node.ca))


def expired(papers: Papers) -> ssl.SSLContext:
    return calling_context(papers.expired.files)


def tls_1_1(papers: Papers) -> ssl.SSLContext:
    context = calling_context(papers.tps.files)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def cbc(papers: Papers) -> ssl.SSLContext:
    context = calling_context(papers.tps.files)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES128-SHA:AES128-SHA:AES256-SHA")
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("context_of", "reason"),
    [
        (without_certificate, "peer did not return a certificate"),
        (foreign, "unable to get local issuer certificate"),
        (expired, "certificate has expired"),
        (tls_1_1, "unsupported protocol"),
        (cbc, "no shared cipher"),
    ],
)
def test_who_cannot_prove_themselves_gets_no_handshake(
    node: SecureNode, context_of: Callable[[Papers], ssl.SSLContext], reason: str
) -> None:
    """The connection ends before a word of DICOM, and the audit hears why."""
    with (
        pytest.raises((OSError, Cut)),
        node.connected() as connection,
        context_of(node.papers).wrap_socket(connection) as secure,
    ):
        Wire(secure).ask("TPS")

    assert wait_until(lambda: reason in node.alerts), node.alerts
    assert node.serves_tps()


@pytest.mark.parametrize(
    ("title", "whose", "reason"),
    [
        (
            "TPS",
            "scanner",
            "TPS was not believed: the certificate is not its own, but that of scanner.hospital.example",
        ),
        (
            "SCANNER",
            "tps",
            "SCANNER was not believed: the certificate is not its own, but that of tps.hospital.example",
        ),
        ("PLAIN", "tps", "PLAIN was not believed: it is no peer that calls over TLS"),
    ],
)
def test_a_certificate_is_good_for_its_own_ae_title_only(node: SecureNode, title: str, whose: str, reason: str) -> None:
    """One peer of the site cannot be another; the rejection is the Standard's, and its reason in the audit."""
    with node.secured(getattr(node.papers, whose)) as peer:
        kind, body = peer.ask(title)

    assert (kind, body[1:4]) == (ASSOCIATE_RJ, CALLING_UNKNOWN)
    assert reason in node.alerts


@pytest.mark.parametrize(
    ("title", "expected"), [("TPS", ASSOCIATE_RJ), ("SCANNER", ASSOCIATE_RJ), ("PLAIN", ASSOCIATE_AC)]
)
def test_the_plain_port_is_for_peers_without_a_certificate(node: SecureNode, title: str, expected: int) -> None:
    """Whoever is bound to a certificate cannot be played over plain TCP."""
    with node.connected(plain=True) as connection:
        kind, _ = Wire(connection).ask(title)

    assert kind == expected
    assert ("it may call over TLS only" in node.alerts) == (expected == ASSOCIATE_RJ)


def test_where_only_tls_is_spoken_there_is_no_other_port(papers: Papers, tmp_path: Path) -> None:
    """A request in the clear is closed before it is read."""
    certificates = Certificates(papers.node.files)
    only = SecurePort(0, only=True, settings=certificates.listening)
    with running_receiver(tmp_path, peers=(replace(TPS, tls=True),), secure=only) as running:
        assert running.receiver.port == running.receiver.tls_port

        with socket.create_connection((HOST, running.receiver.port), timeout=10) as connection:
            connection.sendall(associate_rq("TPS"))
            assert Wire(connection).is_cut_within(5)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", associate_rq("TPS"), bytes(range(256)) * 64, b"\x16\x03\x01\xff\xff" + bytes(70000)],
)
def test_garbage_ends_its_own_connection_only(node: SecureNode, garbage: bytes) -> None:
    """HTTP, DICOM in the clear, noise, and a record that is longer than records are."""
    with node.connected() as connection:
        with suppress(ConnectionError):
            connection.sendall(garbage)
        assert Wire(connection).is_cut_within(SILENT_S + 3)

    assert node.serves_tps()


def test_garbage_inside_tls_is_garbage_too(node: SecureNode) -> None:
    """A peer that proved itself is held to the same limits."""
    with node.secured(node.papers.tps) as peer:
        peer.send(b"GET / HTTP/1.1\r\n\r\n")

        assert peer.is_cut_within(5)


def test_new_certificates_are_for_new_handshakes(node: SecureNode, papers: Papers) -> None:
    """An association that is open goes on with the old ones."""
    renewed = Authority(papers.node.ca.parent).issue("renewed", f"IP:{HOST}")
    with node.secured(papers.tps) as early:
        early.ask("TPS")
        before = early.socket.getpeercert()

        node.certificates.files = renewed.files
        node.certificates.reload()

        with node.secured(papers.tps) as late:
            late.ask("TPS")
            assert late.socket.getpeercert() != before
            assert (early.echo(), late.echo()) == (0x0000, 0x0000)


def wait_until(happened: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Return whether something happens in time."""
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happened()
