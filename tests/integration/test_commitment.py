"""What was sent is proven to be kept: by peers' storage commitment or by a query, and by this node to its peers."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pynetdicom import AE, evt
from pynetdicom.events import Event

from dicomnode.commitment import PUSH_MODEL_INSTANCE, Report, ask_commitment, data_set_of, event_type_of, report_of
from dicomnode.dimse import STORAGE_COMMITMENT, UNCOMPRESSED
from dicomnode.instance_file import file_head
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.records import DeliveryState, Proof
from dicomnode.scu import send
from dicomnode.series import State
from tests.support.books import NOON, instance, new_result
from tests.support.instances import ct_instance, instance_file, structure_set
from tests.support.node import LOOPBACK, free_port, make_node, running, wait_until
from tests.support.peers_of_others import Orthanc, dcmqrscp, need, orthanc
from tests.support.receiver import RunningReceiver, running_receiver
from tests.support.tiny import marked_series

FILE = instance_file(structure_set())
REFERENCE = (FILE.sop_class_uid, FILE.sop_instance_uid)
RIGHTS = ("send_ct", "send_approvals", "receive_results", "answer_queries")
QUICK = Timeouts(dimse_s=5.0)


class CommittingPeer:
    """A storage SCP, by pynetdicom, that commits itself on the association on which it is asked, or later.

    Args:
        reason: why it does not keep what it is asked for; 0: it keeps it.
        silent: whether it says nothing after the N-ACTION.
    """

    def __init__(self, *, reason: int = 0, silent: bool = False) -> None:
        self.reason, self.silent = reason, silent
        self.requests: list[Report] = []

    def act(self, event: Event) -> tuple[int, None]:
        """Take a request."""
        self.requests.append(report_of(event.action_information))
        return 0x0000, None

    def answer(self, event: Event) -> None:
        """Report once the response to the request has gone out."""
        if self.silent or not self.requests or type(event.message).__name__ != "N_ACTION_RSP":
            return
        wanted = self.requests[-1]
        if self.reason:
            told = Report(wanted.transaction_uid, (), tuple((each, self.reason) for each in wanted.committed))
        else:
            told = wanted
        _report(event.assoc, told)


def _report(association: object, told: Report) -> None:
    def later() -> None:
        association.send_n_event_report(data_set_of(told), event_type_of(told), STORAGE_COMMITMENT, PUSH_MODEL_INSTANCE)

    threading.Thread(target=later).start()


@contextmanager
def committing(scp: CommittingPeer, port: int) -> Iterator[None]:
    """Run it."""
    ae = AE("TPS")
    ae.add_supported_context(STORAGE_COMMITMENT, list(UNCOMPRESSED))
    handlers = [(evt.EVT_N_ACTION, scp.act), (evt.EVT_DIMSE_SENT, scp.answer)]
    ae.start_server((LOOPBACK, port), block=False, evt_handlers=handlers)
    try:
        yield
    finally:
        ae.shutdown()


@contextmanager
def delivered(folder: Path, peer: Peer, port: int = 0) -> Iterator[RunningReceiver]:
    """Run a receiver whose ledger has one delivery that the peer has accepted and that is to be proven."""
    folder.mkdir(exist_ok=True)
    (folder / "results").mkdir()
    (folder / "results" / "one.dcm").write_bytes(file_head(FILE) + FILE.data)
    with running_receiver(folder, peers=(peer,), port=port) as node:
        ledger = node.ledger
        ledger.note_instance(instance(1, NOON))
        series = ledger.series_in()[0]
        ledger.complete(series.id, "content")
        ledger.note_result(new_result(series.id, 1, FILE.sop_instance_uid), [peer.ae_title])
        ledger.note_sent(1, 0x0000, "", prove=True)
        yield node


@pytest.fixture
def tps() -> Peer:
    """Return a TPS that is to commit itself."""
    return Peer("TPS", LOOPBACK, free_port(), may=RIGHTS, proof="commitment")


def proof_of(node: RunningReceiver) -> tuple[DeliveryState, Proof]:
    """Return where the delivery is."""
    delivery = node.ledger.delivery(1)
    return delivery.state, delivery.proof


def test_a_report_on_the_same_association_proves_a_delivery(tmp_path: Path, tps: Peer) -> None:
    """The TPS is asked once and says so at once."""
    scp = CommittingPeer()
    with committing(scp, tps.port), delivered(tmp_path / "node", tps) as node:
        came = node.assurance.prove(1, 1)

        assert (came, proof_of(node)) == ("decided", (DeliveryState.SENT, Proof.COMMITTED))
    assert [request.committed for request in scp.requests] == [(REFERENCE,)]


def test_a_peer_that_does_not_keep_it_is_an_alarm(tmp_path: Path, tps: Peer) -> None:
    """What it had accepted is no delivery any more: the series is undelivered, and the operator is told."""
    with committing(CommittingPeer(reason=0x0112), tps.port), delivered(tmp_path / "node", tps) as node:
        node.assurance.prove(1, 1)

        assert proof_of(node) == (DeliveryState.DEAD, Proof.REFUSED)
        assert node.ledger.series_in()[0].state is State.UNDELIVERED
        assert [alarm.kind for alarm in node.ledger.alarms()] == ["unproven"]
        assert "0112" in node.ledger.delivery(1).detail


def test_a_peer_that_says_nothing_is_asked_again(tmp_path: Path, tps: Peer) -> None:
    """Neither silence nor absence proves anything, and the delivery stays what it is."""
    with delivered(tmp_path / "node", tps) as node:
        away = node.assurance.prove(1, 1)
        with committing(CommittingPeer(silent=True), tps.port):
            silent = node.assurance.prove(1, 2)

        assert (away, silent) == ("asked again later", "asked again later")
        assert proof_of(node) == (DeliveryState.SENT, Proof.AWAITED)
        assert node.ledger.delivery(1).proof_attempts == 2


def test_a_report_counts_only_from_whom_it_was_asked(tmp_path: Path, tps: Peer) -> None:
    """Another peer cannot prove, nor disprove, a delivery."""
    with delivered(tmp_path / "node", tps) as node:
        node.ledger.begin_commitment("1.2.3", 1)
        report = Report("1.2.3", (REFERENCE,))

        assert not node.assurance.note_report("SCANNER", report)
        assert not node.assurance.note_report("TPS", replace(report, transaction_uid="1.2.4"))
        assert proof_of(node) == (DeliveryState.SENT, Proof.AWAITED)
        assert node.assurance.note_report("TPS", report)
        assert proof_of(node) == (DeliveryState.SENT, Proof.COMMITTED)


@pytest.mark.peer
def test_a_query_proves_a_delivery(tmp_path: Path) -> None:
    """An archive of dcmtk's that has the instance finds it; before, it does not."""
    need("dcmqrscp")
    with dcmqrscp(tmp_path / "archive", free_port()) as archive:
        peer = replace(archive, may=RIGHTS, proof="query")
        with delivered(tmp_path / "node", peer) as node:
            before = node.assurance.prove(1, 1)
            sent = send(peer, [tmp_path / "node" / "results" / "one.dcm"], "DICOMNODE", QUICK)
            after = node.assurance.prove(1, 2)

            assert (before, sent.ok, after) == ("asked again later", True, "decided")
            assert proof_of(node) == (DeliveryState.SENT, Proof.FOUND)


def stored(node: RunningReceiver, folder: Path) -> list[tuple[str, str]]:
    """Send two slices to a receiver; return their references and that of one that nobody sent."""
    files = [instance_file(ct_instance(number)) for number in (1, 2, 3)]
    paths = [folder / f"{number}.dcm" for number, _ in enumerate(files[:2])]
    for path, file in zip(paths, files, strict=False):
        path.write_bytes(file_head(file) + file.data)
    assert send(Peer("DICOMNODE", LOOPBACK, node.receiver.port), paths, "TPS", QUICK).ok
    return [(file.sop_class_uid, file.sop_instance_uid) for file in files]


def ask(node: RunningReceiver, *references: tuple[str, str], wait_s: float) -> list[Report]:
    """Ask the node with pynetdicom whether it keeps instances; return what it reports on the same association."""
    heard: list[Report] = []

    def hear(event: Event) -> tuple[int, None]:
        heard.append(report_of(event.event_information))
        return 0x0000, None

    ae = AE("TPS")
    ae.add_requested_context(STORAGE_COMMITMENT, list(UNCOMPRESSED))
    association = ae.associate(
        LOOPBACK, node.receiver.port, ae_title="DICOMNODE", evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)]
    )
    status, _ = association.send_n_action(
        data_set_of(Report("1.2.3.4", references)), 1, STORAGE_COMMITMENT, PUSH_MODEL_INSTANCE
    )
    assert status.Status == 0x0000
    if wait_s:
        node.assurance.answer(1, 1)
        wait_until(lambda: bool(heard), wait_s, lambda: "no report came")
    association.release()
    return heard


def test_a_peer_is_told_on_its_own_association_what_is_kept(tmp_path: Path, tps: Peer) -> None:
    """What is on disk is committed, what never came is not, nor what is gone or altered behind our back."""
    (tmp_path / "node").mkdir()
    with running_receiver(tmp_path / "node", peers=(tps,)) as node:
        first, second, third = stored(node, tmp_path)
        row = node.ledger.find_instance(second[1])
        assert row is not None
        path = tmp_path / "node" / row.path
        path.write_bytes(path.read_bytes()[:-2] + b"xx")
        [report] = ask(node, first, second, third, wait_s=10.0)
        alarms = [alarm.kind for alarm in node.ledger.alarms()]

    assert report.committed == (first,)
    assert dict(report.failed) == {second: 0x0110, third: 0x0112}
    assert alarms == ["lost"]


def test_a_peer_that_has_hung_up_is_told_on_a_new_association(tmp_path: Path, tps: Peer) -> None:
    """The node calls back where the configuration says that the peer listens; while it is away, later."""
    heard: list[Report] = []

    def hear(event: Event) -> tuple[int, None]:
        heard.append(report_of(event.event_information))
        return 0x0000, None

    (tmp_path / "node").mkdir()
    with running_receiver(tmp_path / "node", peers=(tps,)) as node:
        first, *_ = stored(node, tmp_path)
        assert ask(node, first, wait_s=0.0) == []
        away = node.assurance.answer(1, 1)
        ae = AE("TPS")
        ae.add_supported_context(STORAGE_COMMITMENT, list(UNCOMPRESSED), scu_role=True, scp_role=True)
        ae.start_server((LOOPBACK, tps.port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)])
        back = node.assurance.answer(1, 2)
        again = node.assurance.answer(1, 3)
        ae.shutdown()

    assert (away, back, again) == ("told again later", "told", "nothing to do")
    assert heard == [Report("1.2.3.4", (first,))]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"action": 2}, 0x0123),
        ({"instance": "1.2.3"}, 0x0112),
        ({"information": data_set_of(Report("1.2", ()))}, 0x0115),
    ],
)
def test_a_request_that_is_none_is_refused(tmp_path: Path, tps: Peer, change: dict[str, object], status: int) -> None:
    """Another action, another instance, or nothing to keep."""
    plain = {"information": data_set_of(Report("1.2", (REFERENCE,))), "action": 1, "instance": PUSH_MODEL_INSTANCE}
    asked = plain | change
    (tmp_path / "node").mkdir()
    with running_receiver(tmp_path / "node", peers=(tps,)) as node:
        ae = AE("TPS")
        ae.add_requested_context(STORAGE_COMMITMENT, list(UNCOMPRESSED))
        association = ae.associate(LOOPBACK, node.receiver.port, ae_title="DICOMNODE")
        answer, _ = association.send_n_action(
            asked["information"], asked["action"], STORAGE_COMMITMENT, asked["instance"]
        )
        association.release()

    assert answer.Status == status


def post(peer: Orthanc, path: str, content: object) -> object:
    """Ask Orthanc to do something."""
    request = urllib.request.Request(f"http://{LOOPBACK}:{peer.http_port}{path}", json.dumps(content).encode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.load(answer)


@pytest.mark.peer
@pytest.mark.slow
def test_orthanc_and_the_node_commit_themselves_to_each_other(tmp_path: Path, bundle_dir: Path) -> None:
    """Orthanc proves what it got on an association of its own; asked by Orthanc, the node proves the CT that it got."""
    need("Orthanc")
    port = free_port()
    with orthanc(tmp_path / "orthanc", port, "TPS") as archive:
        peer = replace(archive.peer, proof="commitment")
        node = make_node(tmp_path / "node", peer, bundle_dir=bundle_dir, port=port)
        ct = marked_series(1, slices=20)
        with running(node):
            uid = node.send_series(ct)
            node.wait_for(lambda ledger: any(one.proof is Proof.COMMITTED for one in ledger.deliveries()))
            shown = node.series(uid)["deliveries"][0]
            wanted = [{"SOPClassUID": str(ds.SOPClassUID), "SOPInstanceUID": str(ds.SOPInstanceUID)} for ds in ct]
            missing = {"SOPClassUID": wanted[0]["SOPClassUID"], "SOPInstanceUID": "1.2.3.4.5"}
            name = post(archive, "/modalities/node/storage-commitment", {"DicomInstances": [*wanted, missing]})["ID"]
            told: dict[str, object] = {}

            def is_told() -> bool:
                told.update(archive.ask(f"/storage-commitment/{name}"))
                return told["Status"] != "Pending"

            wait_until(is_told, 60.0, lambda: node.log[-3000:])

    assert (shown["state"], shown["proof"]) == ("sent", "committed")
    assert len(told["Success"]) == 20
    assert [one["SOPInstanceUID"] for one in told["Failures"]] == ["1.2.3.4.5"]


def test_asking_has_an_end(tps: Peer) -> None:
    """A peer that takes the request and says nothing is left after the wait."""
    with committing(CommittingPeer(silent=True), tps.port):
        assert ask_commitment(tps, ("1.2.3", REFERENCE), "DICOMNODE", QUICK, wait_s=0.3) is None
