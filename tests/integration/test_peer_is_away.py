"""A TPS that is away, or that refuses: delivered once when it is back, or set aside for the operator."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from dicomnode.dimse import IMPLICIT_VR_LE, UNCOMPRESSED
from dicomnode.records import DeliveryState
from dicomnode.series import State
from tests.support.node import Node, free_port, make_node, running, tps
from tests.support.peer import receiving_peer
from tests.support.tiny import marked_series

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("peer is away")]


@pytest.fixture(scope="module")
def tps_port() -> int:
    """Return where the TPS listens when it is there."""
    return free_port()


@pytest.fixture(scope="module")
def node(tps_port: int, tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[Node]:
    """Run a node whose TPS is away."""
    folder = tmp_path_factory.mktemp("away")
    with running(make_node(folder, tps(tps_port), bundle_dir=bundle_dir)) as made:
        yield made


def test_what_a_tps_missed_is_delivered_once_when_it_is_back(node: Node, tps_port: int) -> None:
    """The TPS is down while the series is contoured and while the node is killed and started; then it gets it, once."""
    uid = node.send_series(marked_series(1, slices=20))
    node.wait_for(lambda ledger: any(one.attempts >= 2 for one in ledger.deliveries()))
    waiting = node.status()
    node.kill()
    node.start()
    node.wait_for(lambda ledger: any(one.attempts >= 4 for one in ledger.deliveries()))

    with receiving_peer(port=tps_port) as peer:
        states = node.wait_for_end(uid)

    (job,) = waiting["jobs"]
    assert (job["name"], job["state"], job["peer"]) == ("deliver-1", "pending", "TPS")
    assert "no association with TPS" in job["detail"]
    assert job["next_attempt"] is not None
    assert states[uid] is State.SENT
    assert len(peer.asked) == 1
    assert waiting["alarms"] == []


@pytest.mark.parametrize(("number", "status"), [(2, 0xC000), (3, 0x0122)])
def test_what_a_tps_refuses_for_good_is_set_aside_after_three_attempts(
    node: Node, tps_port: int, number: int, status: int
) -> None:
    """Three refusals, then an alarm and an end state; `jobs retry` delivers once the TPS takes it."""
    with receiving_peer(port=tps_port, status=status, comment="not in this patient's plan") as refusing:
        uid = node.send_series(marked_series(number, slices=20))
        states = node.wait_for_end(uid)
    status_then = node.status()
    job = next(one for one in status_then["jobs"] if one["state"] == "dead")

    with receiving_peer(port=tps_port) as peer:
        done = node.run("jobs", "retry", job["name"])
        node.wait_for(lambda ledger: ledger.deliveries()[-1].state is DeliveryState.SENT)

    assert states[uid] is State.UNDELIVERED
    assert len(refusing.asked) == 3
    assert job["detail"] == f"{status:04X} not in this patient's plan"
    assert [alarm["text"] for alarm in status_then["alarms"] if alarm["about"] == job["name"]] == [
        f"job {job['name']} to TPS was given up: status {status:04X}; `jobs show {job['name']}` says more"
    ]
    assert (done.returncode, done.stdout) == (0, f"{job['name']} is tried again\n")
    assert peer.asked == refusing.asked[:1]
    assert node.wait_for_end(uid)[uid] is State.SENT


def test_a_tps_that_is_out_of_resources_gets_it_later(node: Node, tps_port: int) -> None:
    """A700 is no refusal: it is tried more than three times, and no alarm is raised."""
    alarms = len(node.status()["alarms"])
    with receiving_peer(port=tps_port, statuses=(0xA700,) * 4) as peer:
        uid = node.send_series(marked_series(4, slices=20))
        states = node.wait_for_end(uid)

    assert states[uid] is State.SENT
    assert len(peer.asked) == 5
    assert len(node.status()["alarms"]) == alarms


def test_a_warning_is_a_delivery(node: Node, tps_port: int) -> None:
    """A TPS that stored with a remark (B007) has it; the remark is kept with the delivery."""
    with receiving_peer(port=tps_port, status=0xB007, comment="elements coerced") as peer:
        uid = node.send_series(marked_series(5, slices=20))
        states = node.wait_for_end(uid)

    assert states[uid] is State.SENT
    assert len(peer.asked) == 1
    assert node.series(uid)["deliveries"][0]["detail"] == "elements coerced"


def test_a_delivery_that_waits_can_be_cancelled(node: Node) -> None:
    """The operator gives up what the TPS will never take; the series has an end state and nothing is tried again."""
    uid = node.send_series(marked_series(6, slices=20))
    node.wait_for(lambda ledger: any(one.attempts for one in ledger.deliveries(DeliveryState.PENDING)))
    with node.ledger() as ledger:
        job = f"deliver-{ledger.deliveries(DeliveryState.PENDING)[0].id}"

    done = node.run("jobs", "cancel", job)

    assert (done.returncode, done.stdout) == (0, f"{job} is cancelled\n")
    assert node.wait_for_end(uid)[uid] is State.UNDELIVERED


def test_what_was_delivered_is_a_structure_set_of_the_series(node: Node, tps_port: int) -> None:
    """What arrives is an RT Structure Set that refers to the CT, of the same patient and study."""
    ct = marked_series(7, slices=20)
    with receiving_peer(port=tps_port) as peer:
        node.wait_for_end(node.send_series(ct))

    ((_, syntax, data),) = peer.received
    ds = read_dataset(DicomBytesIO(data), syntax == IMPLICIT_VR_LE, is_little_endian=True)

    assert syntax in UNCOMPRESSED
    assert (ds.Modality, ds.PatientID, ds.StudyInstanceUID) == ("RTSTRUCT", ct[0].PatientID, ct[0].StudyInstanceUID)
    assert [roi.ROIName for roi in ds.StructureSetROISequence] == ["Brainstem", "Parotid_L", "Parotid_R"]
