"""Whoever stays silent, stops halfway or proves nothing on the TLS port, while peers work over TLS and in the clear."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from dicomnode.peers import Peer
from dicomnode.tls.contexts import calling_context
from tests.support.authority import Authority
from tests.support.node import LOOPBACK, free_port
from tests.support.siege import ATTACKER, SERVED_AT_WORST_S, Siege, besieged
from tests.support.wire import ASSOCIATE_AC, Wire, wire

SECURE = "127.0.0.4"
CUT_S = 5.0 + 8.0  # the bound of a handshake, and slack for a loaded machine
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
STOPS_S = 5.0 + 3.0  # the bound, and slack for a loaded machine


@dataclass(frozen=True)
class SecureSiege:
    """A besieged node that speaks TLS too, and a peer with a certificate."""

    siege: Siege
    port: int
    context: ssl.SSLContext

    def attackers(self, number: int, connections: ExitStack) -> list[Wire]:
        """Connect to the TLS port as the attacker, many times, until the stack is left."""
        return [connections.enter_context(wire((LOOPBACK, self.port), ATTACKER)) for _ in range(number)]

    def serve(self) -> None:
        """Let the peer with the certificate ask for a C-ECHO, and wait no longer than a loaded machine needs."""
        begin = time.monotonic()
        with (
            socket.create_connection((LOOPBACK, self.port), SERVED_AT_WORST_S, (SECURE, 0)) as connection,
            self.context.wrap_socket(connection) as secured,
        ):
            peer = Wire(secured)
            kind, _ = peer.ask("SECURE")
            status = peer.echo()
            peer.release()
        assert (kind, status) == (ASSOCIATE_AC, 0x0000)
        assert time.monotonic() - begin <= SERVED_AT_WORST_S


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureSiege]:
    folder = tmp_path_factory.mktemp("siege")
    authority = Authority.make(folder / "authority")
    node, peer = authority.issue("node", "DNS:node.hospital.example"), authority.issue("peer", f"IP:{SECURE}")
    files = {key: str(path) for key, path in node.files.all.items()}
    port = free_port()
    known = Peer("SECURE", SECURE, 11115, tls=True)
    with besieged(folder / "node", {"tls": {**files, "port": port}}, known) as siege:
        made = SecureSiege(siege, port, calling_context(peer.files))
        made.serve()
        yield made


def test_whoever_is_silent_in_a_handshake_stops_nobody(secure: SecureSiege) -> None:
    """Row 14: twelve that say nothing or half a hello are cut, and peers are served on either port meanwhile."""
    with secure.siege.withstood(), ExitStack() as connections:
        silent = secure.attackers(12, connections)
        for each in silent[:6]:
            each.send(HALF_A_HELLO)
        for _ in range(5):
            secure.serve()
        assert all(each.is_cut_within(CUT_S) for each in silent)


def test_whoever_proves_nothing_again_and_again_stops_nobody(secure: SecureSiege) -> None:
    """Row 15: two hundred handshakes without a certificate leave no thread and no descriptor."""
    bare = ssl.create_default_context(cafile=None)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    with secure.siege.withstood():
        for _ in range(200):
            with (
                pytest.raises(OSError, match=r"."),
                socket.create_connection((LOOPBACK, secure.port), 10, (ATTACKER, 0)) as connection,
                bare.wrap_socket(connection) as secured,
            ):
                Wire(secured).ask("SECURE")
        secure.serve()


def test_a_node_stops_although_somebody_is_silent_in_a_handshake(secure: SecureSiege) -> None:
    """Row 14: SIGTERM waits for nobody's deadline. The last test of this file, since nobody starts the node again."""
    with ExitStack() as connections:
        for each in secure.attackers(4, connections):
            each.send(HALF_A_HELLO)
        begin = time.monotonic()
        code = secure.siege.node.stop()

    assert (code, time.monotonic() - begin < STOPS_S) == (0, True)
