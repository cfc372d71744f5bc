"""Who writes the audit: at once for an operator's command, from a queue for the daemon, which must not wait."""

import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from dicomnode.audit.message import Event, audit_message, pseudonymous
from dicomnode.audit.trail import Trail
from dicomnode.config import Audit
from dicomnode.errors import LedgerUnavailable
from dicomnode.log import Pseudonyms, Scrub

log = structlog.get_logger(__name__)

WAITING = 10_000  # events that could not be written yet, as on a full disk
AGAIN_S = 1.0


class Auditor:
    """Writes events to the trail, with pseudonyms unless the site wants identities.

    Args:
        trail: that they go to.
        pseudonyms: the same as the log's.
        source_id: AE title of this node.
        settings: of the configuration.
    """

    def __init__(self, trail: Trail, pseudonyms: Pseudonyms, source_id: str, settings: Audit) -> None:
        self._trail = trail
        self._pseudonyms = pseudonyms
        self._scrub = Scrub(pseudonyms)
        self._source_id = source_id
        self._settings = settings

    def write(self, event: Event) -> None:
        """Write an event; when this returns, it is on disk.

        Raises:
            OSError: the disk refuses.
            LedgerUnavailable: it is written, and the ledger could not be told.
        """
        if not self._settings.identities:
            event = pseudonymous(event, self._pseudonyms.of, lambda text: str(self._scrub.clean(text)))
        text = audit_message(event, source_id=self._source_id, site=self._settings.site)
        self._trail.append(text, datetime.now(UTC))


class AuditQueue:
    """Takes events without making anybody wait, and has them written in order.

    Args:
        auditor: who writes.
        on_trouble: is told once for each time that nothing can be written, in words.
    """

    def __init__(self, auditor: Auditor, on_trouble: Callable[[str], None]) -> None:
        self._auditor = auditor
        self._on_trouble = on_trouble
        self._waiting: queue.Queue[Event | None] = queue.Queue(WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="audit", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Take an event; where too many wait, it is lost with a line in the log."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            log.exception("an audit event is lost: too many wait for the disk", kind=event.kind.name)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, for so long at most."""
        self._closing.set()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            log.exception("audit events are lost: the disk takes none, and the node stops")
        self._thread.join(timeout_s)

    def _write_all(self) -> None:
        while (event := self._waiting.get()) is not None:
            in_trouble = False
            while not self._is_written(event):
                if not in_trouble:
                    self._on_trouble("the audit cannot be written; its events wait")
                in_trouble = True
                if self._closing.wait(AGAIN_S):
                    log.error("audit events are lost: they cannot be written, and the node stops")
                    return

    def _is_written(self, event: Event) -> bool:
        try:
            self._auditor.write(event)
        except LedgerUnavailable as error:
            log.warning("the ledger could not be told of an audit record", reason=str(error))
        except OSError as error:
            log.error("the audit cannot be written", reason=error.strerror)  # noqa: TRY400 (the place says nothing)
            return False
        return True
