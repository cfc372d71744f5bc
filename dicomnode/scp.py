"""Associations, presentation contexts, and the C-STORE and C-ECHO handlers.

A handler only translates: from an event to a call of `intake`, from a refusal to a DIMSE status (`dimse.STATUS_OF`).
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import structlog
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import A_ASSOCIATE

from dicomnode.association_items import APPLICATION_CONTEXT_NAME
from dicomnode.config import Node, Receiving
from dicomnode.dimse import (
    ACCEPTED,
    STATUS_OF,
    SUCCESS,
    UNKNOWN_APPLICATION_CONTEXT,
    UNKNOWN_CALLED_AE,
    UNKNOWN_CALLING_AE,
    accepted_contexts,
    error_comment,
    set_pynetdicom_up,
)
from dicomnode.errors import ClassNotSupported, NodeError, NotUnderstood, Refusal
from dicomnode.feeding import Feeding
from dicomnode.instance_file import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, InstanceFile
from dicomnode.intake import Arrival, Intake
from dicomnode.peers import Peer, find_peer
from dicomnode.spool import MIB
from dicomnode.transport.association import BoundedAssociation
from dicomnode.transport.dul import StoreAnswer, StoreRequest
from dicomnode.transport.limits import Limits
from dicomnode.transport.server import BoundedServer, ContextFor
from dicomnode.visits import Visits

log = structlog.get_logger(__name__)

POLL_S = 0.25  # seconds between two looks of the accepting thread for what takes too long
_ABORT_GRACE_S = 1.0
_MOST_NAMED = 8  # presentation contexts that a line of the log names


class Receiver:
    """The storage SCP while it runs.

    Args:
        plain: listens for TCP, bound and not yet serving; None where only TLS is spoken.
        secure: listens for TLS, likewise; None where none is spoken.
    """

    def __init__(self, plain: BoundedServer | None, secure: BoundedServer | None = None) -> None:
        self._secure = secure
        self._servers = [server for server in (plain, secure) if server is not None]
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(POLL_S,), name="receiver", daemon=True)
            for server in self._servers
        ]
        for thread in self._threads:
            thread.start()

    @property
    def port(self) -> int:
        """The port that is really bound, also where the configuration left the choice to the system."""
        return int(self._servers[0].server_address[1])

    @property
    def tls_port(self) -> int | None:
        """The port for TLS that is really bound; `port` is the same where nothing else is spoken."""
        return int(self._secure.server_address[1]) if self._secure else None

    @property
    def open_associations(self) -> int:
        """How many associations are open."""
        return len(self._associations())

    @property
    def open_connections(self) -> int:
        """How many connections are open, those among them that have not asked for an association."""
        return sum(server.open_connections for server in self._servers)

    def stop(self, grace_s: float = 10.0) -> None:
        """Take no new associations, let the running ones finish for up to `grace_s` seconds, and abort the rest."""
        for server in self._servers:
            server.stop_listening()
        for thread in self._threads:
            thread.join()
        self._wait_for_associations(grace_s)
        for association in self._associations():
            association.abort(block=False)
        self._wait_for_associations(_ABORT_GRACE_S)
        for server in self._servers:
            server.cut()
        self._wait_for_associations(_ABORT_GRACE_S)

    def _associations(self) -> list[Association]:
        return [association for server in self._servers for association in server.active_associations]

    def _wait_for_associations(self, longest_s: float) -> None:
        deadline = time.monotonic() + longest_s
        while self._associations() and time.monotonic() < deadline:
            time.sleep(0.02)


@dataclass(frozen=True)
class SecurePort:
    """Where TLS is spoken.

    Args:
        port: to listen on; 0 lets the system choose.
        only: whether nothing else is spoken.
        settings: for the next connection.
    """

    port: int
    only: bool
    settings: Callable[[], ssl.SSLContext]


def start(
    node: Node,
    receiving: Receiving,
    peers: Sequence[Peer],
    intake: Intake,
    feeding: Feeding,
    *,
    visits: Visits,
    secure: SecurePort | None = None,
    more: Sequence[EventHandlerType] = (),
    listening: Sequence[socket.socket] = (),
) -> Receiver:
    """Listen for associations.

    Args:
        node: AE title, host and port; port 0 lets the system choose.
        receiving: timeouts and limits.
        peers: who may call.
        intake: takes the instances.
        feeding: is told when an association is over.
        visits: is told who came and what came of it.
        secure: where TLS is spoken, if it is.
        more: handlers of further services.
        listening: sockets that listen on these ports already, as systemd passes them.

    Raises:
        NodeError: a port cannot be bound.
    """
    set_pynetdicom_up()
    limits = limits_of(receiving)
    ae = AE(ae_title=node.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_associations = receiving.maximum_associations
    ae.maximum_pdu_size = limits.pdu_length
    ae.acse_timeout = receiving.acse_timeout_s
    ae.dimse_timeout = receiving.dimse_timeout_s
    ae.network_timeout = receiving.network_timeout_s
    # The door below says why it rejects; this is the second lock on it.
    ae.require_called_aet = True
    ae.require_calling_aet = [peer.ae_title for peer in peers] or [node.ae_title]
    door = _Door(node.ae_title, peers, intake, feeding, visits=visits, limit_mib=receiving.message_limit_mib)
    passed = {each.getsockname()[1]: each for each in listening}

    def listen(port: int, context_for: ContextFor) -> BoundedServer:
        try:
            return BoundedServer(
                ae,
                (node.host, port),
                accepted_contexts(),
                limits=limits,
                store=door.store,
                handlers=[*door.handlers(), *more],
                ended=door.end,
                context_for=context_for,
                unproven=partial(visits.rejected, ""),
                listening=passed.pop(port, None),
            )
        except OSError as error:
            raise NodeError(f"port {port} cannot be listened on: {error.strerror}") from error

    plain = None if secure and secure.only else listen(node.port, lambda: None)
    encrypted = listen(secure.port, secure.settings) if secure else None
    if passed:
        raise NodeError(f"a socket unit listens on port {min(passed)}, which is not one of the configuration's")
    return Receiver(plain, encrypted)


def limits_of(receiving: Receiving) -> Limits:
    """Return what the configuration lets a peer do."""
    return Limits(
        message_length=receiving.message_limit_mib * MIB,
        request_s=receiving.acse_timeout_s,
        pdu_s=min(receiving.pdu_timeout_s, receiving.network_timeout_s),
        message_s=receiving.dimse_timeout_s,
        connections=receiving.maximum_connections,
        connections_of_one_address=receiving.maximum_connections_of_one_address,
    )


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
        limit_mib: int,
    ) -> None:
        self._ae_title = ae_title
        self._peers = tuple(peers)
        self._intake = intake
        self._feeding = feeding
        self._visits = visits
        self._limit_mib = limit_mib

    def handlers(self) -> list[EventHandlerType]:
        """Return what pynetdicom is to call."""
        return [
            (evt.EVT_REQUESTED, self._examine),
            (evt.EVT_REJECTED, self._say_rejected),
            (evt.EVT_ACCEPTED, self._say_accepted),
            (evt.EVT_C_ECHO, _answer_echo),
            (evt.EVT_RELEASED, self._say_over),
            (evt.EVT_ABORTED, self._say_over),
        ]

    def _examine(self, event: Event) -> None:
        """Reject who is not known by name, address and certificate (PS3.8 9.3.4)."""
        try:
            fault = self._fault(cast("BoundedAssociation", event.assoc))
        except Exception as error:  # noqa: BLE001 (pynetdicom would log it, and let them in)
            fault = UNKNOWN_CALLING_AE, f"who called could not be examined: {type(error).__name__}"
        if fault is not None:
            self._reject(event.assoc, *fault)

    def _fault(self, association: BoundedAssociation) -> tuple[tuple[int, int, int], str] | None:
        """Return why who calls may not come in, as the Standard says it and in words; None if they may."""
        request, calling = _request(association), _calling(association)
        called, peer = (request.called_ae_title or "").strip(), find_peer(self._peers, calling)
        if request.application_context_name != APPLICATION_CONTEXT_NAME:
            return UNKNOWN_APPLICATION_CONTEXT, f"{calling!r} speaks no DICOM that is known here"
        if called != self._ae_title:
            return UNKNOWN_CALLED_AE, f"it called {called!r}, this node is {self._ae_title}"
        if peer is None:
            return UNKNOWN_CALLING_AE, f"{calling!r} is no peer of this node"
        if not peer.comes_from(association.requestor.address):
            return UNKNOWN_CALLING_AE, f"{calling} may not come from this address"
        if fault := peer.certificate_fault(association.certificate):
            return UNKNOWN_CALLING_AE, f"{calling} was not believed: {fault}"
        return None

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

    def store(self, association: Association, request: StoreRequest) -> StoreAnswer:
        """Answer one C-STORE request; Success means that the instance is on disk."""
        try:
            instance = self._intake.accept(self._arrival(association, request))
        except Refusal as refusal:
            self._visits.refused_one(_key(association), refusal)
            status = STATUS_OF[type(refusal)]
            log.warning(
                "instance refused",
                peer=_calling(association),
                status=f"{status:04X}",
                reason=str(refusal),
                instance=request.command.sop_instance_uid,
            )
            return StoreAnswer(status, error_comment(str(refusal)))
        self._visits.kept(_key(association), instance)
        return StoreAnswer(SUCCESS)

    def _arrival(self, association: Association, request: StoreRequest) -> Arrival:
        """Return what a C-STORE request brings.

        Raises:
            NotUnderstood: it brings no data set, or one that is too long.
            ClassNotSupported: its class is not the one of its presentation context.
        """
        command, calling = request.command, _calling(association)
        peer = find_peer(self._peers, calling)
        if request.is_too_long:
            raise NotUnderstood(f"the data set is larger than {self._limit_mib} MiB")
        if not command.has_data_set:
            raise NotUnderstood("the request has no data set")
        if peer is None or command.sop_class_uid != request.context.abstract_syntax:
            raise ClassNotSupported("the SOP class is not the one of its presentation context")
        file = InstanceFile(
            sop_class_uid=command.sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
            transfer_syntax_uid=str(request.context.transfer_syntax[0]),
            calling_ae_title=calling,
            called_ae_title=self._ae_title,
            peer_address=association.requestor.address,
            data=request.data,
        )
        return Arrival(file, peer, _key(association))

    def _say_over(self, event: Event) -> None:
        how = "released" if event.event is evt.EVT_RELEASED else "aborted"
        log.info("association over", address=event.assoc.requestor.address, how=how)
        self._feeding.end(_key(event.assoc))
        self._visits.over(_key(event.assoc))

    def end(self, association: Association) -> None:
        """Forget an association: no thread of it runs any more."""
        self._feeding.end(_key(association))
        self._visits.over(_key(association))


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
    """Return the presentation contexts that were not accepted: SOP class and transfer syntaxes, by their names.

    Those of the classes that this node takes come first. An archive offers a hundred others each time it calls: of
    these a few are named, and the rest counted.
    """
    asked = {context.context_id: context for context in association.requestor.requested_contexts}
    contexts = [asked.get(context.context_id, context) for context in association.rejected_contexts]
    contexts.sort(key=lambda context: context.abstract_syntax not in ACCEPTED)
    named = [
        f"{UID(context.abstract_syntax or '').name} in {', '.join(UID(each).name for each in context.transfer_syntax)}"
        for context in contexts[:_MOST_NAMED]
    ]
    rest = len(contexts) - len(named)
    return [*named, f"and {rest} more"] if rest else named


def _key(association: Association) -> str:
    """Return a name for the association that no other open one has."""
    return f"{association.name}-{id(association)}"
