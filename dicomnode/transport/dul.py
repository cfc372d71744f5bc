"""The DICOM upper layer of one association: the thread that reads its PDUs, and serves C-STORE itself.

PS3.8 9.2 is pynetdicom's state machine. What is read here is checked against the limits first; a C-STORE request is
received into one buffer, served and answered on this thread; every other message goes pynetdicom's own way.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

import structlog
from pynetdicom.association import Association
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL, C_STORE
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, A_P_ABORT, A_RELEASE, P_DATA
from pynetdicom.presentation import PresentationContext

from dicomnode.transport.association_request import plain
from dicomnode.transport.command_set import COMMAND, LAST, P_DATA_TF, Command, store_response
from dicomnode.transport.faults import ProtocolFault
from dicomnode.transport.incoming import Incoming
from dicomnode.transport.limits import Limits
from dicomnode.transport.socket import BoundedSocket

log = structlog.get_logger(__name__)

_Primitive = A_ASSOCIATE | A_RELEASE | A_ABORT | A_P_ABORT | P_DATA
_PDU = Struct(">BxI")  # type, length of the rest
_PDV = Struct(">IBB")  # length of the rest, presentation context, message control header (PS3.8 9.3.5.1, E.2)
_LONGEST_OTHER = 65536  # bytes of any PDU that holds no data
LINGER_S = 0.5
WAITING_FOR_CLOSE, DATA_TRANSFER = "Sta13", "Sta6"  # PS3.8 9.2.1


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE request that has been received whole.

    Args:
        command: its command set.
        context: accepted presentation context that it came in.
        data: the data set in a buffer that the next message overwrites; empty where there is none.
        is_too_long: whether the data set was longer than may be kept, and is not here.
    """

    command: Command
    context: PresentationContext
    data: memoryview
    is_too_long: bool


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What the requestor is told.

    Args:
        status: of PS3.4 B.2.3.
        comment: ASCII of at most 64 characters; empty for none.
    """

    status: int
    comment: str = ""


Store = Callable[[Association, StoreRequest], StoreAnswer]
"""Serves a C-STORE request; it runs on the association's own thread, and may wait for the disk."""


class BoundedDUL(DULServiceProvider):
    """The upper layer of one association.

    Args:
        association: that it belongs to.
        limits: of the receiver.
        store: serves C-STORE requests.
    """

    socket: BoundedSocket

    def __init__(self, association: Association, limits: Limits, store: Store) -> None:
        super().__init__(association)
        self.daemon = True
        self.first_pdu = b""
        self.is_storing = False
        self.is_over = False
        self._limits = limits
        self._store = store
        self._incoming = Incoming(limits)
        self._head = memoryview(bytearray(_PDU.size))

    def send_pdu(self, primitive: _Primitive) -> None:
        """Hand a primitive to this thread, and wake it."""
        super().send_pdu(primitive)
        self.socket.ring()

    def kill_dul(self) -> None:
        """End this thread."""
        super().kill_dul()
        self.socket.ring()

    def run_reactor(self) -> None:
        """Read and send PDUs until the association is over; whatever a stranger's bytes lead to ends here."""
        try:
            self._idle_timer.start()
            self._run_state_machine()
            self._decode(plain(self.first_pdu))
            while not self._kill_thread:
                self._run_state_machine()
                self.assoc._dul_ready.set()  # noqa: SLF001 (pynetdicom's own reactor sets it too)
                self._turn()
        except Exception as error:  # noqa: BLE001 (the library raises what it likes on malformed values)
            # Not the error's text: it may hold a value.
            log.warning("association broken off", error=type(error).__name__)
            self._break_off()
        finally:
            self.is_over = True
            self.assoc._dul_ready.set()  # noqa: SLF001
            self.assoc.dimse.msg_queue.put((None, None))  # by which pynetdicom's own wakes the association's thread
            self.socket.dispose()
            self._incoming = Incoming(self._limits)  # the buffer must not wait for the collector of circles

    def _turn(self) -> None:
        """Put one event into the queue: of a timer, of the local user or of the peer."""
        if self._kill_thread:
            return
        if self.artim_timer.expired:
            self.event_queue.put("Evt18")
        elif self._process_recv_primitive():
            pass
        elif self.state_machine.current_state == WAITING_FOR_CLOSE:
            self.socket.linger(LINGER_S)
            self.socket.close()
        elif self.socket.wait(None, reading=self._may_read()):
            is_more = True
            while is_more:
                self._read_pdu_data()
                self._idle_timer.restart()
                # The rest of a message comes at once: there is nothing to wait for, unless somebody rings.
                is_more = self._incoming.is_under_way and self.event_queue.empty() and not self.socket.is_rung

    def _run_state_machine(self) -> None:
        while not self.event_queue.empty():
            self.state_machine.do_action(self.event_queue.get(block=False))

    def _may_read(self) -> bool:
        """Whether another message may be received: not before all know of the association, and one at a time."""
        if self.state_machine.current_state != DATA_TRANSFER:
            return True
        return self.assoc.is_established and self.assoc.dimse.msg_queue.empty()

    def _read_pdu_data(self) -> None:
        """Read one PDU and put its event into the queue."""
        self.socket.cut_at = time.monotonic() + self._limits.pdu_s
        try:
            self.socket.receive_into(self._head)
            kind, length = _PDU.unpack(self._head)
            if kind == P_DATA_TF and self.state_machine.current_state == DATA_TRANSFER:
                self._read_values(length)
            elif length > _LONGEST_OTHER:
                raise ProtocolFault("a PDU is too long")  # noqa: TRY301 (one place says what a fault leads to)
            else:
                pdu = bytearray(self._head) + bytearray(length)
                self.socket.receive_into(memoryview(pdu)[_PDU.size :])
                self._decode(bytes(pdu))
        except OSError:
            self.event_queue.put("Evt17")
        except ProtocolFault as fault:
            log.warning("association aborted", address=self.assoc.requestor.address, reason=str(fault))
            self.event_queue.put("Evt19")
        finally:
            self.socket.cut_at = None

    def _decode(self, pdu: bytes) -> None:
        """Decode a PDU that holds no data; it may be of no known type."""
        try:
            decoded, event = self._decode_pdu(bytearray(pdu))
        except Exception:  # noqa: BLE001 (the library raises what it likes on malformed values)
            self.event_queue.put("Evt19")
        else:
            self.event_queue.put(event)
            self._recv_pdu.put(decoded)

    def _read_values(self, length: int) -> None:
        """Read the presentation data values of a P-DATA-TF PDU, each where it belongs.

        Raises:
            ProtocolFault: they are malformed, or break a limit.
            OSError: the connection ends before.
        """
        if not _PDV.size <= length <= self._limits.pdu_length:
            raise ProtocolFault("a P-DATA-TF PDU is longer than was agreed, or empty")
        while length:
            if length < _PDV.size:
                raise ProtocolFault("a P-DATA-TF PDU ends in the middle of a value")
            self.socket.receive_into(self._head)
            size, context_id, control = _PDV.unpack(self._head)
            length -= size + 4
            if size < 2 or length < 0:
                raise ProtocolFault("a presentation data value does not fit its PDU")
            self._read_fragment(context_id, control, size - 2)

    def _read_fragment(self, context_id: int, control: int, size: int) -> None:
        incoming = self._incoming
        if context_id not in self.assoc._accepted_cx:  # noqa: SLF001 (the public property sorts on each call)
            raise ProtocolFault("a message came in a presentation context that was not accepted")
        self.socket.receive_into(incoming.room(context_id, control, size, time.monotonic()))
        if not incoming.is_complete(control):
            return
        self.socket.cut_at = None
        if incoming.command is not None and incoming.command.is_store_request:
            self._serve_store(incoming.command, context_id)
        else:
            self._hand_over(context_id)
        incoming.clear()
        self.socket.cut_at = time.monotonic() + self._limits.pdu_s

    def _serve_store(self, command: Command, context_id: int) -> None:
        context = self.assoc._accepted_cx[context_id]  # noqa: SLF001
        self.is_storing = True
        try:
            request = StoreRequest(command, context, self._incoming.data, self._incoming.is_too_long)
            answer = self._store(self.assoc, request)
        finally:
            self._idle_timer.restart()  # a slow disk is not the peer's silence
            self.is_storing = False
        longest = self.assoc.requestor.maximum_length or 0
        self._send_bounded(store_response(command, context_id, answer.status, answer.comment, longest))

    def _hand_over(self, context_id: int) -> None:
        """Give a whole message to the association's own thread, as pynetdicom would; none gets a thread of its own."""
        if self._incoming.is_too_long:
            raise ProtocolFault("a data set is too long")
        message, values = DIMSEMessage(), P_DATA()
        fragments = values.presentation_data_value_list
        fragments.append((context_id, bytes([COMMAND | LAST]) + self._incoming.encoded_command))
        if self._incoming.command is not None and self._incoming.command.has_data_set:
            fragments.append((context_id, bytes([LAST]) + bytes(self._incoming.data)))
        message.decode_msg(values, self.assoc)
        primitive = message.message_to_primitive()
        if isinstance(primitive, C_STORE):  # those that can be answered are served here
            raise ProtocolFault("a C-STORE request is malformed")
        if not isinstance(primitive, C_CANCEL):  # there is no operation that could be cancelled
            self.assoc.dimse.msg_queue.put((context_id, primitive))

    def _send(self, pdu: object) -> None:
        """Send a PDU of the state machine's."""
        self._send_bounded(pdu.encode())  # type: ignore[attr-defined]  # pynetdicom's PDUs share no public base

    def _send_bounded(self, encoded: bytes) -> None:
        self.socket.cut_at = time.monotonic() + self._limits.pdu_s
        self.socket.send(encoded)
        self.socket.cut_at = None

    def _break_off(self) -> None:
        """Abort outside the state machine, which an exception has left in no known state."""
        abort = A_ABORT_RQ()
        abort.source, abort.reason_diagnostic = 2, 0
        self._send(abort)
        self.socket.linger(LINGER_S)
        self.assoc.is_established = False
        self.to_user_queue.put(A_P_ABORT())
