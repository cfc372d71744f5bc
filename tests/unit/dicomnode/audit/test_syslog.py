"""Audit messages reach a repository whole, in order and once, over each transport and after it was away."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path

import pytest
from lxml import etree

from dicomnode.audit.message import Event, Kind, Outcome, Party, Role, audit_message
from dicomnode.audit.syslog import Forwarder, Repository, sent_until
from dicomnode.audit.trail import Trail
from dicomnode.ledger import Ledger
from tests.support.books import NOON, Clock, Orders, open_ledger
from tests.support.certificates import Authority
from tests.support.node import LOOPBACK, free_port, wait_until

HEADER = re.compile(r"<(\d+)>1 (\S+) (\S+) dicomnode (\d+) DICOM\+RFC3881 - \ufeff(<AuditMessage>.*)")


class Listener:
    """A repository that takes what comes, over TCP or TLS, and can go away.

    Args:
        port: that it listens on.
        context: of TLS, if it speaks that.
    """

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.received: list[bytes] = []
        self._context = context
        self._server = socket.create_server((LOOPBACK, port))
        self._connections: list[socket.socket] = []
        self._readers: list[threading.Thread] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            self._connections.append(connection)
            self._readers.append(threading.Thread(target=self._read, args=(connection,), daemon=True))
            self._readers[-1].start()

    def _read(self, connection: socket.socket) -> None:
        """Take frames with their length in front (RFC 5425 4.3)."""
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            while digits := _until_space(stream):
                self.received.append(stream.read(int(digits)))

    def go_away(self) -> None:
        for each in (self._server, *self._connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for reader in self._readers:
            reader.join()


def _until_space(stream) -> bytes:
    digits = b""
    while (byte := stream.read(1)) not in {b" ", b""}:
        digits += byte
    return digits


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path, Clock(), Orders())
    yield ledger
    ledger._engine.dispose()


@pytest.fixture
def trail(tmp_path: Path, ledger: Ledger) -> Trail:
    return Trail(tmp_path / "audit", ledger, maximum_bytes=100_000)


@pytest.fixture
def tidy() -> Iterator[ExitStack]:
    """What a test started ends with it."""
    with ExitStack() as stack:
        yield stack


def tell(trail: Trail, number: int, outcome: Outcome = Outcome.SUCCESS) -> None:
    """Write a record."""
    event = Event(Kind.STRANGER, NOON, (Party("TPS", Role.SOURCE),), outcome, f"number {number} ü")
    trail.append(audit_message(event, source_id="DICOMNODE", site=""), NOON)


def forwarding(trail: Trail, repository: Repository, tidy: ExitStack) -> list[str]:
    """Send the records of a trail, and return what the operator is told."""
    outages: list[str] = []
    forwarder = Forwarder(trail, repository, trail._folder / "sent", outages.append)
    forwarder.start()
    tidy.callback(forwarder.close)
    return outages


def numbers(received: list[bytes]) -> list[int]:
    """Return which records came, each of which must be a message by RFC 5424."""
    return [int(re.search(r"number (\d+) ü", parsed(each)[5])[1]) for each in received]


def parsed(message: bytes) -> re.Match[str]:
    """Return the parts of a message."""
    match = HEADER.fullmatch(message.decode())
    assert match is not None, message
    etree.fromstring(match[5])
    return match


def test_a_message_is_one_by_rfc_5424(trail: Trail, tidy: ExitStack) -> None:
    """Facility 10, notice or warning by the outcome, time, host, and the XML behind a byte order mark."""
    port = free_port()
    listener = Listener(port)
    tidy.callback(listener.go_away)
    tell(trail, 1)
    tell(trail, 2, Outcome.MINOR_FAILURE)

    forwarding(trail, Repository("tcp", LOOPBACK, port), tidy)

    wait_until(lambda: len(listener.received) == 2, 30, lambda: str(listener.received))
    good, bad = (parsed(each) for each in listener.received)
    assert (good[1], bad[1]) == ("85", "84")
    assert datetime.fromisoformat(good[2]) == NOON
    assert good[3] == socket.gethostname()


def test_datagrams_have_no_length_in_front(trail: Trail, tidy: ExitStack) -> None:
    """Over UDP a message is a datagram."""
    listener = tidy.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    listener.bind((LOOPBACK, 0))
    listener.settimeout(30)
    tell(trail, 1)

    forwarding(trail, Repository("udp", LOOPBACK, listener.getsockname()[1]), tidy)

    assert numbers([listener.recv(65536)]) == [1]


def test_what_happened_while_the_repository_was_away_is_sent_later(trail: Trail, tidy: ExitStack) -> None:
    """Nothing is lost or sent twice, the order stays, and the operator hears of each outage once."""
    port = free_port()
    tell(trail, 1)
    outages = forwarding(trail, Repository("tcp", LOOPBACK, port), tidy)
    wait_until(lambda: len(outages) == 1, 30, lambda: str(outages))
    tell(trail, 2)
    first = Listener(port)
    wait_until(lambda: len(first.received) == 2, 30, lambda: str(first.received))
    first.go_away()
    tell(trail, 3)
    wait_until(lambda: len(outages) == 2, 30, lambda: str(outages))
    second = Listener(port)
    tidy.callback(second.go_away)
    # The cursor is written behind the message, which may be here before.
    wait_until(lambda: sent_until(trail._folder / "sent") == 3, 30, lambda: str(second.received))
    wait_until(lambda: len(second.received) == 1, 30, lambda: str(second.received))

    assert (numbers(first.received), numbers(second.received)) == ([1, 2], [3])


def test_a_restart_goes_on_behind_what_was_sent(trail: Trail, tidy: ExitStack) -> None:
    """The cursor is on disk."""
    port = free_port()
    listener = Listener(port)
    tidy.callback(listener.go_away)
    repository = Repository("tcp", LOOPBACK, port)
    for number in (1, 2):
        tell(trail, number)
        with ExitStack() as one_run:
            forwarding(trail, repository, one_run)
            wait_until(lambda: sent_until(trail._folder / "sent") == number, 30, lambda: str(listener.received))  # noqa: B023

    wait_until(lambda: len(listener.received) == 2, 30, lambda: str(listener.received))
    assert numbers(listener.received) == [1, 2]


def test_tls_with_certificates_on_both_sides(trail: Trail, tidy: ExitStack, tmp_path: Path) -> None:
    """The repository asks for a certificate of the node and gets one of the same authority."""
    authority = Authority(tmp_path / "ca")
    own = authority.certificate("node")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate("repository"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    port = free_port()
    listener = Listener(port, context)
    tidy.callback(listener.go_away)
    tell(trail, 1)

    repository = Repository("tls", LOOPBACK, port, authority.file, *own)
    forwarding(trail, repository, tidy)

    wait_until(lambda: len(listener.received) == 1, 30, lambda: str(listener.received))
    assert numbers(listener.received) == [1]


def test_a_repository_of_another_authority_gets_nothing(trail: Trail, tidy: ExitStack, tmp_path: Path) -> None:
    """Audit messages are given to nobody whom the configured authority does not vouch for."""
    stranger = Authority(tmp_path / "stranger")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*stranger.certificate("repository"))
    port = free_port()
    listener = Listener(port, context)
    tidy.callback(listener.go_away)
    tell(trail, 1)

    outages = forwarding(trail, Repository("tls", LOOPBACK, port, Authority(tmp_path / "ca").file), tidy)

    wait_until(lambda: len(outages) == 1, 30, lambda: str(outages))
    assert listener.received == []
    assert sent_until(trail._folder / "sent") == 0
