"""The listening socket: who is let in, the TLS handshake, the A-ASSOCIATE-RQ, and the end of what takes too long.

A connection becomes an association when its request is here whole (PS3.8 9.3.2): what says nothing, says half, or
speaks another protocol holds one waiting thread until its deadline, and never a place among the associations.
"""

import contextlib
import gc
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from socketserver import BaseServer, TCPServer
from struct import Struct
from typing import Any

import structlog
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.events import EventHandlerType
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from dicomnode.tls.contexts import reason_of
from dicomnode.transport.association import BoundedAssociation, Ended
from dicomnode.transport.dul import Store
from dicomnode.transport.faults import ProtocolFault
from dicomnode.transport.limits import Limits
from dicomnode.transport.socket import BoundedSocket, receive_into, reset_when_closed, shut_down

log = structlog.get_logger(__name__)

ContextFor = Callable[[], ssl.SSLContext | None]
"""Returns the TLS settings of the next connection; None for plain TCP. Asked each time, so that they can change."""

TurnedAway = Callable[[str, str], None]
"""Is told of an address from which somebody could not prove who they are, and why."""

REAP_S = 0.25  # seconds between two looks for what takes too long
REPORT_S = 10.0  # seconds between two log lines about connections that were turned away: a flood must not fill the log
COLLECT_EVERY = 16  # associations; their objects refer to each other, so that only the collector finds them
_HEAD = Struct(">BxI")
_A_ASSOCIATE_RQ, _A_ABORT = 0x01, 0x07
_SHORTEST_REQUEST = 68  # bytes after the header, PS3.8 Table 9-11
_ABORT_PDU = bytes((_A_ABORT, 0, 0, 0, 0, 4, 0, 0, 2, 1))  # by the provider, unrecognised PDU (PS3.8 9.3.8)


@dataclass(eq=False)
class Connection:
    """A connection while it is open.

    Args:
        socket: accepted.
        address: IP address that it comes from.
        cut_at: seconds of the monotonic clock at which it is ended if it is no association yet.
        association: once it has asked for one.
    """

    socket: socket.socket
    address: str
    cut_at: float
    association: BoundedAssociation | None = field(default=None)

    def end_if_late(self, now: float) -> bool:
        """End it if a deadline has passed; return whether one had."""
        deadline = self.association.dul.socket.cut_at if self.association else self.cut_at
        if deadline is None or now < deadline:
            return False
        reset_when_closed(self.socket)
        self.cut()
        return True

    def cut(self) -> None:
        """End it at once."""
        if self.association:
            self.association.dul.socket.cut()
        else:
            shut_down(self.socket)


class BoundedRequestHandler(RequestHandler):
    """One connection, until it has become an association."""

    server: "BoundedServer"

    def handle(self) -> None:
        """Read the request of an association, and start it."""
        connection = self.server.connection_of(self.request)
        try:
            self._secure(connection)
            first_pdu = self._read_request(connection)
            association = self._create_association()
            association.dul.first_pdu = first_pdu
        except ProtocolFault as fault:
            self.server.turn_away(connection, str(fault))
            return
        except OSError:
            is_late = time.monotonic() >= connection.cut_at  # by `service_actions`
            self.server.turn_away(connection, "it did not ask in time" if is_late else "it ended before it asked")
            return
        connection.association = association
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        try:
            association.start()
        except RuntimeError:  # the system has no thread left
            association.close()
            raise

    def _secure(self, connection: Connection) -> None:
        """Make the TLS handshake, if TLS is spoken here.

        Raises:
            ProtocolFault: it failed.
            OSError: the connection ended.
        """
        limits = self.server.limits
        context = self.server.context_for()
        if context is None:
            return
        connection.cut_at = time.monotonic() + limits.handshake_s
        secured = context.wrap_socket(connection.socket, server_side=True, do_handshake_on_connect=False)
        connection.socket = secured  # from here on it is this one that must be cut
        try:
            secured.do_handshake()
        except ssl.SSLEOFError:
            raise ProtocolFault("it ended before the TLS handshake") from None
        except ssl.SSLError as error:
            reason = f"no TLS handshake: {reason_of(error)}"
            self.server.unproven(connection.address, reason)
            raise ProtocolFault(reason) from None
        connection.cut_at = time.monotonic() + limits.request_s

    def _read_request(self, connection: Connection) -> bytes:
        """Return the A-ASSOCIATE-RQ; what is too long is not read.

        Raises:
            ProtocolFault: it is none, or too long.
            OSError: the connection ended.
        """
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = bytearray(_HEAD.size)
        receive_into(connection.socket, memoryview(head)[:1])
        connection.cut_at = min(connection.cut_at, time.monotonic() + self.server.limits.pdu_s)
        if head[0] != _A_ASSOCIATE_RQ:
            self._answer_with_abort(connection)
            raise ProtocolFault("it does not speak DICOM")
        receive_into(connection.socket, memoryview(head)[1:])
        _, length = _HEAD.unpack(head)
        if not _SHORTEST_REQUEST <= length <= self.server.limits.request_length:
            self._answer_with_abort(connection)
            raise ProtocolFault("its request has no length that a request has")
        body = bytearray(length)
        receive_into(connection.socket, memoryview(body))
        return bytes(head + body)

    def _answer_with_abort(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):
            connection.socket.sendall(_ABORT_PDU)

    def _create_association(self) -> BoundedAssociation:
        """Return an association on the connection: as pynetdicom builds its own, of our classes."""
        server, ae = self.server, self.server.ae
        association = BoundedAssociation(ae, server.limits, server.store, server.forget)
        association.name = f"association {self.client_address[1]}"
        association.set_socket(BoundedSocket(association, server.connection_of(self.request).socket))
        association.acceptor.maximum_length = ae.maximum_pdu_size
        association.acceptor.ae_title = server.ae_title
        association.acceptor.address_info = self.local
        association.acceptor.implementation_class_uid = ae.implementation_class_uid
        association.acceptor.implementation_version_name = ae.implementation_version_name
        association.acceptor.supported_contexts = deepcopy(server.contexts)
        association.requestor.address_info = self.remote
        for event, handler in server.event_handlers:
            association.bind(event, handler)
        return association


class BoundedServer(ThreadedAssociationServer):
    """Listens, and lets no connection be more than the limits allow.

    Args:
        ae: the node's.
        address: host and port to listen on.
        contexts: presentation contexts that are supported.
        limits: of the receiver.
        store: serves C-STORE requests.
        handlers: pynetdicom's events and what they call, C-STORE not among them.
        ended: is told of each association that is over.
        context_for: TLS settings of the next connection.
        unproven: is told of each TLS handshake that failed.
        listening: a socket that listens already, as systemd passes one; `address` counts for nothing then.

    Raises:
        OSError: the port cannot be bound.
    """

    request_queue_size = 128
    daemon_threads = True

    def __init__(
        self,
        ae: ApplicationEntity,
        address: tuple[str, int],
        contexts: list[PresentationContext],
        *,
        limits: Limits,
        store: Store,
        handlers: Sequence[EventHandlerType],
        ended: Ended,
        context_for: ContextFor = lambda: None,
        unproven: TurnedAway = lambda _address, _reason: None,
        listening: socket.socket | None = None,
    ) -> None:
        self._listening = listening
        self.limits = limits
        self.store = store
        self.event_handlers = tuple((each[0], each[1]) for each in handlers)
        self.context_for = context_for
        self.unproven = unproven
        self._ended = ended
        self._lock = threading.Lock()
        self._open: dict[socket.socket, Connection] = {}
        self._turned_away: Counter[tuple[str, str]] = Counter()
        self._reaped = self._reported = time.monotonic()
        self._over = 0
        super().__init__(ae, address, ae.ae_title, contexts, request_handler=BoundedRequestHandler)

    def server_bind(self) -> None:
        """Bind the port, or take over the socket that listens already."""
        if self._listening is None:
            super().server_bind()
            return
        if self.socket:
            self.socket.close()
        self.socket = self._listening
        self.socket.settimeout(self.ae.network_timeout)
        self.server_address = self.socket.getsockname()

    @property
    def active_associations(self) -> list[Association]:
        """The associations that are open: what has not asked yet is none."""
        with self._lock:
            return [each.association for each in self._open.values() if each.association]

    @property
    def open_connections(self) -> int:
        """How many connections are open, those among them that have not asked for an association."""
        with self._lock:
            return len(self._open)

    def connection_of(self, request: socket.socket) -> Connection:
        """Return what is known of an accepted socket."""
        with self._lock:
            return self._open[request]

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the TLS handshake is not made here, where it would hold up all others."""
        try:
            return TCPServer.get_request(self)
        except OSError:
            time.sleep(0.05)  # no descriptor is free: trying at once again would take a whole core
            raise

    def verify_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> bool:
        """Whether a connection is taken: neither its address nor all together may have too many."""
        if not isinstance(request, socket.socket):
            return False
        address, now = str(client_address[0]), time.monotonic()
        connection = Connection(request, address, now + self.limits.request_s)
        with self._lock:
            if sum(each.address == address for each in self._open.values()) >= self.limits.connections_of_one_address:
                self._turned_away[address, "too many from one address"] += 1
                return False
            if len(self._open) >= self.limits.connections and not self._make_room():
                self._turned_away[address, "too many connections"] += 1
                return False
            self._open[request] = connection
        return True

    def _make_room(self) -> bool:
        """Cut the connection that has waited longest without asking for an association."""
        oldest = next((each for each in self._open.values() if not each.association), None)
        if oldest is None:
            return False
        oldest.cut()
        self._drop(oldest)
        return True

    def turn_away(self, connection: Connection, reason: str) -> None:
        """Close a connection that did not become an association."""
        with self._lock:
            self._turned_away[connection.address, reason] += 1
            self._drop(connection)
        shut_down(connection.socket)
        connection.socket.close()

    def forget(self, association: Association) -> None:
        """Note that an association is over."""
        with self._lock:
            for connection in [each for each in self._open.values() if each.association is association]:
                self._drop(connection)
            self._over += 1
        self._ended(association)

    def _drop(self, connection: Connection) -> None:
        for key in [key for key, each in self._open.items() if each is connection]:
            del self._open[key]

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection that was not taken."""
        if isinstance(request, socket.socket):
            with self._lock:
                self._open.pop(request, None)
            shut_down(request)
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 (the base's signature)
        """Say that a connection could not be served; the base prints a traceback."""
        log.exception("a connection could not be served")  # noqa: LOG004 (called while the exception is handled)

    def service_actions(self) -> None:
        """End what takes too long; called between two connections, and when there is none."""
        now = time.monotonic()
        if now - self._reaped < REAP_S:
            return
        self._reaped = now
        with self._lock:
            connections = list(self._open.values())
            collect = self._over >= COLLECT_EVERY
            self._over = 0 if collect else self._over
        for connection in connections:
            if connection.end_if_late(now) and connection.association:
                log.warning("association cut", address=connection.address, reason="it did not finish a PDU in time")
        if now - self._reported >= REPORT_S:
            self._report(now)
        if collect:
            gc.collect()

    def _report(self, now: float) -> None:
        with self._lock:
            turned_away, self._turned_away = self._turned_away, Counter()
        self._reported = now
        for (address, reason), count in turned_away.most_common(20):
            log.warning("connections closed", address=address, reason=reason, count=count)

    def stop_listening(self) -> None:
        """Close the listening socket and what has not asked for an association."""
        # pynetdicom's own `shutdown` works only for a server that its AE started.
        BaseServer.shutdown(self)
        self.server_close()
        with self._lock:
            for connection in self._open.values():
                if not connection.association:
                    connection.cut()
        self._report(time.monotonic())

    def cut(self) -> None:
        """End every connection at once."""
        with self._lock:
            for connection in self._open.values():
                connection.cut()
