"""Whom the node calls over TLS it makes sure of before a word is said, and never waits for longer than it may."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dicomnode.errors import ConfigurationError
from dicomnode.instance_file import file_head
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.scp import SecurePort
from dicomnode.scu import echo, send
from dicomnode.tls.certificates import Certificates
from dicomnode.tls.contexts import calling_context, listening_context
from tests.support.authority import Authority, Issued, self_signed
from tests.support.instances import ct_instance, instance_file
from tests.support.receiver import TPS, running_receiver

HOST = "127.0.0.1"
PATIENCE_S = 2.0


@dataclass(frozen=True)
class Papers:
    """The certificates of the tests."""

    node: Issued
    peer: Issued
    other: Issued
    foreign: Issued
    expired: Issued


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    own, elsewhere = Authority.make(folder / "own"), Authority.make(folder / "other")
    return Papers(
        own.issue("node", "DNS:node.hospital.example"),
        own.issue("peer", f"IP:{HOST}"),
        own.issue("other", "DNS:scanner.hospital.example"),
        elsewhere.issue("foreign", f"IP:{HOST}"),
        own.issue("expired", f"IP:{HOST}", days=-1),
    )


def patience(papers: Papers) -> Timeouts:
    context = calling_context(papers.node.files)
    return Timeouts(PATIENCE_S, PATIENCE_S, PATIENCE_S, PATIENCE_S, tls=lambda: context)


@dataclass
class Listener:
    """Somebody who listens, and the bytes that came after the handshake."""

    peer: Peer
    heard: list[bytes] = field(default_factory=list)


@contextmanager
def listening(context: ssl.SSLContext | None, first: bytes = b"") -> Iterator[Listener]:
    """Listen for one connection: with TLS, or in the clear with some first words."""
    with socket.create_server((HOST, 0)) as server:
        listener = Listener(Peer("PEER", HOST, server.getsockname()[1], tls=True))

        def serve() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                connection.settimeout(PATIENCE_S + 5)
                with context.wrap_socket(connection, server_side=True) if context else connection as spoken:
                    spoken.sendall(first)
                    while heard := spoken.recv(4096):
                        if context:
                            listener.heard.append(heard)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener
        finally:
            server.close()
            thread.join()


def served_with(issued: Issued, papers: Papers) -> ssl.SSLContext:
    context = listening_context(replace(issued.files, ca=papers.node.ca))
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize(
    ("whose", "reason"),
    [
        ("other", "the certificate is not its own, but that of scanner.hospital.example"),
        ("foreign", "unable to get local issuer certificate"),
        ("expired", "certificate has expired"),
    ],
)
def test_who_is_not_the_peer_hears_nothing(papers: Papers, ct: list[Path], whose: str, reason: str) -> None:
    """Not even an association request; the reason is told, and the delivery is tried again later."""
    with listening(served_with(getattr(papers, whose), papers)) as listener:
        outcome = send(listener.peer, ct, "DICOMNODE", patience(papers))

    assert reason in outcome.comment
    assert (outcome.sent, outcome.transient, listener.heard) == (0, True, [])


@pytest.fixture
def ct(tmp_path: Path) -> list[Path]:
    """One slice on the disk."""
    file = instance_file(ct_instance())
    path = tmp_path / "slice.dcm"
    path.write_bytes(file_head(file) + file.data)
    return [path]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"", "does not finish the TLS handshake"),
        (b"\x07\0\0\0\0\x04\0\0\2\1", "no TLS handshake: wrong version number"),
    ],
    ids=["silent", "plain"],
)
def test_who_speaks_no_tls_holds_nobody_up(papers: Papers, first: bytes, reason: str) -> None:
    """Within the time for an association."""
    with listening(None, first) as listener:
        begin = time.monotonic()
        outcome = echo(listener.peer, "DICOMNODE", patience(papers))
        seconds = time.monotonic() - begin

    assert reason in outcome.detail
    assert seconds < PATIENCE_S + 2


def test_an_old_version_is_refused(papers: Papers) -> None:
    """TLS 1.1 is gone with RFC 8996."""
    context = served_with(papers.peer, papers)
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    with listening(context) as listener:
        outcome = echo(listener.peer, "DICOMNODE", patience(papers))

    assert "no TLS handshake" in outcome.detail


def no_certificate() -> ssl.SSLContext:
    raise ConfigurationError(["tls.key_file: there is none"])


@pytest.mark.parametrize(("tls", "reason"), [(None, "this node has no certificate"), (no_certificate, "there is none")])
def test_without_a_certificate_of_our_own_nobody_is_called_in_the_clear(
    papers: Papers, tls: Callable[[], ssl.SSLContext] | None, reason: str
) -> None:
    """Whose entry says TLS is not called without it."""
    with listening(served_with(papers.peer, papers)) as listener:
        outcome = echo(listener.peer, "DICOMNODE", Timeouts(tls=tls))

    assert reason in outcome.detail


@pytest.mark.parametrize("binding", ["", "fingerprint"])
def test_two_nodes_of_ours_speak_tls(papers: Papers, ct: list[Path], tmp_path: Path, binding: str) -> None:
    """The one that is called is bound by its host, or by its fingerprint; what is sent arrives."""
    secure = SecurePort(0, only=True, settings=Certificates(papers.peer.files).listening)
    caller = replace(TPS, certificates=("node.hospital.example",))
    bound = (papers.peer.fingerprint,) if binding else ()
    with running_receiver(tmp_path, peers=(caller,), secure=secure) as running:
        called = Peer("DICOMNODE", HOST, running.receiver.port, tls=True, certificates=bound)

        outcome = send(called, ct, "TPS", patience(papers))

        assert outcome.ok, outcome.comment
        assert len(list(running.spool.paths())) == 1


def test_a_self_signed_certificate_may_be_its_own_authority(papers: Papers, tmp_path: Path) -> None:
    """In both directions, where each side's ca_file has it; those of the authority go on to be good."""
    alone = self_signed(tmp_path, "alone", f"IP:{HOST}")
    both = tmp_path / "both.pem"
    both.write_bytes(papers.node.ca.read_bytes() + alone.certificate.read_bytes())
    node, peer = replace(papers.peer.files, ca=both), replace(alone.files, ca=both)
    secure = SecurePort(0, only=True, settings=Certificates(node).listening)
    with running_receiver(tmp_path, peers=(replace(TPS, certificates=(alone.fingerprint,)),), secure=secure) as running:
        called = Peer("DICOMNODE", HOST, running.receiver.port, tls=True)
        assert echo(called, "TPS", replace(patience(papers), tls=lambda: calling_context(peer))).ok

    with listening(served_with(alone, papers)) as listener:
        outcome = echo(listener.peer, "DICOMNODE", replace(patience(papers), tls=lambda: calling_context(node)))
    assert listener.heard, outcome.detail


def test_a_peer_that_does_not_believe_us_says_so(papers: Papers, tmp_path: Path) -> None:
    """With TLS 1.3 the refusal comes after our part of the handshake; it is told in OpenSSL's words."""
    secure = SecurePort(0, only=True, settings=Certificates(papers.foreign.files).listening)
    context = calling_context(replace(papers.node.files, ca=papers.foreign.ca))
    with running_receiver(tmp_path, peers=(replace(TPS, tls=True),), secure=secure) as running:
        called = Peer("DICOMNODE", HOST, running.receiver.port, tls=True)

        outcome = echo(called, "TPS", replace(patience(papers), tls=lambda: context))

    assert "unknown ca" in outcome.detail
