"""The rows of received instances, digested and written after their files and in groups, by one thread.

The file is the promise: a row that a crash takes away is written again at the next start (`adoption`). One commit for
each instance would sync the disk once more for each; so rows wait for a moment and go into the ledger together.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from dicomnode.errors import LedgerUnavailable, NodeError
from dicomnode.ledger import Ledger
from dicomnode.records import Arrived, ReceivedInstance, Repeated, StructureSetSummary

log = structlog.get_logger(__name__)

GATHER_S = 0.1  # for how long rows wait for each other
RETRY_S = 1.0  # until the next try, where the ledger cannot be used
MOST_WAITING = 1000  # rows in memory; then instances are refused until the ledger can be used again


class Registrar:
    """Takes rows at once and writes them soon; what it has taken can be asked for from then on.

    Args:
        ledger: where the rows go.
        digest_of: returns the SHA-256 of a kept file's data set: no peer waits for it.
    """

    def __init__(self, ledger: Ledger, digest_of: Callable[[str], str]) -> None:
        self._ledger = ledger
        self._digest_of = digest_of
        self._changed = threading.Condition()
        self._waiting: list[Arrived | Repeated] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registrar", daemon=True)
        self._thread.start()

    def find_instance(self, sop_instance_uid: str) -> ReceivedInstance | None:
        """Return the instance of this UID, if there is one, its row written or not.

        Raises:
            LedgerUnavailable: it cannot be asked, or too many rows wait for it.
        """
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                raise LedgerUnavailable(f"{len(self._waiting)} rows wait for the ledger")
            for row in reversed(self._waiting):
                if isinstance(row, Arrived) and row.instance.sop_instance_uid == sop_instance_uid:
                    return row.instance
        return self._ledger.find_instance(sop_instance_uid)

    def note_instance(self, instance: ReceivedInstance) -> None:
        """Remember a new instance."""
        self._take(Arrived(instance))

    def note_structure_set(self, instance: ReceivedInstance, summary: StructureSetSummary) -> None:
        """Remember an RT Structure Set that came in."""
        self._take(Arrived(instance, summary))

    def note_repeat(self, sop_instance_uid: str, received: datetime, wanted: ReceivedInstance | None = None) -> None:
        """Remember that the same instance came again; as `Arrivals.note_repeat`."""
        self._take(Repeated(sop_instance_uid, received, wanted))

    def note_conflict(self, instance: ReceivedInstance) -> int:
        """Remember an instance that is kept apart, at once; return the number of the conflict."""
        return self._ledger.note_conflict(instance)

    def raise_alarm(self, kind: str, text: str, about: str = "") -> None:
        """Tell the operator, at once."""
        self._ledger.raise_alarm(kind, text, about)

    def has_waiting(self, series_instance_uid: str) -> bool:
        """Whether slices of a series are here whose rows are not in the ledger yet."""
        with self._changed:
            return any(
                isinstance(row, Arrived) and row.instance.series_instance_uid == series_instance_uid
                for row in self._waiting
            )

    def settle(self, longest_s: float) -> bool:
        """Wait until every row that was taken is in the ledger; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout=longest_s)

    def close(self) -> None:
        """Write what waits and end; what cannot be written now has its file, and gets its row at the next start."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join()

    def _take(self, row: Arrived | Repeated) -> None:
        with self._changed:
            self._waiting.append(row)
            self._changed.notify_all()

    def _run(self) -> None:
        while self._wait_for_rows():
            with self._changed:
                rows = tuple(self._waiting)
            try:
                self._write(self._digested(rows))
            except LedgerUnavailable as error:
                log.warning("rows wait for the ledger", rows=len(rows), reason=str(error))
                if self._closing.wait(RETRY_S):
                    return
                continue
            with self._changed:
                del self._waiting[: len(rows)]
                self._changed.notify_all()

    def _digested(self, rows: Sequence[Arrived | Repeated]) -> list[Arrived | Repeated]:
        """Return the rows with the digests of their files; where a file cannot be read, the next start sees to it."""
        found: list[Arrived | Repeated] = []
        for row in rows:
            if isinstance(row, Repeated) or row.instance.sha256:
                found.append(row)
                continue
            try:
                digest = self._digest_of(row.instance.path)
            except NodeError as error:
                log.error("a row has no file to digest", error=str(error))  # noqa: TRY400 (its traceback has values)
                continue
            found.append(replace(row, instance=replace(row.instance, sha256=digest)))
        return found

    def _wait_for_rows(self) -> bool:
        """Wait until there are rows, and a moment for more; return whether there are any."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closing.is_set())
        self._closing.wait(GATHER_S)
        return bool(self._waiting)

    def _write(self, rows: Sequence[Arrived | Repeated]) -> None:
        """Write rows in one transaction; if one of them cannot be written, the others are.

        Raises:
            LedgerUnavailable: none can be written now.
        """
        try:
            self._ledger.note_arrivals(rows)
        except LedgerUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 (see below)
            # A row that we did not think of must not keep all others out; its file gets it at the next start.
            if len(rows) == 1:
                # Without its traceback, which has the values.
                log.error("a row could not be written", error=type(error).__name__)  # noqa: TRY400
                return
            for row in rows:
                self._write([row])
