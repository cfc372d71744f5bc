"""Eight senders at once: nothing is lost, every byte is as it was sent, every series has an end."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom.dsutils import split_dataset

from dicomnode.series import State
from segmentation.phantom_series import write_series
from tests.support.node import Node, free_port, make_node, running, tps
from tests.support.peer import receiving_peer
from tests.support.tiny import marked_series

pytestmark = [
    pytest.mark.slow,
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("dcmsend") is None, reason="dcmtk's dcmsend is not installed"),
    pytest.mark.xdist_group("eight senders"),
]

SENDERS = 8
SLICES = 24


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[tuple[Node, list[list[Path]], Any]]:
    """Let eight dcmsend, each with a name and a series of its own, send at once; wait for the end of all series."""
    folder = tmp_path_factory.mktemp("eight")
    series = [write_series(marked_series(number, slices=SLICES), folder / str(number)) for number in range(SENDERS)]
    with receiving_peer() as peer:
        senders = [tps(free_port(), f"SCANNER{number}") for number in range(SENDERS)]
        rule = '[[rules]]\nname = "all"\naction = "contour"\nbundle = "tiny"\nsend_to = ["TPS"]\n'
        node = make_node(folder / "node", peer.peer, *senders, bundle_dir=bundle_dir, rules=rule)
        with running(node):
            running_senders = [_send(node, number, folder / str(number)) for number in range(SENDERS)]
            codes = [sender.wait(timeout=120) for sender in running_senders]
            uids = [str(dcmread(paths[0]).SeriesInstanceUID) for paths in series]
            states = node.wait_for_end(*uids, seconds=200)
            yield node, series, {"codes": codes, "states": states, "received": peer.received}


def _send(node: Node, number: int, folder: Path) -> subprocess.Popen[bytes]:
    program = ["dcmsend", "-aet", f"SCANNER{number}", "-aec", node.own.ae_title, "+sd", node.own.host, str(node.port)]
    return subprocess.Popen([*program, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_every_sender_is_told_that_all_is_well(sent: Any) -> None:
    """No dcmsend reports a failure."""
    assert sent[2]["codes"] == [0] * SENDERS


def test_every_instance_is_on_disk_with_the_bytes_that_were_sent(sent: Any) -> None:
    """The data sets in the node's folder are those of the senders, byte by byte, no more and no fewer."""
    node, series, _ = sent

    kept = [digest(path) for path in (node.data / "instances").glob("*/*.dcm")]

    assert sorted(kept) == sorted(digest(path) for paths in series for path in paths)


def test_every_instance_has_a_row(sent: Any) -> None:
    """The ledger knows each series with all its slices, and no alarm was raised."""
    status = sent[0].status()

    assert sorted(one["slices"] for one in status["series"]) == [SLICES] * SENDERS
    assert sorted(one["calling_ae_title"] for one in status["series"]) == [f"SCANNER{n}" for n in range(SENDERS)]
    assert status["alarms"] == []


def test_every_series_comes_back(sent: Any) -> None:
    """Each of the eight series is contoured and its structure set delivered, once."""
    assert set(sent[2]["states"].values()) == {State.SENT}
    assert len({uid for uid, _, _ in sent[2]["received"]}) == len(sent[2]["received"]) == SENDERS


def digest(path: Path) -> str:
    """Return the SHA-256 of the encoded data set in a file, without preamble and file meta information."""
    _, offset = split_dataset(path)
    return hashlib.sha256(path.read_bytes()[offset:]).hexdigest()
