"""Associations, presentation contexts, and the C-STORE and C-ECHO handlers.

A handler only translates: from an event to a call of `intake`, from a refusal to a DIMSE status (`dimse.STATUS_OF`).
"""

import socket
import threading
import time
from collections.abc import Sequence
from socketserver import BaseServer
from typing import cast

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import ThreadedAssociationServer

from dicomnode.config import Node, Receiving
from dicomnode.dimse import (
    STATUS_OF,
    SUCCESS,
    UNKNOWN_CALLED_AE,
    UNKNOWN_CALLING_AE,
    accepted_contexts,
    error_comment,
    set_pynetdicom_up,
)
from dicomnode.errors import ClassNotSupported, NotUnderstood, Refusal
from dicomnode.feeding import Feeding
from dicomnode.instance_file import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, InstanceFile
from dicomnode.intake import Arrival, Intake
from dicomnode.peers import Peer, find_peer
from dicomnode.visits import Visits

log = structlog.get_logger(__name__)

MAXIMUM_PDU_SIZE = 131072  # bytes; 1.2 to 1.4 times the throughput of pynetdicom's default (ingest.md 1)
_ABORT_GRACE_S = 2.0


class _Server(ThreadedAssociationServer):
    """Listens; with a backlog that holds a burst of peers that all connect at once."""

    request_queue_size = 64
    daemon_threads = True

    def stop_listening(self) -> None:
        """Close the listening socket; pynetdicom's own `shutdown` works only for a server that its AE started."""
        BaseServer.shutdown(self)
        self.server_close()


class Receiver:
    """The storage SCP while it runs.

    Args:
        server: pynetdicom's, bound and not yet serving.
    """

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="receiver")
        self._thread.daemon = True
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is really bound, also where the configuration left the choice to the system."""
        return int(self._server.server_address[1])

    @property
    def open_associations(self) -> int:
        """How many associations are open."""
        return len(self._server.active_associations)

    def stop(self, grace_s: float = 10.0) -> None:
        """Take no new associations, let the running ones finish for up to `grace_s` seconds, and abort the rest."""
        self._server.stop_listening()
        self._thread.join()
        self._wait_for_associations(grace_s)
        for association in self._server.active_associations:
            association.abort(block=False)
        self._wait_for_associations(_ABORT_GRACE_S)

    def _wait_for_associations(self, longest_s: float) -> None:
        deadline = time.monotonic() + longest_s
        while self._server.active_associations and time.monotonic() < deadline:
            time.sleep(0.05)


def start(
    node: Node, receiving: Receiving, peers: Sequence[Peer], intake: Intake, feeding: Feeding, *, visits: Visits
) -> Receiver:
    """Listen for associations.

    Args:
        node: AE title, host and port; port 0 lets the system choose.
        receiving: timeouts and limits.
        peers: who may call.
        intake: takes the instances.
        feeding: is told when an association is over.
        visits: is told who came and what came of it.

    Raises:
        OSError: the port cannot be bound.
    """
    set_pynetdicom_up()
    ae = AE(ae_title=node.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_associations = receiving.maximum_associations
    ae.maximum_pdu_size = MAXIMUM_PDU_SIZE
    ae.acse_timeout = receiving.acse_timeout_s
    ae.dimse_timeout = receiving.dimse_timeout_s
    ae.network_timeout = receiving.network_timeout_s
    # The door below says why it rejects; this is the second lock on it.
    ae.require_called_aet = True
    ae.require_calling_aet = [peer.ae_title for peer in peers] or [node.ae_title]
    door = _Door(node.ae_title, peers, intake, feeding, visits=visits, stall_timeout_s=receiving.network_timeout_s)
    address = (node.host, node.port)
    return Receiver(_Server(ae, address, node.ae_title, accepted_contexts(), evt_handlers=door.handlers()))


class _Door:
    """Who may come in, and what happens to what they bring."""

    def __init__(
        self,
        ae_title: str,
        peers: Sequence[Peer],
        intake: Intake,
        feeding: Feeding,
        *,
        visits: Visits,
        stall_timeout_s: float,
    ) -> None:
        self._ae_title = ae_title
        self._peers = tuple(peers)
        self._intake = intake
        self._feeding = feeding
        self._visits = visits
        self._stall_timeout_s = stall_timeout_s
        self._sockets: dict[str, socket.socket] = {}

    def handlers(self) -> list[EventHandlerType]:
        """Return what pynetdicom is to call."""
        return [
            (evt.EVT_CONN_OPEN, self._limit_silence),
            (evt.EVT_REQUESTED, self._examine),
            (evt.EVT_REJECTED, self._say_rejected),
            (evt.EVT_ACCEPTED, self._say_accepted),
            (evt.EVT_C_ECHO, _answer_echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_RELEASED, self._say_over),
            (evt.EVT_ABORTED, self._say_over),
            (evt.EVT_CONN_CLOSE, self._end),
        ]

    def _limit_silence(self, event: Event) -> None:
        """Let no peer stop in the middle of a PDU for ever: pynetdicom's own timeouts end before the socket."""
        if event.assoc.dul.socket and event.assoc.dul.socket.socket:
            self._sockets[_key(event.assoc)] = event.assoc.dul.socket.socket
            event.assoc.dul.socket.socket.settimeout(self._stall_timeout_s)

    def _examine(self, event: Event) -> None:
        """Reject who is not known by name and address (PS3.8 9.3.4)."""
        called, calling = (_request(event.assoc).called_ae_title or "").strip(), _calling(event.assoc)
        address = event.assoc.requestor.address
        peer = find_peer(self._peers, calling)
        if called != self._ae_title:
            self._reject(event.assoc, UNKNOWN_CALLED_AE, f"it called {called!r}, this node is {self._ae_title}")
        elif peer is None:
            self._reject(event.assoc, UNKNOWN_CALLING_AE, f"{calling!r} is no peer of this node")
        elif not peer.comes_from(address):
            self._reject(event.assoc, UNKNOWN_CALLING_AE, f"{calling} may not come from this address")

    def _reject(self, association: Association, diagnostic: tuple[int, int, int], reason: str) -> None:
        address = association.requestor.address
        log.warning("association rejected", address=address, reason=reason)
        self._visits.rejected(_calling(association), address, reason)
        association.acse.send_reject(*diagnostic)
        association.kill()

    def _say_rejected(self, event: Event) -> None:
        """Tell what pynetdicom rejects by itself: there are too many associations."""
        rejection = cast("A_ASSOCIATE", event.assoc.acceptor.primitive)
        code = f"{rejection.result}/{rejection.result_source}/{rejection.diagnostic}"
        log.warning("association rejected", address=event.assoc.requestor.address, reason="too many", code=code)
        self._visits.rejected(_calling(event.assoc), event.assoc.requestor.address, "too many")

    def _say_accepted(self, event: Event) -> None:
        """Tell who came, and what they asked for that this node does not do."""
        requestor = event.assoc.requestor
        log.info("association accepted", peer=_calling(event.assoc), address=requestor.address)
        self._visits.accepted(_key(event.assoc), _calling(event.assoc), requestor.address)
        if event.assoc.rejected_contexts:
            log.warning(
                "presentation contexts not accepted",
                peer=_calling(event.assoc),
                address=requestor.address,
                asked=_named(event.assoc),
            )

    def _store(self, event: Event) -> Dataset:
        """Answer one C-STORE request; Success means that the instance is on disk."""
        status = Dataset()
        try:
            instance = self._intake.accept(self._arrival(event))
        except Refusal as refusal:
            self._visits.refused_one(_key(event.assoc), refusal)
            status.Status = STATUS_OF[type(refusal)]
            status.ErrorComment = error_comment(str(refusal))
            log.warning(
                "instance refused",
                peer=_calling(event.assoc),
                status=f"{status.Status:04X}",
                reason=str(refusal),
                instance=str(cast("C_STORE", event.request).AffectedSOPInstanceUID),
            )
        else:
            self._visits.kept(_key(event.assoc), instance)
            status.Status = SUCCESS
        return status

    def _arrival(self, event: Event) -> Arrival:
        """Return what a C-STORE request brings.

        Raises:
            NotUnderstood: it brings no data set.
            ClassNotSupported: its class is not the one of its presentation context.
        """
        request, requestor = cast("C_STORE", event.request), event.assoc.requestor
        calling = _calling(event.assoc)
        peer = find_peer(self._peers, calling)
        if request.DataSet is None:
            raise NotUnderstood("the request has no data set")
        if peer is None or request.AffectedSOPClassUID != event.context.abstract_syntax:
            raise ClassNotSupported("the SOP class is not the one of its presentation context")
        file = InstanceFile(
            sop_class_uid=str(request.AffectedSOPClassUID),
            sop_instance_uid=str(request.AffectedSOPInstanceUID),
            transfer_syntax_uid=str(event.context.transfer_syntax),
            calling_ae_title=calling,
            called_ae_title=self._ae_title,
            peer_address=requestor.address,
            data=request.DataSet.getvalue(),
        )
        return Arrival(file, peer, _key(event.assoc))

    def _say_over(self, event: Event) -> None:
        how = "released" if event.event is evt.EVT_RELEASED else "aborted"
        log.info("association over", address=event.assoc.requestor.address, how=how)
        self._feeding.end(_key(event.assoc))
        self._visits.over(_key(event.assoc))

    def _end(self, event: Event) -> None:
        """Forget the association; close the socket, which pynetdicom leaves open where the peer has reset it."""
        self._feeding.end(_key(event.assoc))
        self._visits.over(_key(event.assoc))
        if left_open := self._sockets.pop(_key(event.assoc), None):
            left_open.close()


def _answer_echo(_event: Event) -> int:
    """Answer a C-ECHO request."""
    return SUCCESS


def _request(association: Association) -> A_ASSOCIATE:
    """Return the A-ASSOCIATE request."""
    return cast("A_ASSOCIATE", association.requestor.primitive)


def _calling(association: Association) -> str:
    """Return by which AE title the requestor calls itself."""
    return (_request(association).calling_ae_title or "").strip()


def _named(association: Association) -> list[str]:
    """Return each presentation context that was not accepted: SOP class and transfer syntaxes, by their names."""
    asked = {context.context_id: context for context in association.requestor.requested_contexts}
    contexts = [asked.get(context.context_id, context) for context in association.rejected_contexts]
    return [
        f"{UID(context.abstract_syntax or '').name} in {', '.join(UID(each).name for each in context.transfer_syntax)}"
        for context in contexts
    ]


def _key(association: Association) -> str:
    """Return a name for the association that no other open one has."""
    return f"{association.name}-{id(association)}"
