"""dcmtk's programs send to the receiver and get from the sender."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.dimse import ACCEPTED, EXPLICIT_VR_LE
from dicomnode.instance_file import file_head, parse_file
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.routing import CT_IMAGE_STORAGE
from dicomnode.scu import echo, send
from dicomnode.series import State
from tests.support.instances import COMPRESSED, SERIES, ct_instance, instance_file, structure_set
from tests.support.receiver import RunningReceiver, running_receiver

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed"),
]
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}  # dcmtk waits 40 ms an instance without it
OFFER = {  # storescu's options that propose a transfer syntax
    EXPLICIT_VR_LE: "-xe",
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.5": "-xr",
}
TRANSCODE = {
    "1.2.840.10008.1.2": ["dcmconv", "+ti"],
    "1.2.840.10008.1.2.4.57": ["dcmcjpeg", "+el"],
    "1.2.840.10008.1.2.4.70": ["dcmcjpeg", "+e1"],
    "1.2.840.10008.1.2.4.80": ["dcmcjpls", "+el"],
    "1.2.840.10008.1.2.5": ["dcmcrle"],
}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningReceiver]:
    folder = tmp_path / "node"
    folder.mkdir()
    with running_receiver(folder) as running:
        yield running


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a program of dcmtk to its end."""
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=False)


def called(node: RunningReceiver, ae_title: str = "TPS") -> list[object]:
    """Return the options by which dcmtk calls the node."""
    return ["-aet", ae_title, "-aec", "DICOMNODE", "127.0.0.1", node.receiver.port]


def write(folder: Path, *files: object) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.dcm" for number, _ in enumerate(files)]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file_head(file) + file.data)
    return paths


def test_echoscu_is_answered(node: RunningReceiver) -> None:
    """Verification."""
    assert run("echoscu", *called(node)).returncode == 0


def test_echoscu_of_a_stranger_is_rejected(node: RunningReceiver) -> None:
    """With the reason of the Standard."""
    answer = run("echoscu", *called(node, "STRANGE"))

    assert answer.returncode != 0
    assert "Calling AE Title Not Recognized" in answer.stderr


def test_dcmsend_sends_a_series_and_sends_it_again(node: RunningReceiver, tmp_path: Path) -> None:
    """Every slice is kept as sent, one series is open, and the second time makes no second file."""
    files = [instance_file(ct_instance(number, rows=64, columns=64)) for number in range(1, 31)]
    write(tmp_path / "ct", *files)

    codes = [run("dcmsend", "+sd", *called(node), tmp_path / "ct").returncode for _ in range(2)]

    kept = {parse_file(node.spool.read(path)).data for path in node.spool.paths()}
    (series,) = node.ledger.series_in()
    assert codes == [0, 0]
    assert kept == {file.data for file in files}
    assert (series.series_instance_uid, series.state) == (SERIES, State.RECEIVING)
    assert not node.feeding.is_fed(SERIES)


@pytest.mark.parametrize("syntax", sorted(OFFER))
def test_storescu_sends_every_syntax_that_it_can_propose(node: RunningReceiver, tmp_path: Path, syntax: str) -> None:
    """The bytes of the data set are those that were sent."""
    file = instance_file(ct_instance(), syntax)
    (path,) = write(tmp_path / "ct", file)

    answer = run("storescu", "-R", OFFER[syntax], *called(node), path)

    assert answer.returncode == 0, answer.stderr
    (kept,) = [parse_file(node.spool.read(each)) for each in node.spool.paths()]
    assert (kept.transfer_syntax_uid, kept.data) == (syntax, file.data)


@pytest.mark.parametrize("syntax", sorted(TRANSCODE))
def test_what_dcmtk_transcodes_is_no_other_content(node: RunningReceiver, tmp_path: Path, syntax: str) -> None:
    """A slice that comes again through a foreign encoder is a repeat, not a conflict."""
    (path,) = write(tmp_path / "ct", instance_file(ct_instance(rows=64, columns=64)))
    again = tmp_path / "again.dcm"
    done = run(*TRANSCODE[syntax], path, again)
    assert done.returncode == 0, done.stderr
    assert dcmread(again).file_meta.TransferSyntaxUID == syntax

    outcomes = [
        send(Peer("DICOMNODE", "127.0.0.1", node.receiver.port), [each], "TPS", Timeouts()) for each in (path, again)
    ]

    assert [outcome.status for outcome in outcomes] == [0x0000, 0x0000], outcomes[1].comment
    assert node.ledger.conflicts() == []


def test_storescu_is_told_of_a_conflict(node: RunningReceiver, tmp_path: Path) -> None:
    """0xC000, and the second is kept apart."""
    (first,) = write(tmp_path / "one", instance_file(ct_instance()))
    (second,) = write(tmp_path / "two", instance_file(ct_instance(SliceThickness="5")))

    run("storescu", *called(node), first)
    answer = run("storescu", "-v", *called(node), second)

    assert "Error: CannotUnderstand" in answer.stdout + answer.stderr
    assert len(node.ledger.conflicts()) == 1


def test_eight_senders_at_once_lose_nothing(node: RunningReceiver, tmp_path: Path) -> None:
    """Eight series over eight associations arrive whole and byte for byte."""
    sent = []
    for sender in range(8):
        series = f"{SERIES}.{sender + 100}"
        files = [instance_file(ct_instance(number, series=series, rows=128, columns=128)) for number in range(1, 21)]
        write(tmp_path / str(sender), *files)
        sent += [file.data for file in files]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda sender: run("dcmsend", "+sd", *called(node), tmp_path / str(sender)), range(8)))

    kept = [parse_file(node.spool.read(path)).data for path in node.spool.paths()]
    assert [answer.returncode for answer in answers] == [0] * 8
    assert sorted(kept) == sorted(sent)
    assert len(node.ledger.series_in(State.RECEIVING)) == 8


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[Peer]:
    """Run dcmtk's storage SCP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    folder.mkdir()
    process = subprocess.Popen(
        ["storescp", "-aet", "TPS", *options, "-od", str(folder), str(port)],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peer = Peer("TPS", "127.0.0.1", port)
    try:
        deadline = time.monotonic() + 10.0
        while not echo(peer, "DICOMNODE", Timeouts(1, 1, 1, 1)).ok and time.monotonic() < deadline:
            time.sleep(0.05)
        yield peer
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("options", [(), ("+xi",)])
def test_storescp_gets_a_structure_set(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Also where the peer wants implicit VR."""
    paths = write(tmp_path / "rt", instance_file(structure_set()))
    with storescp(tmp_path / "tps", *options) as peer:
        outcome = send(peer, paths, "DICOMNODE", Timeouts())

    (received,) = (tmp_path / "tps").iterdir()
    assert outcome.ok, outcome.comment
    assert dcmread(received).StructureSetLabel == "APPROVED BY ME"


def test_storescp_gets_compressed_slices(tmp_path: Path) -> None:
    """In the file's own syntax."""
    taken = COMPRESSED[1:]  # storescp does not take .57
    paths = write(tmp_path / "ct", *(instance_file(ct_instance(n), syntax) for n, syntax in enumerate(taken)))
    with storescp(tmp_path / "tps", "+xa") as peer:
        outcome = send(peer, paths, "DICOMNODE", Timeouts())

    syntaxes = {str(dcmread(each).file_meta.TransferSyntaxUID) for each in (tmp_path / "tps").iterdir()}
    assert outcome.ok, outcome.comment
    assert syntaxes == set(taken) <= set(ACCEPTED[CT_IMAGE_STORAGE])
