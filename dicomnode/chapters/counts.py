"""What the ledger counts, for the metrics."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from dicomnode.chapters.page import Page
from dicomnode.records import DeliveryState
from dicomnode.series import State
from dicomnode.tables import alarms, deliveries, series


class Counts(Page):
    """The chapter of the sums."""

    def series_counts(self) -> dict[State, int]:
        """Return how many series are in each state, zeros included."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(series.c.state, sa.func.count()).group_by(series.c.state))
            return dict.fromkeys(State, 0) | {State(state): int(count) for state, count in rows}

    def oldest_arrival(self, states: Collection[State]) -> datetime | None:
        """Return when the newest instance of that series came which waits longest in one of these states."""
        wanted = sa.select(series.c.last_received).where(series.c.state.in_(states)).order_by(series.c.last_received)
        with self._begin() as connection:
            return connection.execute(wanted.limit(1)).scalar()

    def delivery_counts(self) -> dict[DeliveryState, int]:
        """Return how many deliveries are in each state, zeros included."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(deliveries.c.state, sa.func.count()).group_by(deliveries.c.state))
            return dict.fromkeys(DeliveryState, 0) | {DeliveryState(state): int(count) for state, count in rows}

    def sent_after(self, when: datetime) -> list[tuple[datetime, datetime]]:
        """Return of each delivery that succeeded after a time when it was ordered and when it succeeded."""
        wanted = sa.select(deliveries.c.created, deliveries.c.finished).where(
            deliveries.c.state == DeliveryState.SENT, deliveries.c.finished > when
        )
        with self._begin() as connection:
            return [(created, finished) for created, finished in connection.execute(wanted)]

    def open_alarm_counts(self) -> dict[str, int]:
        """Return how many alarms of each kind nobody has acknowledged."""
        wanted = (
            sa.select(alarms.c.kind, sa.func.count()).where(alarms.c.acknowledged.is_(None)).group_by(alarms.c.kind)
        )
        with self._begin() as connection:
            return {kind: int(count) for kind, count in connection.execute(wanted)}
