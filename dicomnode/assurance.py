"""Whether what was sent is kept: peers are asked for what this node delivered, and are told of what they delivered."""

import hashlib
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from dicomnode.acceptance import Instance, identify
from dicomnode.audit.message import Event
from dicomnode.commitment import Reference, Report, ask_commitment, tell_commitment
from dicomnode.config import Delivering
from dicomnode.errors import DataSetMismatch, NotUnderstood, PeerFailure
from dicomnode.instance_file import InstanceFile, parse_file
from dicomnode.ledger import Ledger
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer, find_peer
from dicomnode.query import Inquiry
from dicomnode.records import DeliveryRecord, DeliveryState, Proof, ReceivedInstance

log = structlog.get_logger(__name__)

TellHere = Callable[[Report], bool]
"""Tells a report on the association that its request came on, if that is still open; returns whether it did."""

NO_SUCH_INSTANCE, CLASS_INSTANCE_CONFLICT, PROCESSING_FAILURE = 0x0112, 0x0119, 0x0110  # PS3.3 C.14.1.1
JITTER = 0.1  # of a wait


@dataclass(frozen=True)
class Calling:
    """How this node calls its peers.

    Args:
        ae_title: its own.
        timeouts: how long a peer may take.
        delivering: pauses, and for how long it is tried.
        tell: takes the events for the audit.
    """

    ae_title: str
    timeouts: Timeouts
    delivering: Delivering
    tell: Callable[[Event], None]


class Assurance:
    """The steps of the proofs; `workflows` runs each once, a test calls them as they are.

    Args:
        ledger: what is known, and what is to be remembered.
        peers: of the configuration.
        calling: how they are called.
        data_dir: which paths in the ledger are relative to.
        find_instance: returns what is known of an instance, its row written or not; else the ledger is asked.
        tell_here: tells a report on an association that is open.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        peers: Sequence[Peer],
        calling: Calling,
        data_dir: Path,
        *,
        find_instance: Callable[[str], ReceivedInstance | None] | None = None,
        tell_here: TellHere = lambda _report: False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._peers = tuple(peers)
        self._calling = calling
        self._data_dir = data_dir
        self._find_instance = find_instance or ledger.find_instance
        self._tell_here = tell_here
        self._now = clock

    def prove(self, delivery_id: int, attempt: int) -> str:
        """Ask a peer once whether it has kept what was delivered; return what came of it."""
        delivery = self._ledger.delivery(delivery_id)
        is_awaited = delivery.state is DeliveryState.SENT and delivery.proof is Proof.AWAITED
        if not is_awaited or delivery.proof_attempts != attempt - 1:
            return "nothing to do"
        peer = find_peer(self._peers, delivery.peer)
        if peer is None or peer.proof == "response":
            self._ledger.note_proof(delivery_id, Proof.ACCEPTED)
            return "nothing is asked for any more"
        detail = ""
        try:
            if self._ask(peer, delivery):
                return "decided"
        except PeerFailure as failure:
            detail = str(failure)
        since = delivery.finished or delivery.created
        if self._now() - since > timedelta(hours=self._calling.delivering.proof_give_up_after_h):
            self._note(delivery, Proof.UNPROVEN, detail)
            return "given up"
        delay = self._delay(attempt)
        log.info(
            "a delivery is not proven yet", job=delivery.id, peer=peer.ae_title, wait_s=round(delay.total_seconds())
        )
        self._ledger.ask_again(delivery_id, delay, detail)
        return "asked again later"

    def _ask(self, peer: Peer, delivery: DeliveryRecord) -> bool:
        """Ask for the proof that the configuration wants; return whether it is decided now."""
        file, instance = self._sent(delivery)
        name, timeouts = self._calling.ae_title, self._calling.timeouts
        if peer.proof == "query":
            uids = (instance.study_instance_uid, instance.series_instance_uid, file.sop_instance_uid)
            if Inquiry(name, timeouts, self._calling.tell).has_instance(peer, uids):
                self._note(delivery, Proof.FOUND)
                return True
            return False
        transaction_uid = f"2.25.{uuid.uuid4().int}"  # PS3.5 B.2
        self._ledger.begin_commitment(transaction_uid, delivery.id)
        wanted = (transaction_uid, (file.sop_class_uid, file.sop_instance_uid))
        wait_s = self._calling.delivering.proof_wait_s
        report = ask_commitment(peer, wanted, name, timeouts, wait_s=wait_s)
        return report is not None and self.note_report(peer.ae_title, report)

    def note_report(self, ae_title: str, report: Report) -> bool:
        """Remember what a peer says that it has kept; return whether it is about a delivery to it.

        Args:
            ae_title: of the peer.
            report: of it.
        """
        delivery = self._ledger.delivery_of_commitment(report.transaction_uid)
        if delivery is None or delivery.peer != ae_title:
            return False
        uid = self._ledger.result(delivery.result_id).sop_instance_uid
        reason = next((reason for (_, failed), reason in report.failed if failed == uid), None)
        if reason is not None:
            self._note(delivery, Proof.REFUSED, f"the peer says that it does not keep it (reason {reason:04X})")
        elif any(committed == uid for _, committed in report.committed):
            self._note(delivery, Proof.COMMITTED)
        else:
            return False
        return True

    def answer(self, request_id: int, attempt: int) -> str:
        """Tell a peer once what of its instances is kept; return what came of it."""
        request = self._ledger.find_commitment_request(request_id)
        if request is None or request.attempts != attempt - 1:
            return "nothing to do"
        peer = find_peer(self._peers, request.peer)
        if peer is None:
            self._ledger.forget_commitment_request(request_id)
            return "it is no peer any more"
        report = self._report(request.transaction_uid, request.references)
        try:
            if not self._tell_here(report):
                tell_commitment(peer, report, self._calling.ae_title, self._calling.timeouts)
        except PeerFailure as failure:
            if self._now() - request.received <= timedelta(hours=self._calling.delivering.give_up_after_h):
                self._ledger.answer_commitment_later(request_id, self._delay(attempt))
                return "told again later"
            self._ledger.forget_commitment_request(request_id)
            text = f"{request.peer} asked whether its instances are kept and could not be told: {failure}"
            self._ledger.raise_alarm("commitment", text, request.peer)
            return "given up"
        self._ledger.forget_commitment_request(request_id)
        log.info(
            "storage commitment was told", peer=request.peer, kept=len(report.committed), failed=len(report.failed)
        )
        return "told"

    def _report(self, transaction_uid: str, references: Sequence[Reference]) -> Report:
        reasons = {reference: self._reason_against(reference) for reference in dict.fromkeys(references)}
        return Report(
            transaction_uid,
            tuple(reference for reference, reason in reasons.items() if reason is None),
            tuple((reference, reason) for reference, reason in reasons.items() if reason is not None),
        )

    def _reason_against(self, reference: Reference) -> int | None:
        """Return why this node cannot commit itself to an instance; None if its bytes are on disk as they came."""
        sop_class, uid = reference
        row = self._find_instance(uid)
        if row is None:
            return NO_SUCH_INSTANCE
        if row.sop_class_uid != sop_class:
            return CLASS_INSTANCE_CONFLICT
        try:
            kept = parse_file((self._data_dir / row.path).read_bytes())
        except (OSError, NotUnderstood):
            kept = None
        # A row that waits to be written has no digest yet: its file is some moments old.
        if kept is not None and row.sha256 in {"", hashlib.sha256(kept.data).hexdigest()}:
            return None
        text = "the file of an instance that was acknowledged is gone or altered: have it sent again"
        self._ledger.raise_alarm("lost", text, uid)
        return NO_SUCH_INSTANCE if kept is None else PROCESSING_FAILURE

    def _sent(self, delivery: DeliveryRecord) -> tuple[InstanceFile, Instance]:
        """Return what was delivered.

        Raises:
            PeerFailure: its file cannot be read.
        """
        try:
            file = parse_file((self._data_dir / self._ledger.result(delivery.result_id).path).read_bytes())
            instance = identify(
                file.data,
                sop_class_uid=file.sop_class_uid,
                sop_instance_uid=file.sop_instance_uid,
                transfer_syntax_uid=file.transfer_syntax_uid,
            )
        except (OSError, NotUnderstood, DataSetMismatch) as error:
            raise PeerFailure("the file that was delivered cannot be read", transient=True) from error
        return file, instance

    def _note(self, delivery: DeliveryRecord, proof: Proof, detail: str = "") -> None:
        if not self._ledger.note_proof(delivery.id, proof, detail):
            return
        log.info("a delivery was judged", job=delivery.id, peer=delivery.peer, proof=str(proof))
        if proof in {Proof.REFUSED, Proof.UNPROVEN}:
            job = f"deliver-{delivery.id}"
            said = "does not keep it" if proof is Proof.REFUSED else "does not say whether it keeps it"
            text = f"{delivery.peer} has accepted job {job} and {said}; `jobs show {job}` says more"
            self._ledger.raise_alarm("unproven", text, job)

    def _delay(self, attempt: int) -> timedelta:
        delivering = self._calling.delivering
        wait_s = min(delivering.first_retry_s * 2 ** min(attempt - 1, 30), delivering.longest_retry_s)
        return timedelta(seconds=wait_s * (1 + random.uniform(-JITTER, JITTER)))  # noqa: S311 (spreads load, no secret)
