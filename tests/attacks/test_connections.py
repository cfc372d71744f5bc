"""Connections that never become associations: silent, half, foreign, and very many."""

import os
import resource
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.node import wait_until
from tests.support.siege import ACSE_S, Siege
from tests.support.wire import Wire, associate_rq

CUT_S = ACSE_S + 8.0  # the bound, and slack for a loaded machine
HTTP = b"GET /dicom HTTP/1.1\r\nHost: node\r\nAccept: */*\r\n\r\n"


def client_hello() -> bytes:
    """Return with what a TLS client begins."""
    outgoing = ssl.MemoryBIO()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="node")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@contextmanager
def many_descriptors() -> Iterator[None]:
    """Let this process open as many sockets as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def keep_knocking(siege: Siege, number: int, what: bytes) -> None:
    """Connect many times and say something; it does not matter who is let in."""
    with ExitStack() as connections:
        for _ in range(number):
            try:
                connections.enter_context(siege.attacker(timeout_s=5.0)).send(what)
            except OSError:
                continue
        time.sleep(1.0)


def test_eleven_silent_connections_shut_nobody_out(siege: Siege) -> None:
    """Row 1: who only connects is no association, and is cut."""
    with siege.withstood(), siege.attackers(11) as silent:
        assert all(each.is_cut_within(CUT_S) for each in silent)


def test_the_log_tells_who_was_silent_from_who_left(siege: Siege) -> None:
    """Each is counted by its reason: a peer that hangs is not a port scan."""
    with siege.attacker() as silent:
        with siege.attacker():
            pass
        assert silent.is_cut_within(CUT_S)

    reasons = ("it ended before it asked", "it did not ask in time")
    wait_until(lambda: all(reason in siege.node.log for reason in reasons), 30, lambda: siege.node.log[-2000:])


def test_two_hundred_silent_connections_shut_nobody_out(siege: Siege) -> None:
    """Row 2: nor do two hundred, and they cost at most 30 threads."""
    with siege.withstood(threads=30):
        keep_knocking(siege, 200, b"")


def test_half_a_request_is_cut(siege: Siege) -> None:
    """Row 3: twenty peers that stop in the middle of the request hold nothing."""
    with siege.withstood(), siege.attackers(20) as halves:
        for each in halves:
            with_half_a_request(each)
        assert all(each.is_cut_within(CUT_S) for each in halves)


def with_half_a_request(connection: Wire) -> None:
    """Send half a request, where the connection still stands."""
    try:
        connection.send(associate_rq("MALLORY")[:100])
    except ConnectionError:
        return


def test_a_request_byte_by_byte_is_cut(siege: Siege) -> None:
    """Row 5, before the association: every byte in time does not make the request in time."""
    with siege.withstood(), siege.attacker() as slow:
        assert slow.is_cut_while_dripping(associate_rq("MALLORY"), CUT_S)


@pytest.mark.parametrize(
    "greeting",
    [os.urandom(300), b"\x07" * 200, HTTP, client_hello(), b"\n"],
    ids=["random", "abort", "http", "tls", "line"],
)
def test_other_protocols_are_cut(siege: Siege, greeting: bytes) -> None:
    """Row 10: garbage, HTTP and TLS end their own connection, and nothing else."""
    with siege.withstood(), siege.attacker() as stranger:
        stranger.send(greeting)
        assert stranger.is_cut_within(CUT_S)


def test_a_port_scan_of_hundreds_shuts_nobody_out(siege: Siege) -> None:
    """Row 10: 358 connections of garbage at once."""
    with siege.withstood():
        keep_knocking(siege, 358, HTTP)


def test_more_sockets_than_select_can_count_shut_nobody_out(siege: Siege) -> None:
    """Row 11: 1100 at once; the node keeps its descriptors below what `select` can hold."""
    with many_descriptors(), siege.withstood():
        keep_knocking(siege, 1100, b"")
        assert siege.resources.descriptors < 1024


def test_connections_that_come_and_go_leave_nothing(siege: Siege) -> None:
    """Row 11, the other way: 300 associations one after the other."""
    with siege.withstood():
        for _ in range(300):
            with siege.inside() as peer:
                peer.release()
