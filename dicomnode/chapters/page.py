"""What every chapter of the ledger shares: its transactions, its clock, and how a row becomes a value."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from dicomnode.errors import LedgerUnavailable, NotFound
from dicomnode.records import (
    AlarmRecord,
    ApprovalRecord,
    ApprovalState,
    CommitmentRequest,
    ConflictRecord,
    DeliveryRecord,
    DeliveryState,
    Order,
    Proof,
    ReceivedInstance,
    ResultRecord,
    SeriesRecord,
)
from dicomnode.series import State, advance
from dicomnode.tables import series, take_turn

Enqueue = Callable[[sa.Connection, Order], None]
"""Puts work into the durable engine within the transaction of the row that calls for it."""

AlarmListener = Callable[[AlarmRecord], None]

Record = TypeVar(
    "Record",
    ReceivedInstance,
    SeriesRecord,
    ResultRecord,
    DeliveryRecord,
    ConflictRecord,
    AlarmRecord,
    CommitmentRequest,
    ApprovalRecord,
)
_FROM_COLUMN: dict[str, Callable[[Any], Any]] = {"reasons": tuple, "not_found": tuple, "notes": tuple}


def record_of(kind: type[Record], row: sa.RowMapping) -> Record:
    """Return a row as the value that it is."""
    values = {field.name: _FROM_COLUMN.get(field.name, lambda value: value)(row[field.name]) for field in fields(kind)}
    if kind is SeriesRecord:
        values |= {"state": State(values["state"]), "before": State(values["before"]) if values["before"] else None}
    elif kind is DeliveryRecord:
        values |= {"state": DeliveryState(values["state"]), "proof": Proof(values["proof"])}
    elif kind is ApprovalRecord:
        values["state"] = ApprovalState(values["state"])
    elif kind is CommitmentRequest:
        values["references"] = tuple((sop_class, instance) for sop_class, instance in values["references"])
    return kind(**values)


class Page:
    """An open ledger; the chapters write on it.

    Args:
        engine: of `tables.open_database`, with the tables in place.
        enqueue: puts work beside a row; a reader of the ledger, as `status` is, has none.
        on_alarm: is told of each alarm once it is committed.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        enqueue: Enqueue | None = None,
        on_alarm: AlarmListener | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._on_alarm = on_alarm
        self._now = clock
        driver = engine.dialect.loaded_dbapi
        self._out_of_use = (
            *(sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError),
            *(driver.OperationalError, driver.InterfaceError),
        )

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with self._usable(), self._engine.begin() as connection:
            take_turn(connection)
            yield connection

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except self._out_of_use as error:
            raise LedgerUnavailable(f"the ledger cannot be used: {type(error.__cause__ or error).__name__}") from error

    def _order(self, connection: sa.Connection, order: Order) -> None:
        if self._enqueue is None:
            raise RuntimeError("this ledger was opened for reading")
        self._enqueue(connection, order)

    def _series(self, connection: sa.Connection, series_id: int) -> SeriesRecord:
        row = connection.execute(sa.select(series).where(series.c.id == series_id)).mappings().first()
        if row is None:
            raise NotFound(f"there is no series {series_id}")
        return record_of(SeriesRecord, row)

    def _move(self, connection: sa.Connection, series_id: int, to: State, **values: object) -> SeriesRecord:
        record = self._series(connection, series_id)
        if record.state is not to:
            advance(record.state, to)
        connection.execute(sa.update(series).where(series.c.id == series_id).values(state=to, **values))
        return self._series(connection, series_id)
