"""Every wait on a peer has an end, and every failure says whether another try makes sense."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE, VERIFICATION
from dicomnode.instance_file import file_head
from dicomnode.peers import Peer
from dicomnode.routing import CT_IMAGE_STORAGE, RT_STRUCTURE_SET_STORAGE
from dicomnode.scu import Timeouts, echo, is_transient, is_warning, send
from tests.support.instances import JPEG_LS, ct_instance, instance_file, structure_set
from tests.support.peer import receiving_peer

QUICK = Timeouts(connection_s=1.0, acse_s=1.0, dimse_s=1.0, network_s=1.0)
PATIENT = Timeouts()


def written(folder: Path, *files: object) -> list[Path]:
    """Return DICOM files in a folder."""
    paths = [folder / f"{number}.dcm" for number, _ in enumerate(files)]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file_head(file) + file.data)
    return paths


def test_a_file_arrives_as_it_lies_on_the_disk(tmp_path: Path) -> None:
    """Neither decoded nor encoded again."""
    file = instance_file(structure_set())
    with receiving_peer() as tps:
        outcome = send(tps.peer, written(tmp_path, file), "DICOMNODE", PATIENT)

    assert (outcome.ok, outcome.status, outcome.sent) == (True, 0x0000, 1)
    assert tps.received == [(file.sop_instance_uid, EXPLICIT_VR_LE, file.data)]


def test_a_series_goes_over_one_association(tmp_path: Path) -> None:
    """Each slice in its own syntax, in the order given."""
    files = [instance_file(ct_instance(number), JPEG_LS if number % 2 else EXPLICIT_VR_LE) for number in range(1, 5)]
    with receiving_peer() as tps:
        outcome = send(tps.peer, written(tmp_path, *files), "DICOMNODE", PATIENT)

    assert outcome.sent == 4
    assert [data for _, _, data in tps.received] == [file.data for file in files]


def test_a_peer_that_wants_another_syntax_gets_it(tmp_path: Path) -> None:
    """A TPS that takes only implicit VR is served."""
    file = instance_file(structure_set())
    with receiving_peer(accepts={RT_STRUCTURE_SET_STORAGE: (IMPLICIT_VR_LE,)}) as tps:
        outcome = send(tps.peer, written(tmp_path, file), "DICOMNODE", PATIENT)

    assert outcome.ok
    assert tps.received == [
        (file.sop_instance_uid, IMPLICIT_VR_LE, instance_file(structure_set(), IMPLICIT_VR_LE).data)
    ]


@pytest.mark.parametrize(
    ("status", "ok", "transient"),
    [
        (0xA700, False, True),
        (0xA7FF, False, True),
        (0x0110, False, True),
        (0xA900, False, False),
        (0xC000, False, False),
        (0xC123, False, False),
        (0x0122, False, False),
        (0x0124, False, False),
        (0xB000, True, False),
        (0xB007, True, False),
        (0x0000, True, False),
    ],
)
def test_a_status_decides_whether_another_try_makes_sense(
    tmp_path: Path, status: int, *, ok: bool, transient: bool
) -> None:
    """Out of resources may pass, a data set that is not understood will not be later, a warning is a success."""
    with receiving_peer(status=status, comment="so it is") as tps:
        outcome = send(tps.peer, written(tmp_path, instance_file(structure_set())), "DICOMNODE", PATIENT)

    assert (outcome.status, outcome.ok, outcome.transient) == (status, ok, transient)


def test_sending_ends_at_the_first_instance_that_is_not_taken(tmp_path: Path) -> None:
    """What was taken before is counted."""
    files = [instance_file(ct_instance(number)) for number in range(1, 5)]
    with receiving_peer(statuses=(0x0000, 0xB000, 0xA700)) as tps:
        outcome = send(tps.peer, written(tmp_path, *files), "DICOMNODE", PATIENT)

    assert (outcome.status, outcome.sent, len(tps.asked)) == (0xA700, 2, 3)


def test_an_unknown_called_ae_title_is_permanent(tmp_path: Path) -> None:
    """A rejection for good needs the operator."""
    with receiving_peer(called="ANOTHER") as tps:
        outcome = send(tps.peer, written(tmp_path, instance_file(structure_set())), "DICOMNODE", PATIENT)

    assert (outcome.status, outcome.transient) == (None, False)
    assert outcome.comment == "TPS rejects the association for good (1/1/7)"


def test_a_peer_that_takes_no_structure_sets_is_permanent(tmp_path: Path) -> None:
    """Both when it takes nothing that was offered, and when it takes only something else."""
    ours = written(tmp_path, instance_file(structure_set()), instance_file(ct_instance()))
    with receiving_peer(accepts={VERIFICATION: (EXPLICIT_VR_LE,)}) as nothing:
        first = send(nothing.peer, ours[:1], "DICOMNODE", PATIENT)
    with receiving_peer(accepts={CT_IMAGE_STORAGE: (EXPLICIT_VR_LE,)}) as only_ct:
        second = send(only_ct.peer, ours, "DICOMNODE", PATIENT)

    assert (first.transient, first.comment) == (False, "TPS takes nothing of what was offered")
    assert (second.transient, second.comment) == (
        False,
        "the peer does not take this SOP class in this transfer syntax",
    )


def test_a_peer_that_is_away_is_transient(tmp_path: Path) -> None:
    """It may be back later."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    outcome = send(Peer("TPS", "127.0.0.1", port), written(tmp_path, instance_file(structure_set())), "X", QUICK)
    nowhere = send(
        Peer("TPS", "no-such-host.invalid", 104), written(tmp_path, instance_file(structure_set())), "X", QUICK
    )

    assert (outcome.status, outcome.transient) == (None, True)
    assert (nowhere.status, nowhere.transient) == (None, True)


def test_what_is_no_dicom_file_is_permanent(tmp_path: Path) -> None:
    """No second try makes it one."""
    (tmp_path / "note.txt").write_text("hello")

    outcome = send(Peer("TPS", "127.0.0.1", 104), [tmp_path / "note.txt"], "X", QUICK)

    assert (outcome.status, outcome.transient, outcome.comment) == (
        None,
        False,
        "note.txt is no DICOM file that can be sent",
    )


def test_echo_says_whether_the_peer_answers() -> None:
    """Yes, no, and rejected."""
    with receiving_peer() as tps, receiving_peer(called="ANOTHER") as other:
        assert echo(tps.peer, "DICOMNODE", PATIENT).ok
        assert echo(other.peer, "DICOMNODE", PATIENT).detail == "TPS rejects the association for good (1/1/7)"


def test_warnings_and_failures_are_apart() -> None:
    """No status is both stored and to be tried again."""
    assert not [status for status in range(0x10000) if is_warning(status) and is_transient(status)]


@contextmanager
def bad_peer(behave: Callable[[socket.socket], None]) -> Iterator[Peer]:
    """Run a TCP server that does with each connection as told, and keeps it open until the end."""
    server = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=_quietly, args=(behave, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield Peer("TPS", "127.0.0.1", server.getsockname()[1])
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in open_ones:
            connection.close()


def _quietly(behave: Callable[[socket.socket], None], connection: socket.socket) -> None:
    try:
        behave(connection)
    except OSError:
        return


def read_request(connection: socket.socket) -> bytes:
    header = connection.recv(6, socket.MSG_WAITALL)
    return header + connection.recv(struct.unpack(">I", header[2:])[0], socket.MSG_WAITALL)


def accept_all(request: bytes) -> bytes:
    """Return an A-ASSOCIATE-AC that accepts every context in its first syntax (PS3.8 9.3.3)."""
    application = b"\x10\0" + struct.pack(">H", 21) + b"1.2.840.10008.3.1.1.1"
    contexts, position = b"", 74
    while position < len(request):
        kind, length = struct.unpack(">BxH", request[position : position + 4])
        body = request[position + 4 : position + 4 + length]
        if kind == 0x20:
            syntax = body[4:]
            while syntax[0] != 0x40:
                syntax = syntax[4 + struct.unpack(">H", syntax[2:4])[0] :]
            item = syntax[: 4 + struct.unpack(">H", syntax[2:4])[0]]
            contexts += b"\x21\0" + struct.pack(">H", 4 + len(item)) + body[:1] + b"\0\0\0" + item
        position += 4 + length
    maximum = b"\x51\0\0\x04" + struct.pack(">I", 16384)
    class_uid = b"\x52\0\0\x051.2.3"
    user = b"\x50\0" + struct.pack(">H", len(maximum + class_uid)) + maximum + class_uid
    rest = request[6:74] + application + contexts + user
    return b"\x02\0" + struct.pack(">I", len(rest)) + rest


def silent(_connection: socket.socket) -> None:
    time.sleep(20)


def half_accept(connection: socket.socket) -> None:
    connection.sendall(accept_all(read_request(connection))[:40])
    time.sleep(20)


def dripping_accept(connection: socket.socket) -> None:
    for byte in accept_all(read_request(connection)):
        connection.sendall(bytes([byte]))
        time.sleep(0.3)


def stops_reading(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(accept_all(read_request(connection)))
    time.sleep(20)


def half_answer(connection: socket.socket) -> None:
    connection.sendall(accept_all(read_request(connection)))
    read_request(connection)
    connection.sendall(b"\x04\0\0\0\0\x50" + b"\0" * 10)
    time.sleep(20)


def closes_at_once(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def closes_after_accepting(connection: socket.socket) -> None:
    connection.sendall(accept_all(read_request(connection)))
    connection.shutdown(socket.SHUT_RDWR)


def aborts(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"\x07\0\0\0\0\x04\0\0\0\0")
    time.sleep(20)


def talks_garbage(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
    time.sleep(20)


def declares_too_much(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"\x02\0\x7f\xff\xff\xff" + b"\0" * 100)
    time.sleep(20)


@pytest.mark.parametrize(
    "behave",
    [
        silent,
        half_accept,
        dripping_accept,
        stops_reading,
        half_answer,
        closes_at_once,
        closes_after_accepting,
        aborts,
        talks_garbage,
        declares_too_much,
    ],
)
def test_no_bad_peer_holds_the_sender(tmp_path: Path, behave: Callable[[socket.socket], None]) -> None:
    """Whatever it does, sending returns soon, says that another try may succeed, and leaves no thread behind."""
    ds = structure_set()
    ds.StructureSetDescription = "x" * 1000
    ds.add_new(0x00091010, "OB", bytes(4 << 20))
    paths = written(tmp_path, instance_file(ds))
    threads = threading.active_count()
    with bad_peer(behave) as peer:
        began = time.monotonic()
        outcome = send(peer, paths, "DICOMNODE", QUICK)
        took = time.monotonic() - began

        assert (outcome.status, outcome.transient) == (None, True)
        assert took < 6.0
        deadline = time.monotonic() + 5.0
        while threading.active_count() > threads + 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert threading.active_count() <= threads + 2  # the bad peer's own two
