"""Slices that come late, series that come again, and instances that come with other content."""

import copy
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from dicomnode.dimse import IMPLICIT_VR_LE
from dicomnode.ledger import Ledger
from dicomnode.series import State
from segmentation.phantom_series import write_series
from tests.support.instances import JPEG_LS, RLE, compressed
from tests.support.node import Node, make_node, running
from tests.support.peer import ReceivingPeer, receiving_peer
from tests.support.tiny import marked_series, write_tiny_bundle

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("late")]


@pytest.fixture(scope="module")
def tps() -> Iterator[ReceivingPeer]:
    """Run a TPS."""
    with receiving_peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a bundle that a test may replace."""
    folder = tmp_path_factory.mktemp("own bundles")
    write_tiny_bundle(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def node(tps: ReceivingPeer, bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Run a node for all tests of this file."""
    with running(make_node(tmp_path_factory.mktemp("late"), tps.peer, bundle_dir=bundles)) as made:
        yield made


@pytest.fixture
def taken(tps: ReceivingPeer) -> Callable[[], list[tuple[str, str]]]:
    """Return what tells the UID and the digest of each structure set that the TPS took since the test began."""
    before = len(tps.received)
    return lambda: [(uid, hashlib.sha256(data).hexdigest()) for uid, _, data in tps.received[before:]]


def again(node: Node, send: Callable[[], object], uid: str) -> State:
    """Send something of a known series and wait until the node has looked at it."""
    begun = datetime.now(UTC)
    send()

    def settled(ledger: Ledger) -> bool:
        record = next(one for one in ledger.series_in() if one.series_instance_uid == uid)
        return record.last_received > begun and record.state in (State.SENT, State.HELD, State.FAILED)

    node.wait_for(settled)
    return next(state for state in node.wait_for_end(uid).values())


def test_late_slices_give_a_new_structure_set_that_supersedes_the_first(
    node: Node, tps: ReceivingPeer, taken: Callable[[], list[tuple[str, str]]]
) -> None:
    """Slices that come after the result was sent reopen the series; the label of the second result says so."""
    series = marked_series(1, slices=24)
    uid = node.send_series(series[:21])
    node.wait_for_end(uid)

    state = again(node, lambda: node.send_series(series[21:]), uid)

    first, second = (
        read_dataset(DicomBytesIO(data), syntax == IMPLICIT_VR_LE, is_little_endian=True)
        for _, syntax, data in tps.received[-2:]
    )
    assert state is State.SENT
    assert len(taken()) == 2
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.StructureSetLabel.startswith("AI_")
    assert second.StructureSetLabel.startswith("AI_v2_")
    assert f"Supersedes {first.StructureSetLabel}." in second.StructureSetDescription
    assert len(node.series(uid)["results"]) == 2


def test_a_series_that_is_sent_again_whole_is_delivered_again(
    node: Node, taken: Callable[[], list[tuple[str, str]]]
) -> None:
    """A physicist who deleted the result sends the CT again and has it back: the same UID, the same bytes."""
    series = marked_series(2, slices=20)
    uid = node.send_series(series)
    node.wait_for_end(uid)

    state = again(node, lambda: node.send_series(series), uid)

    assert state is State.SENT
    assert len(taken()) == 2
    assert len(set(taken())) == 1
    assert len(node.series(uid)["results"]) == 1


def test_a_part_that_is_sent_again_changes_nothing(node: Node, taken: Callable[[], list[tuple[str, str]]]) -> None:
    """A sender that repeats some slices after a lost connection gets nothing a second time."""
    series = marked_series(3, slices=20)
    uid = node.send_series(series)
    node.wait_for_end(uid)

    state = again(node, lambda: node.send_series(series[:7]), uid)

    assert state is State.SENT
    assert len(taken()) == 1
    assert node.series(uid)["generation"] == 1


@pytest.mark.parametrize("syntax", [JPEG_LS, RLE])
def test_another_transfer_syntax_is_the_same_instance(
    node: Node, syntax: str, taken: Callable[[], list[tuple[str, str]]]
) -> None:
    """The same slices, compressed, are taken for a repeat: no conflict, no second file, the result comes again."""
    series = marked_series(4 if syntax == RLE else 5, slices=20)
    uid = node.send_series(series)
    node.wait_for_end(uid)
    files = len(list((node.data / "instances").glob("*/*.dcm")))

    state = again(node, lambda: node.send_series([encoded(ds, syntax) for ds in series]), uid)

    assert state is State.SENT
    assert len(list((node.data / "instances").glob("*/*.dcm"))) == files
    assert len(set(taken())) == 1
    assert len(taken()) == 2
    assert node.status()["conflicts"] == []


def test_other_content_under_a_known_uid_waits_for_the_operator(
    node: Node, taken: Callable[[], list[tuple[str, str]]]
) -> None:
    """It is refused with C000, kept apart with an alarm; once it is accepted, the series is contoured anew."""
    series = marked_series(6, slices=20)
    uid = node.send_series(series)
    node.wait_for_end(uid)
    (path,) = write_series([brighter(series[9])], node.folder / "brighter")

    outcome = node.send([path])
    status = node.status()
    conflict = status["conflicts"][0]
    state = again(node, lambda: node.run("conflicts", "accept", str(conflict["id"])), uid)

    assert (outcome.status, outcome.comment) == (0xC000, "this UID is known with other content; kept apart")
    assert [alarm["kind"] for alarm in status["alarms"]] == ["conflict"]
    assert state is State.SENT
    assert len({sop_instance_uid for sop_instance_uid, _ in taken()}) == 2
    assert node.status()["conflicts"] == []


def test_a_rejected_conflict_leaves_all_as_it_was(node: Node) -> None:
    """The other content is deleted, and the series keeps its result."""
    series = marked_series(7, slices=20)
    uid = node.send_series(series)
    node.wait_for_end(uid)
    node.send(write_series([brighter(series[3])], node.folder / "rejected"))
    conflict = node.status()["conflicts"][0]

    done = node.run("conflicts", "reject", str(conflict["id"]))

    assert (done.returncode, done.stdout) == (0, f"conflict {conflict['id']}: the new instance is rejected\n")
    assert list((node.data / "conflicts").iterdir()) == []
    assert (node.series(uid)["state"], node.series(uid)["generation"]) == ("sent", 1)


def test_a_repeat_is_contoured_anew_if_the_model_has_changed(
    node: Node, bundles: Path, taken: Callable[[], list[tuple[str, str]]]
) -> None:
    """A new version of the model takes effect without a restart, and the repeat is another instance."""
    series = marked_series(8, slices=20)
    uid = node.send_series(series)
    node.wait_for_end(uid)

    write_tiny_bundle(bundles / "tiny", version="2")
    state = again(node, lambda: node.send_series(series), uid)

    assert state is State.SENT
    assert len({sop_instance_uid for sop_instance_uid, _ in taken()}) == 2
    assert [result["model_version"] for result in node.series(uid)["results"]] == ["1", "2"]


def encoded(ds: Dataset, syntax: str) -> Dataset:
    """Return an instance whose pixels are compressed."""
    copied = copy.deepcopy(ds)
    copied.update(compressed(ds, syntax))
    copied.file_meta.TransferSyntaxUID = syntax
    return copied


def brighter(ds: Dataset) -> Dataset:
    """Return an instance of the same UID with another pixel."""
    copied = copy.deepcopy(ds)
    copied.PixelData = b"\x01\x04" + ds.PixelData[2:]
    return copied
