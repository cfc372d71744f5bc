"""What physicians approve in a planning system that is none of ours becomes a case, in whichever order it comes."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from adaptation.case_record import CaseRecord, Origin, Status
from adaptation.cases import CaseStore
from dicomnode.ledger import Ledger
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.records import ApprovalState
from dicomnode.scu import send
from tests.support.approved import APPROVED, Patient, make_patient, storescu
from tests.support.instances import CANARY_BIRTH_DATE, CANARY_NAME
from tests.support.node import Node, free_port, make_node, running, tps, wait_until
from tests.support.peer import receiving_peer
from tests.support.peers_of_others import dcmqrscp, need, orthanc
from tests.support.tiny import marked_series

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.xdist_group("approvals")]
RULES = (
    '[[rules]]\nname = "structure sets"\naction = "learn"\n'
    '[[rules]]\nname = "planning CT"\naction = "contour"\nbundle = "tiny"\n'
)
SOON = {"fetch_after_s": 0.1}


def node_in(folder: Path, bundle_dir: Path, *peers: Peer, port: int = 0, **adaptation: object) -> Node:
    more = {"adaptation": {**SOON, **adaptation}, "receiving": {"quiet_s": 0.5}}
    known = peers or (tps(free_port()),)
    return make_node(folder, *known, bundle_dir=bundle_dir, rules=RULES, more=more, port=port)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[Node]:
    """Return a running node whose one peer sends everything and takes nothing."""
    need("plastimatch", "storescu", "dcmodify")
    with running(node_in(tmp_path_factory.mktemp("approvals") / "node", bundle_dir)) as made:
        yield made


def records(node: Node) -> dict[str, CaseRecord]:
    """Return the newest records by the CT's pseudonym."""
    return {record.ct: record for record in CaseStore(node.data / "adaptation" / "cases").records()}


def wait_for(node: Node, structure_set: Path, *states: ApprovalState) -> Any:
    """Wait until a structure set is in one of these states; return its record."""
    uid = uid_of(structure_set)
    found = []

    def there(ledger: Ledger) -> bool:
        found[:] = [one for one in ledger.approvals(*states) if one.sop_instance_uid == uid]
        return bool(found)

    node.wait_for(there)
    return found[0]


def uid_of(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def case_of(node: Node, structure_set: Path) -> CaseRecord:
    """Wait until a structure set has become a case; return it."""
    name = wait_for(node, structure_set, ApprovalState.FILED).case_name
    return CaseStore(node.data / "adaptation" / "cases").record(name)


def test_an_approved_set_on_a_ct_that_is_here_is_admitted(node: Node, tmp_path: Path) -> None:
    """Written by plastimatch and sent by storescu, every voxel is in the store as it was drawn."""
    patient = make_patient(tmp_path / "patient", 1)
    structure_set = patient.structure_set("approved")

    storescu(node.port, *patient.slices)
    storescu(node.port, structure_set)

    record = case_of(node, structure_set)
    assert (record.status, record.reasons) == (Status.ADMITTED, ())
    drawn = CaseStore(node.data / "adaptation" / "cases").load(record).masks
    assert {organ: np.array_equal(drawn[organ], mask) for organ, mask in patient.masks.items()} == dict.fromkeys(
        patient.masks, True
    )
    assert {one.origin for one in record.structures.values()} == {Origin.DE_NOVO}


def test_a_set_that_comes_before_its_ct_waits_and_says_so(node: Node, tmp_path: Path) -> None:
    """`adapt cases` and `status` name what it waits for; as soon as the CT is whole it is a case."""
    patient = make_patient(tmp_path / "patient", 2)
    structure_set = patient.structure_set("approved")

    storescu(node.port, structure_set)
    wait_for(node, structure_set, ApprovalState.WAITING)
    told = json.loads(node.run("adapt", "cases", "--json").stdout)["on_the_way"]
    status, shown = node.status()["approvals"], " ".join(node.run("status").stdout.split())
    storescu(node.port, *patient.slices)

    assert [one["reasons"][0].partition(";")[0] for one in told] == ["its CT is not here"]
    assert status[0]["id"] == told[0]["id"]
    assert "on their way to a case" in shown
    assert "its CT is not" in shown
    assert case_of(node, structure_set).status is Status.ADMITTED


def test_a_later_approval_replaces_the_earlier_one(node: Node, tmp_path: Path) -> None:
    """The newest set on a CT counts, the earlier one is kept; one that was reviewed before it is not taken."""
    patient = make_patient(tmp_path / "patient", 3)
    first, second = patient.structure_set("first"), patient.structure_set("second", tags=reviewed("20260303"))
    fewer = {organ: patient.masks[organ] for organ in ("Brainstem", "Parotid_L", "Parotid_R")}
    old = patient.structure_set("old", fewer, tags=reviewed("20260101"))

    storescu(node.port, *patient.slices, first)
    before = case_of(node, first)
    storescu(node.port, second)
    after = case_of(node, second)
    storescu(node.port, old)
    refused = wait_for(node, old, ApprovalState.NOT_TAKEN)

    assert (after.patient, after.ct, after.part) == (before.patient, before.ct, before.part)
    assert (before.revision, after.revision) == (1, 2)
    assert records(node)[before.ct] == after
    assert refused.reasons == ("a set that was reviewed later is filed of the same CT",)


def reviewed(day: str) -> dict[str, str]:
    return {**APPROVED, "300e,0004": day}


def test_what_nobody_approved_is_not_learnt_from(node: Node, tmp_path: Path) -> None:
    """A set without an approval, one without a reviewer and a rejected one are kept, and no case."""
    patient = make_patient(tmp_path / "patient", 4)
    unsigned = {tag: value for tag, value in APPROVED.items() if tag != "300e,0008"}
    variants = {"none": {}, "unsigned": unsigned, "rejected": {**APPROVED, "300e,0002": "REJECTED"}}
    sets = [patient.structure_set(name, tags=tags) for name, tags in variants.items()]

    storescu(node.port, *patient.slices, *sets)

    reasons = [wait_for(node, each, ApprovalState.NOT_TAKEN).reasons[0] for each in sets]
    assert "Approval Status" in reasons[0]
    assert "reviewer is missing" in reasons[1]
    assert reasons[2] == "its Approval Status is REJECTED"


def test_swapped_sides_are_set_aside_and_a_person_decides(node: Node, tmp_path: Path) -> None:
    """The reasons are there for a person, who admits or rejects with a word of why; without a word nothing is done."""
    patient = make_patient(tmp_path / "patient", 5)
    masks = patient.masks
    masks["Parotid_L"], masks["Parotid_R"] = masks["Parotid_R"], masks["Parotid_L"]
    structure_set = patient.structure_set("swapped", masks)

    storescu(node.port, *patient.slices, structure_set)
    name = case_of(node, structure_set).name
    shown = node.run("adapt", "case", "show", name)
    silent = node.run("adapt", "case", "reject", name, "--why", " ")
    rejected = node.run("adapt", "case", "reject", name, "--why", "left and right are swapped")

    assert "the sides may be swapped" in shown.stdout
    assert (silent.returncode, rejected.returncode) == (1, 0)
    record = CaseStore(node.data / "adaptation" / "cases").record(name)
    assert record.history[-1].why == "left and right are swapped"
    assert record.status is Status.REJECTED


def test_a_case_is_copied_for_whoever_needs_it(node: Node, tmp_path: Path) -> None:
    """The copy lies where the operator wants it."""
    patient = make_patient(tmp_path / "patient", 6)
    structure_set = patient.structure_set("approved")
    storescu(node.port, *patient.slices, structure_set)
    name = case_of(node, structure_set).name

    done = node.run("adapt", "case", "export", name, "--out", str(tmp_path / "out"))

    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out" / name).iterdir()} == {"arrays.npz", "case.json"}


def test_a_forgotten_patient_leaves_no_byte(node: Node, tmp_path: Path) -> None:
    """No word of the patient is in any file; the pseudonym is in log and audit only."""
    patient = make_patient(tmp_path / "patient", 7)
    structure_set = patient.structure_set("approved")
    storescu(node.port, *patient.slices, structure_set)
    record = case_of(node, structure_set)
    node.wait_for_end(patient.header("SeriesInstanceUID"))
    words = [patient.patient_id, patient.header("SeriesInstanceUID"), uid_of(structure_set)]
    before = files_with(node, *words, record.patient)
    cache = node.data / "adaptation" / "features" / record.patient
    cache.mkdir(parents=True)
    (cache / "view.features").write_text("what a trunk sees")
    asked = node.run("adapt", "run", "--force", "--json")
    ended = node.data / "adaptation" / "runs" / json.loads(asked.stdout)["run"] / "end.json"
    wait_until(ended.exists, 60.0, lambda: node.log[-3000:])
    planned = [name for name in files_with(node, record.patient) if name.endswith("plan.json")]

    done = node.run("series", "forget", patient.header("SeriesInstanceUID"), "--patient")

    assert done.returncode == 0, done.stderr
    assert "1 cases" in done.stdout
    assert before
    assert planned
    assert files_with(node, *words) == []
    assert [name for name in files_with(node, record.patient) if not name.startswith("audit/")] == []
    assert not cache.exists()
    assert [word for word in (*words, CANARY_NAME, CANARY_BIRTH_DATE) if word in node.log] == []


def files_with(node: Node, *words: str) -> list[str]:
    """Return the files of the node in which any of the words is found, whatever they are."""
    wanted = [word.encode() for word in words]
    return [
        path.relative_to(node.data).as_posix()
        for path in sorted(node.data.rglob("*"))
        if path.is_file() and any(word in path.read_bytes() or word in str(path).encode() for word in wanted)
    ]


def test_learning_alone_forgets_a_patient(node: Node, tmp_path: Path) -> None:
    """`adapt case forget` takes the case and the mapping; the images stay, and nothing is made of them again."""
    patient = make_patient(tmp_path / "patient", 8)
    structure_set = patient.structure_set("approved")
    storescu(node.port, *patient.slices, structure_set)
    record = case_of(node, structure_set)

    done = node.run("adapt", "case", "forget", "--patient-id", patient.patient_id)
    storescu(node.port, structure_set)

    assert done.returncode == 0, done.stderr
    assert record.ct not in records(node)
    assert wait_for(node, structure_set, ApprovalState.NOT_TAKEN).reasons == ("its case was forgotten",)


def test_the_store_holds_no_header(node: Node) -> None:
    """No name, ID, birth date, station or UID of any patient of this file is in the case store."""
    content = b"".join(path.read_bytes() for path in (node.data / "adaptation").rglob("*") if path.is_file())

    assert len(content) > 1000
    words = ("CANARY", "Yellowbird", CANARY_BIRTH_DATE, "1.2.826.0", "2.25.", "Physician")
    assert [word for word in words if word.encode() in content] == []


@contextmanager
def archive_of(maker: str, folder: Path, port: int, patient: Patient) -> Iterator[Peer]:
    """Run an archive that has a patient's CT."""
    need("plastimatch", "storescu", "dcmodify", {"orthanc": "Orthanc", "dcmqrscp": "dcmqrscp"}[maker])
    made = orthanc(folder, port, "ARCHIVE") if maker == "orthanc" else dcmqrscp(folder, port)
    with made as archive:
        peer = archive.peer if maker == "orthanc" else archive
        assert send(peer, patient.slices, "DICOMNODE", Timeouts()).ok
        yield replace(peer, may=("send_ct", "answer_queries"))


@pytest.mark.parametrize("maker", ["orthanc", "dcmqrscp"])
def test_a_ct_that_is_not_here_is_fetched(tmp_path: Path, bundle_dir: Path, maker: str) -> None:
    """The archive is asked for it, the case is made, and what was fetched to learn from is contoured for nobody."""
    patient = make_patient(tmp_path / "patient", 9)
    structure_set = patient.structure_set("approved")
    port = free_port()
    with archive_of(maker, tmp_path / "archive", port, patient) as archive:
        peers = (tps(free_port()), archive)
        made = node_in(tmp_path / "node", bundle_dir, *peers, port=port, fetch_from=["ARCHIVE"])
        with running(made) as node:
            storescu(node.port, structure_set)
            record = case_of(node, structure_set)
            with node.ledger() as ledger:
                known = ledger.series_in()

            storescu(node.port, *patient.slices)
            node.wait_for(lambda ledger: bool(ledger.series_in()))

    assert record.status is Status.ADMITTED
    assert known == []


def test_what_is_approved_as_we_sent_it_is_untouched(tmp_path: Path, bundle_dir: Path) -> None:
    """A planning system that approves our contours and sends them under a UID of its own has edited none."""
    need("dcmodify", "storescu")
    with receiving_peer() as peer, running(node_in(tmp_path / "node", bundle_dir, peer.peer)) as node:
        node.wait_for_end(node.send_series(marked_series(1, slices=20)))
        with node.ledger() as ledger:
            [result] = ledger.results_of(1)
        approved = tmp_path / "approved.dcm"
        approved.write_bytes((node.data / result.path).read_bytes())
        changes = [word for tag, value in APPROVED.items() for word in ("-i", f"({tag})={value}")]
        subprocess.run(["dcmodify", "-nb", "-gin", *changes, approved], check=True, capture_output=True)

        storescu(node.port, approved)
        record = case_of(node, approved)

    assert record.model_digest == result.model_digest
    assert {organ: one.origin for organ, one in record.structures.items()} == dict.fromkeys(
        result.volumes_cm3, Origin.UNTOUCHED
    )
    assert all(one.edit is not None and one.edit.dice == 1.0 for one in record.structures.values())
