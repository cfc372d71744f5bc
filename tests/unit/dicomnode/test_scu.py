"""Every wait on a peer has an end, and every failure says whether another try makes sense."""

import socket
import threading
import time
from pathlib import Path

import pytest
from psutil import Process

from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE, VERIFICATION
from dicomnode.instance_file import file_head
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.routing import CT_IMAGE_STORAGE, RT_STRUCTURE_SET_STORAGE
from dicomnode.scu import echo, is_transient, is_warning, send
from tests.support.bad_peers import BEHAVIOURS, bad_peer
from tests.support.instances import JPEG_LS, ct_instance, instance_file, structure_set
from tests.support.peer import receiving_peer

QUICK_S = 0.6
QUICK = Timeouts(connection_s=QUICK_S, acse_s=QUICK_S, dimse_s=QUICK_S, network_s=QUICK_S)
BUSY_MACHINE_S = 3.0
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


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_no_bad_peer_holds_the_sender(tmp_path: Path, behaviour: str) -> None:
    """Whatever it does, sending returns soon, says that another try may succeed, and leaves nothing open."""
    ds = structure_set()
    ds.add_new(0x00091010, "OB", bytes(4 << 20))
    paths = written(tmp_path, instance_file(ds))
    before = (threading.active_count(), Process().num_fds())
    with bad_peer(behaviour) as peer:
        began = time.monotonic()
        outcome = send(peer, paths, "DICOMNODE", QUICK)
        took = time.monotonic() - began

    assert (outcome.status, outcome.transient) == (None, True)
    assert took < QUICK_S + 1.0 + BUSY_MACHINE_S
    assert (threading.active_count(), Process().num_fds()) == before


@pytest.mark.parametrize("behaviour", ["never releases", "drips the release"])
def test_what_was_taken_stays_taken_when_the_end_goes_wrong(tmp_path: Path, behaviour: str) -> None:
    """The response is the promise: a peer that does not let us go has the instance all the same."""
    with bad_peer(behaviour) as peer:
        began = time.monotonic()
        outcome = send(peer, written(tmp_path, instance_file(structure_set())), "DICOMNODE", QUICK)
        took = time.monotonic() - began

    assert (outcome.status, outcome.sent) == (0x0000, 1)
    assert took < QUICK_S + 1.0 + BUSY_MACHINE_S


def test_a_syntax_that_was_not_offered_is_not_granted(tmp_path: Path) -> None:
    """A peer that accepts what nobody asked for, or contexts of its own, gets nothing sent."""
    with bad_peer("accepts what was not offered") as peer:
        outcome = send(peer, written(tmp_path, instance_file(structure_set())), "DICOMNODE", QUICK)

    assert (outcome.status, outcome.sent, outcome.comment) == (None, 0, "TPS takes nothing of what was offered")


def test_a_lost_response_is_answered_by_the_same_instance_again(tmp_path: Path) -> None:
    """The peer may have it: sent again with the same UID and the same bytes it is one instance there."""
    file = instance_file(structure_set())
    paths = written(tmp_path, file)
    with bad_peer("half answer") as peer:
        lost = send(peer, paths, "DICOMNODE", QUICK)
    with receiving_peer() as tps:
        again = send(tps.peer, paths, "DICOMNODE", PATIENT)

    assert (lost.status, lost.transient, again.ok) == (None, True, True)
    assert tps.received == [(file.sop_instance_uid, EXPLICIT_VR_LE, file.data)]
