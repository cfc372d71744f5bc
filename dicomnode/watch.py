"""What the daemon looks at again and again: series that went quiet, and work that was lost."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from dicomnode.errors import LedgerUnavailable
from dicomnode.examination import Examiner
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.records import SeriesRecord
from dicomnode.series import State, is_whole

log = structlog.get_logger(__name__)

OVERDUE = timedelta(minutes=10)  # longer than any attempt takes: its timeouts add up to less


class Watch:
    """One turn at a time; the time is an argument.

    Args:
        ledger: which series there are.
        examiner: decides what a quiet one needs.
        is_fed: whether an open association feeds a series, by its Series Instance UID.
        is_under_way: whether the durable engine still has a series' contouring before it or in hand.
        quiet: after which a series is whole.
        pseudonyms: by which the log speaks of a series.
    """

    def __init__(
        self,
        ledger: Ledger,
        examiner: Examiner,
        *,
        is_fed: Callable[[str], bool],
        is_under_way: Callable[[SeriesRecord], bool],
        quiet: timedelta,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._ledger = ledger
        self._examiner = examiner
        self._is_fed = is_fed
        self._is_under_way = is_under_way
        self._quiet = quiet
        self._pseudonyms = pseudonyms

    def step(self, now: datetime) -> bool:
        """Examine one series that is whole; return whether there was one."""
        for record in self._ledger.series_in(State.RECEIVING):
            is_fed = self._is_fed(record.series_instance_uid)
            if is_whole(is_fed=is_fed, last_received=record.last_received, now=now, quiet=self._quiet):
                self._examine(record)
                return True
        return False

    def _examine(self, record: SeriesRecord) -> None:
        try:
            self._examiner.examine(record)
        except LedgerUnavailable:
            raise
        except Exception as error:
            # A header that we did not think of must cost its own series, not the node.
            log.exception("a series could not be examined")
            text = f"the series could not be examined: {type(error).__name__}"
            self._ledger.hold(record.id, [text])
            name = self._pseudonyms.of(record.series_instance_uid)
            self._ledger.raise_alarm("failed", f"series {name}: {text}", name)

    def reconcile(self, now: datetime) -> None:
        """Give an end to work that the engine has lost or given up, and order overdue deliveries again."""
        for record in self._ledger.series_in(State.COMPLETE):
            if not self._is_under_way(record):
                text = "contouring was given up after it had ended the node repeatedly"
                self._ledger.fail(record.id, record.generation, text)
                name = self._pseudonyms.of(record.series_instance_uid)
                self._ledger.raise_alarm("failed", f"series {name}: {text}", name)
        for delivery in self._ledger.overdue_deliveries(now - OVERDUE):
            log.warning("a delivery is overdue and is ordered again", job=delivery.id)
            self._ledger.retry_delivery(delivery.id)
        for delivery in self._ledger.overdue_proofs(now - OVERDUE):
            self._ledger.ask_again(delivery.id, timedelta(), "")
        for request in self._ledger.overdue_commitments(now - OVERDUE):
            self._ledger.answer_commitment_later(request.id, timedelta())
