"""A patient who is contoured blind: nobody gets our contours, and what was drawn without them is held against them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from adaptation.case_record import CaseRecord, Origin
from adaptation.cases import CaseStore
from dicomnode.blinding import is_chosen
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.records import ApprovalState
from dicomnode.series import State
from tests.support.node import Node, make_node, running
from tests.support.peer import ReceivingPeer, receiving_peer
from tests.support.tiny import marked_series

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("blind")]

SLICES = 20
SHARE = 0.2
RULES = (
    '[[rules]]\nname = "structure sets"\naction = "learn"\n'
    '[[rules]]\nname = "planning CT"\naction = "contour"\nbundle = "tiny"\n'
)


@pytest.fixture
def peer() -> Iterator[ReceivingPeer]:
    """Run a TPS."""
    with receiving_peer() as tps:
        yield tps


@pytest.fixture
def node(peer: ReceivingPeer, tmp_path: Path, bundle_dir: Path) -> Iterator[Node]:
    """Run a node that contours a fifth of the patients blind."""
    more: dict[str, dict[str, object]] = {
        "contouring": {"blind_share": SHARE},
        "metrics": {"textfile": str(tmp_path / "node.prom"), "every_s": 0.2},
    }
    made = make_node(tmp_path / "node", peer.peer, bundle_dir=bundle_dir, rules=RULES, more=more)
    with running(made):
        yield made


def patients(node: Node, *, blind: bool) -> Iterator[str]:
    """Yield Patient IDs of whom the node's key has contours shown, or not."""
    pseudonyms = Pseudonyms((node.data / "pseudonym.key").read_bytes())
    names = (f"PATIENT-{number}" for number in range(1000))
    return (name for name in names if is_chosen(pseudonyms.identity_of(name), SHARE) is blind)


def ct_of(patient: str, number: int = 1) -> list[Dataset]:
    """Return a CT of a patient; another number is another series."""
    return marked_series(number, slices=SLICES, header={"PatientID": patient})


def approved(node: Node, sop_instance_uid: str, path: Path) -> str:
    """Send what a physician approved, who drew the very same as we did; return its UID."""
    ds = dcmread(node.data / path)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[sop_instance_uid])
    ds.ApprovalStatus, ds.ReviewDate, ds.ReviewTime, ds.ReviewerName = "APPROVED", "20260302", "101500", "Ada^Physician"
    file = node.folder / "approved.dcm"
    ds.save_as(file)
    assert node.send([file]).ok
    return str(ds.SOPInstanceUID)


def case_of(node: Node, sop_instance_uid: str) -> CaseRecord:
    """Wait until a structure set has become a case; return it."""
    found: list[Any] = []

    def there(ledger: Ledger) -> bool:
        filed = ledger.approvals(ApprovalState.FILED)
        found[:] = [one.case_name for one in filed if one.sop_instance_uid == sop_instance_uid]
        return bool(found)

    node.wait_for(there)
    return CaseStore(node.data / "adaptation" / "cases").record(found[0])


def test_a_blind_patient_gets_no_contours_until_the_series_is_released(
    node: Node, peer: ReceivingPeer, tmp_path: Path
) -> None:
    """Others do; the operator sees who and why; once one series is released, the patient's next one is sent too."""
    other, patient = (next(patients(node, blind=blind)) for blind in (False, True))
    shown, hidden = node.send_series(ct_of(other)), node.send_series(ct_of(patient, 2))
    states = node.wait_for_end(shown, hidden)
    before, alarms = node.series(hidden), node.status()["alarms"]
    listed = " ".join(node.run("series", "list").stdout.split())
    resent = node.run("series", "resend", hidden)
    delivered = set(peer.asked)
    node.wait_for(lambda _: 'dicomnode_series{state="blind"} 1.0' in (tmp_path / "node.prom").read_text())

    done = node.run("series", "release", hidden)
    released = node.wait_for_end(hidden)
    node.wait_for(lambda ledger: ledger.series(before["id"]).state is State.SENT)
    after, next_one = node.series(hidden), node.send_series(ct_of(patient, 3))
    following = node.wait_for_end(next_one)

    assert (states[shown], states[hidden]) == (State.SENT, State.BLIND)
    assert [one["kind"] for one in alarms] == ["blind"]
    assert "contoured blind" in before["reasons"][0]
    assert (before["deliveries"], len(before["results"])) == ([], 1)
    assert " blind " in listed
    assert "contoured blind" in resent.stderr
    assert before["results"][0]["sop_instance_uid"] not in delivered
    assert (done.returncode, released[hidden]) == (0, State.SENT)
    assert (after["released"], after["results"][0]["sop_instance_uid"] in peer.asked) == (True, True)
    assert following[next_one] is State.SENT
    assert patient not in node.log


def test_what_is_approved_of_a_blind_patient_was_drawn_from_nothing(node: Node) -> None:
    """Compared with what nobody had seen; what is approved after a release was edited or left as it was."""
    first, second = (name for name, _ in zip(patients(node, blind=True), range(2), strict=False))
    blind, released = node.send_series(ct_of(first)), node.send_series(ct_of(second, 2))
    node.wait_for_end(blind, released)
    node.run("series", "release", released)
    node.wait_for(lambda ledger: [one.state for one in ledger.series_in()] == [State.BLIND, State.SENT])
    results = [node.series(uid)["results"][0] for uid in (blind, released)]

    cases = [case_of(node, approved(node, result["sop_instance_uid"], Path(result["path"]))) for result in results]
    told = json.loads(node.run("adapt", "case", "show", cases[0].name, "--json").stdout)[-1]
    page = node.run("adapt", "case", "show", cases[0].name).stdout

    assert {one.origin for one in cases[0].structures.values()} == {Origin.DE_NOVO}
    assert {one.blind.dice for one in cases[0].structures.values() if one.blind} == {1.0}
    assert set(cases[0].structures) == set(results[0]["volumes_cm3"])
    assert {one["edit"] for one in told["structures"].values()} == {None}
    assert "blind" in page
    assert {one.origin for one in cases[1].structures.values()} == {Origin.UNTOUCHED}
    assert {one.blind for one in cases[1].structures.values()} == {None}
