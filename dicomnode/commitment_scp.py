"""The N-ACTION and N-EVENT-REPORT handlers of storage commitment: a peer asks what is kept, or says what it keeps."""

import threading
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Protocol, cast
from weakref import WeakValueDictionary

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import A_ASSOCIATE

from dicomnode.acceptance import is_uid
from dicomnode.commitment import (
    PUSH_MODEL_INSTANCE,
    REQUEST_COMMITMENT,
    Reference,
    Report,
    data_set_of,
    event_type_of,
    report_of,
)
from dicomnode.dimse import NOT_AUTHORISED, STORAGE_COMMITMENT, SUCCESS
from dicomnode.errors import LedgerUnavailable, PeerFailure
from dicomnode.outgoing import data_set
from dicomnode.peers import Peer, find_peer

log = structlog.get_logger(__name__)

NO_SUCH_INSTANCE, INVALID_ARGUMENT, NO_SUCH_ACTION, RESOURCE_LIMITATION = 0x0112, 0x0115, 0x0123, 0x0213  # PS3.7 C.5
LONGEST_LIST = 4 << 20  # bytes; some 30,000 instances

Note = Callable[[str, str, Sequence[Reference]], None]
"""Remembers a peer's request: its AE title, the transaction and the instances."""

Answer = tuple[int, Dataset | None]


class Reports(Protocol):
    """Who wants to know what a peer says that it keeps."""

    def note_report(self, ae_title: str, report: Report) -> bool:
        """Remember it; return whether this node had asked for it."""


class CommitmentScp:
    """Storage commitment on the associations that come in.

    Args:
        peers: who may call.
        note: remembers a request before it is acknowledged.
    """

    def __init__(self, peers: Sequence[Peer], note: Note) -> None:
        self._peers = tuple(peers)
        self._note = note
        self._reports: Reports | None = None
        self._lock = threading.Lock()
        self._asked_on: WeakValueDictionary[str, Association] = WeakValueDictionary()

    def report_to(self, reports: Reports) -> None:
        """Say who wants to know what peers keep."""
        self._reports = reports

    def handlers(self) -> list[EventHandlerType]:
        """Return what pynetdicom is to call."""
        return [(evt.EVT_N_ACTION, self._take_request), (evt.EVT_N_EVENT_REPORT, self._take_report)]

    def tell_here(self, report: Report) -> bool:
        """Tell a report on the association that its request came on; return whether the peer took it."""
        with self._lock:
            association = self._asked_on.pop(report.transaction_uid, None)
        if association is None or not association.is_established:
            return False
        told, where = data_set_of(report), (STORAGE_COMMITMENT, PUSH_MODEL_INSTANCE)
        try:
            status, _ = association.send_n_event_report(told, event_type_of(report), *where)
        except (RuntimeError, ValueError):  # it ended meanwhile
            return False
        return bool(status.get("Status") == SUCCESS)

    def _take_request(self, event: Event) -> Answer:
        """Answer an N-ACTION request; Success means that the request is on disk."""
        calling = _calling(event.assoc)
        peer = find_peer(self._peers, calling)
        if peer is None or not (peer.allows("send_ct") or peer.allows("send_approvals")):
            return NOT_AUTHORISED, None
        request = cast("N_ACTION", event.request)
        if str(request.RequestedSOPInstanceUID) != PUSH_MODEL_INSTANCE:
            return NO_SUCH_INSTANCE, None
        if request.ActionTypeID != REQUEST_COMMITMENT:
            return NO_SUCH_ACTION, None
        try:
            wanted = _read(request.ActionInformation, str(event.context.transfer_syntax))
            self._note(calling, wanted.transaction_uid, wanted.committed)
        except PeerFailure as failure:
            log.warning("a request for commitment is refused", peer=calling, reason=str(failure))
            return INVALID_ARGUMENT, None
        except LedgerUnavailable as failure:
            log.warning("a request for commitment is refused", peer=calling, reason=str(failure))
            return RESOURCE_LIMITATION, None
        with self._lock:
            self._asked_on[wanted.transaction_uid] = event.assoc
        log.info("a peer asks what is kept", peer=calling, instances=len(wanted.committed))
        return SUCCESS, None

    def _take_report(self, event: Event) -> Answer:
        """Answer an N-EVENT-REPORT request."""
        calling = _calling(event.assoc)
        try:
            report = _read(cast("N_EVENT_REPORT", event.request).EventInformation, str(event.context.transfer_syntax))
            is_ours = self._reports is not None and self._reports.note_report(calling, report)
        except PeerFailure as failure:
            log.warning("a report of commitment is refused", peer=calling, reason=str(failure))
            return INVALID_ARGUMENT, None
        except LedgerUnavailable as failure:
            log.warning("a report of commitment is refused", peer=calling, reason=str(failure))
            return RESOURCE_LIMITATION, None
        return (SUCCESS if is_ours else INVALID_ARGUMENT), None


def _read(information: BytesIO | None, transfer_syntax: str) -> Report:
    """Return what a request or a report says.

    Raises:
        PeerFailure: it cannot be understood.
    """
    encoded = information.getvalue() if information else b""
    if len(encoded) > LONGEST_LIST:
        raise PeerFailure("the list is too long", transient=False)
    report = report_of(data_set.decode(encoded, transfer_syntax))
    named = [*report.committed, *(reference for reference, _ in report.failed)]
    uids = [report.transaction_uid, *(uid for reference in named for uid in reference)]
    if not all(is_uid(uid) for uid in uids):
        raise PeerFailure("a UID is no UID", transient=False)
    return report


def _calling(association: Association) -> str:
    return (cast("A_ASSOCIATE", association.requestor.primitive).calling_ae_title or "").strip()
