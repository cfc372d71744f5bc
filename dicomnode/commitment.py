"""Storage commitment, PS3.4 Annex J: asking a peer to commit itself, and telling a peer what this node has kept."""

import time
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.sequence import Sequence

from dicomnode.dimse import STORAGE_COMMITMENT, SUCCESS, UNCOMPRESSED
from dicomnode.errors import PeerFailure
from dicomnode.outgoing import data_set
from dicomnode.outgoing.command_set import N_ACTION, N_EVENT_REPORT, RESPONSE, Command, number_in
from dicomnode.outgoing.data_set import text_of
from dicomnode.outgoing.message_parts import Message
from dicomnode.outgoing.negotiation import Granted, Offer
from dicomnode.outgoing.requestor import Association, Timeouts, association, require_answer
from dicomnode.peers import Peer

PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST_COMMITMENT = 1  # Action Type ID, PS3.4 J.3.2
ALL_COMMITTED, SOME_FAILED = 1, 2  # Event Type ID, PS3.4 J.3.3

Reference = tuple[str, str]
"""SOP class and SOP instance."""


@dataclass(frozen=True)
class Report:
    """What of a transaction is kept.

    Args:
        transaction_uid: of the request.
        committed: what is kept.
        failed: what is not, each with its Failure Reason (PS3.3 C.14.1.1).
    """

    transaction_uid: str
    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...] = ()


def ask_commitment(
    peer: Peer, wanted: tuple[str, Reference], ae_title: str, timeouts: Timeouts, *, wait_s: float
) -> Report | None:
    """Ask a peer to commit itself to keep an instance; return its report if that comes on the same association.

    Args:
        peer: who has the instance.
        wanted: transaction UID and instance.
        ae_title: how we call ourselves; a report on a new association comes to whom the peer knows by this title.
        timeouts: how long the peer may take to answer.
        wait_s: how long to wait for the report before the association is released.

    Raises:
        PeerFailure: it cannot be asked, or it refuses.
    """
    transaction_uid, reference = wanted
    with association(peer, ae_title, [Offer(STORAGE_COMMITMENT, UNCOMPRESSED)], timeouts) as opened:
        context = opened.contexts[0]
        request: Command = {
            "CommandField": N_ACTION,
            "RequestedSOPClassUID": STORAGE_COMMITMENT,
            "RequestedSOPInstanceUID": PUSH_MODEL_INSTANCE,
            "ActionTypeID": REQUEST_COMMITMENT,
        }
        wanted_here = data_set.encode(data_set_of(Report(transaction_uid, (reference,))), context.transfer_syntax)
        number = opened.request(context, request, wanted_here)
        report = _hear_response(opened, context, number, peer)
        until = time.monotonic() + wait_s
        while report is None and (left_s := until - time.monotonic()) > 0:
            if opened.is_message_there(left_s):
                message = opened.receive(time.monotonic() + timeouts.dimse_s)
                report = _take_report(opened, context, message)
        return report


def _hear_response(opened: Association, context: Granted, number: int, peer: Peer) -> Report | None:
    """Wait for the response to the N-ACTION; return the report where that comes before it."""
    report, until = None, opened.operation_ends()
    while True:
        message = opened.receive(until)
        if number_in(message.command, "CommandField") == N_EVENT_REPORT:
            report = _take_report(opened, context, message)
            continue
        require_answer(message, number, N_ACTION)
        status = number_in(message.command, "Status")
        if status != SUCCESS:
            said = "no status" if status is None else f"status {status:04X}"
            raise PeerFailure(f"{peer.ae_title} does not take the request for commitment: {said}", transient=True)
        return report


def _take_report(opened: Association, context: Granted, message: Message) -> Report:
    if number_in(message.command, "CommandField") != N_EVENT_REPORT:
        raise PeerFailure("the peer sends what was not asked for", transient=True)
    report = report_of(data_set.decode(message.data, context.transfer_syntax))
    answer: Command = {
        "CommandField": N_EVENT_REPORT | RESPONSE,
        "AffectedSOPClassUID": STORAGE_COMMITMENT,
        "AffectedSOPInstanceUID": PUSH_MODEL_INSTANCE,
        "MessageIDBeingRespondedTo": number_in(message.command, "MessageID") or 0,
        "EventTypeID": number_in(message.command, "EventTypeID") or ALL_COMMITTED,
        "Status": SUCCESS,
    }
    opened.send(context, answer)
    return report


def tell_commitment(peer: Peer, report: Report, ae_title: str, timeouts: Timeouts) -> None:
    """Tell a peer on a new association what of its transaction is kept.

    Raises:
        PeerFailure: it cannot be told.
    """
    with association(peer, ae_title, [Offer(STORAGE_COMMITMENT, UNCOMPRESSED, as_scp=True)], timeouts) as opened:
        context = opened.contexts[0]
        event: Command = {
            "CommandField": N_EVENT_REPORT,
            "AffectedSOPClassUID": STORAGE_COMMITMENT,
            "AffectedSOPInstanceUID": PUSH_MODEL_INSTANCE,
            "EventTypeID": event_type_of(report),
        }
        answer = opened.ask(context, event, data_set.encode(data_set_of(report), context.transfer_syntax))
        status = number_in(answer.command, "Status")
        if status != SUCCESS:
            said = "no status" if status is None else f"status {status:04X}"
            raise PeerFailure(f"{peer.ae_title} does not take the report: {said}", transient=True)


def event_type_of(report: Report) -> int:
    """Return the Event Type ID of a report."""
    return SOME_FAILED if report.failed else ALL_COMMITTED


def data_set_of(report: Report) -> Dataset:
    """Return a report, or a request, as a data set (PS3.4 Tables J.3-1 and J.3-2)."""
    ds = Dataset()
    ds.TransactionUID = report.transaction_uid
    if report.committed:
        ds.ReferencedSOPSequence = Sequence([_item(reference) for reference in report.committed])
    if report.failed:
        ds.FailedSOPSequence = Sequence([_item(reference, reason) for reference, reason in report.failed])
    return ds


def report_of(ds: Dataset) -> Report:
    """Return what a report, or a request, says.

    Raises:
        PeerFailure: it does not say of which transaction, or of what.
    """
    try:
        committed = tuple(_reference(item) for item in ds.get("ReferencedSOPSequence") or ())
        failed = tuple(
            (_reference(item), int(item.get("FailureReason") or 0)) for item in ds.get("FailedSOPSequence") or ()
        )
    except (ValueError, TypeError, AttributeError, LookupError, NotImplementedError) as fault:
        raise PeerFailure("the lists of instances cannot be read", transient=False) from fault
    transaction_uid = text_of(ds, "TransactionUID")
    if not transaction_uid or not (committed or failed):
        raise PeerFailure("there is no transaction, or nothing in it", transient=False)
    return Report(transaction_uid, committed, failed)


def _item(reference: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
    if reason is not None:
        item.FailureReason = reason
    return item


def _reference(item: Dataset) -> Reference:
    return text_of(item, "ReferencedSOPClassUID"), text_of(item, "ReferencedSOPInstanceUID")
