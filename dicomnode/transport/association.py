"""An association that this node accepted: negotiation and every service but C-STORE, on a thread that waits asleep."""

import queue
import threading
from collections.abc import Callable
from typing import Any

import structlog
from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE

from dicomnode.tls.binding import Certificate
from dicomnode.transport.dul import BoundedDUL, Store
from dicomnode.transport.limits import Limits

log = structlog.get_logger(__name__)

Ended = Callable[[Association], None]
"""Is told once, when no thread of the association runs any more."""


class _WakingQueue(queue.Queue[Any]):
    """A queue that wakes whom its entries are for.

    Args:
        wake: called after each entry.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an entry in, and wake."""
        super().put(item, block, timeout)
        self._wake()


class BoundedAssociation(Association):
    """An association that this node accepted.

    Args:
        ae: the node's.
        limits: of the receiver.
        store: serves C-STORE requests.
        ended: is told when it is over.
    """

    dul: BoundedDUL

    def __init__(self, ae: ApplicationEntity, limits: Limits, store: Store, ended: Ended) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self._work = threading.Event()
        self._ended = ended
        self.dul = BoundedDUL(self, limits, store)
        self.dul.to_user_queue = _WakingQueue(self._work.set)
        self.dimse.msg_queue = _WakingQueue(self._work.set)
        # The timers are the new upper layer's.
        self.acse_timeout, self.network_timeout = ae.acse_timeout, ae.network_timeout

    @property
    def certificate(self) -> Certificate | None:
        """The certificate of who asked, or None where they do not come over TLS."""
        return self.dul.socket.certificate

    def kill(self) -> None:
        """End the association's thread."""
        self._kill = True
        self._work.set()
        super().kill()

    def run_reactor(self) -> None:
        """Negotiate and serve; whatever happens, no thread and no socket stays behind."""
        try:
            self.dul.start()
            self._started_dul = True
            self._dul_ready.wait()
            if isinstance(self.dul.peek_next_pdu(), A_ASSOCIATE):
                super().run_reactor()
        except Exception as error:  # noqa: BLE001 (the library raises what it likes on malformed values)
            # Not the error's text: it may hold a value.
            log.warning("association broken off", address=self.requestor.address, error=type(error).__name__)
            self.acse.send_abort(2)
        finally:
            self.close()

    def send_n_event_report(self, *arguments: Any, **options: Any) -> Any:
        """Send a report, and let the next message be read: its response was taken past the loop that says so."""
        try:
            return super().send_n_event_report(*arguments, **options)
        finally:
            self.dul.socket.ring()

    def close(self) -> None:
        """End the upper layer and the connection, and tell that the association is over."""
        if self.dul.ident is None:  # the system has no thread left
            self.dul.socket.dispose()
        else:
            self.dul.join(self.acse_timeout)
            self.dul.kill_dul()
            self.dul.socket.cut()
            self.dul.join()
        self._ended(self)

    def _run_reactor(self) -> None:
        """Serve until released, aborted or silent for too long: pynetdicom's loop, that looks only when it is woken."""
        self.dul.socket.ring()  # which may read messages now
        while not self._kill:
            self._is_paused = True
            self._work.wait(self._until_silent())
            self._work.clear()
            self._reactor_checkpoint.wait()
            self._is_paused = False
            if self._serve_next() or self._is_released() or self._is_broken():
                continue
            if self.dul.idle_timer_expired() and not self.dul.is_storing:
                log.warning("association aborted", address=self.requestor.address, reason="the peer is silent")
                self.abort(block=False)
                self.kill()

    def _until_silent(self) -> float | None:
        """Return the seconds until the peer has been silent for too long, or None where there is no limit."""
        if self.network_timeout is None:
            return None
        return max(float(self.dul._idle_timer.remaining), 0.0) + 0.05  # noqa: SLF001 (pynetdicom's own timer)

    def _serve_next(self) -> bool:
        """Serve a message that waits."""
        context_id, message = self.dimse.get_msg(block=False)
        if message is None or context_id is None:
            return False
        self.dul.socket.ring()  # which may read the next one now
        self._serve_request(message, context_id)
        self._work.set()
        return True

    def _is_released(self) -> bool:
        """Answer a request to release the association."""
        if not (self.is_established and self.acse.is_release_requested()):
            return False
        self.acse.send_release(is_response=True)
        self.is_released = True
        self.is_established = False
        evt.trigger(self, evt.EVT_RELEASED, {})
        self.kill()
        return True

    def _is_broken(self) -> bool:
        """Note that either side has aborted, or that the connection is gone."""
        if self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self.is_aborted = True
            self.is_established = False
            evt.trigger(self, evt.EVT_ABORTED, {})
        elif not self.dul.is_over:
            return False
        self.kill()
        return True
