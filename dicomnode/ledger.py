"""What arrived, what became of it, what was delivered: one row each, and the work that a row calls for beside it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from dicomnode.errors import LedgerUnavailable, NotFound
from dicomnode.records import (
    AlarmRecord,
    ConflictRecord,
    ContouringOrder,
    DeliveryOrder,
    DeliveryRecord,
    DeliveryState,
    NewResult,
    ReceivedInstance,
    ResultRecord,
    SeriesRecord,
    StructureSetRecord,
    StructureSetSummary,
)
from dicomnode.series import State, advance
from dicomnode.tables import alarms, conflicts, deliveries, instances, results, series, structure_sets

Order = ContouringOrder | DeliveryOrder
Enqueue = Callable[[sa.Connection, Order], None]
"""Puts work into the durable engine within the transaction of the row that calls for it."""

AlarmListener = Callable[[AlarmRecord], None]

Record = TypeVar("Record", ReceivedInstance, SeriesRecord, ResultRecord, DeliveryRecord, ConflictRecord, AlarmRecord)
_FROM_COLUMN: dict[str, Callable[[Any], Any]] = {"reasons": tuple, "not_found": tuple, "notes": tuple}


def _record(kind: type[Record], row: sa.RowMapping) -> Record:
    values = {field.name: _FROM_COLUMN.get(field.name, lambda value: value)(row[field.name]) for field in fields(kind)}
    if kind is SeriesRecord:
        values |= {"state": State(values["state"]), "before": State(values["before"]) if values["before"] else None}
    elif kind is DeliveryRecord:
        values["state"] = DeliveryState(values["state"])
    return kind(**values)


class Ledger:
    """The node's memory, in SQLite or PostgreSQL.

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

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            raise LedgerUnavailable(f"the ledger cannot be used: {type(error.__cause__ or error).__name__}") from error

    def _order(self, connection: sa.Connection, order: Order) -> None:
        if self._enqueue is None:
            raise RuntimeError("this ledger was opened for reading")
        self._enqueue(connection, order)

    # What arrives

    def find_instance(self, sop_instance_uid: str) -> ReceivedInstance | None:
        """Return the instance of this UID, if there is one."""
        with self._begin() as connection:
            row = (
                connection.execute(sa.select(instances).where(instances.c.sop_instance_uid == sop_instance_uid))
                .mappings()
                .first()
            )
        return _record(ReceivedInstance, row) if row else None

    def note_instance(self, instance: ReceivedInstance) -> None:
        """Remember a new instance; one that is to be contoured opens its series, or opens it again."""
        with self._begin() as connection:
            connection.execute(sa.insert(instances).values(**asdict(instance), last_received=instance.received))
            if instance.action == "contour":
                self._receive(connection, instance)

    def note_repeat(self, sop_instance_uid: str, received: datetime) -> None:
        """Remember that the same instance came again: a series that is sent again whole is delivered again."""
        with self._begin() as connection:
            row = (
                connection.execute(
                    sa.update(instances)
                    .where(instances.c.sop_instance_uid == sop_instance_uid)
                    .values(last_received=received)
                    .returning(*instances.c)
                )
                .mappings()
                .first()
            )
            if row is not None and row["action"] == "contour":
                self._receive(connection, replace(_record(ReceivedInstance, row), received=received))

    def _receive(self, connection: sa.Connection, instance: ReceivedInstance) -> None:
        known = connection.execute(
            sa.select(series.c.id, series.c.state).where(series.c.series_instance_uid == instance.series_instance_uid)
        ).first()
        if known is None:
            connection.execute(
                sa.insert(series).values(
                    series_instance_uid=instance.series_instance_uid,
                    study_instance_uid=instance.study_instance_uid,
                    state=State.RECEIVING,
                    generation=0,
                    content="",
                    reasons=[],
                    released=False,
                    calling_ae_title=instance.calling_ae_title,
                    called_ae_title=instance.called_ae_title,
                    first_received=instance.received,
                    last_received=instance.received,
                )
            )
            return
        state = State(known.state)
        if state is not State.RECEIVING:
            advance(state, State.RECEIVING)
        connection.execute(
            sa.update(series)
            .where(series.c.id == known.id)
            .values(
                state=State.RECEIVING,
                before=series.c.before if state is State.RECEIVING else state,
                last_received=instance.received,
                calling_ae_title=instance.calling_ae_title,
                called_ae_title=instance.called_ae_title,
            )
        )

    def note_structure_set(self, instance: ReceivedInstance, summary: StructureSetSummary) -> None:
        """Remember an RT Structure Set that came in."""
        with self._begin() as connection:
            connection.execute(sa.insert(instances).values(**asdict(instance), last_received=instance.received))
            connection.execute(
                sa.insert(structure_sets).values(sop_instance_uid=instance.sop_instance_uid, **asdict(summary))
            )

    def note_conflict(self, instance: ReceivedInstance) -> int:
        """Remember an instance that is kept apart; the same content twice is one conflict. Return its number."""
        same = (conflicts.c.sop_instance_uid == instance.sop_instance_uid) & (conflicts.c.sha256 == instance.sha256)
        with self._begin() as connection:
            known = connection.execute(sa.select(conflicts.c.id).where(same)).scalar()
            if known is not None:
                connection.execute(sa.update(conflicts).where(same).values(path=instance.path, decision=""))
                return int(known)
            new = sa.insert(conflicts).values(**asdict(instance), decision="").returning(conflicts.c.id)
            return int(connection.execute(new).scalar_one())

    def known_paths(self) -> set[str]:
        """Return every file, relative to the data folder, that a row speaks of."""
        with self._begin() as connection:
            return {
                path
                for table in (instances, conflicts, results)
                for path in connection.execute(sa.select(table.c.path)).scalars()
            }

    # Series

    def series_in(self, *states: State) -> list[SeriesRecord]:
        """Return the series in any of these states (in all, if none is named), oldest first."""
        wanted = sa.select(series).order_by(series.c.id)
        if states:
            wanted = wanted.where(series.c.state.in_(states))
        with self._begin() as connection:
            return [_record(SeriesRecord, row) for row in connection.execute(wanted).mappings()]

    def series(self, series_id: int) -> SeriesRecord:
        """Return one series.

        Raises:
            NotFound: if there is none of this number.
        """
        with self._begin() as connection:
            return self._series(connection, series_id)

    def _series(self, connection: sa.Connection, series_id: int) -> SeriesRecord:
        row = connection.execute(sa.select(series).where(series.c.id == series_id)).mappings().first()
        if row is None:
            raise NotFound(f"there is no series {series_id}")
        return _record(SeriesRecord, row)

    def instances_of(self, series_instance_uid: str) -> list[ReceivedInstance]:
        """Return the instances of a series that are to be contoured."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(instances)
                .where(instances.c.series_instance_uid == series_instance_uid, instances.c.action == "contour")
                .order_by(instances.c.sop_instance_uid)
            ).mappings()
            return [_record(ReceivedInstance, row) for row in rows]

    def all_came_again(self, record: SeriesRecord) -> bool:
        """Whether every instance of the series was sent again after it was last taken to be whole."""
        if record.completed is None:
            return False
        with self._begin() as connection:
            missing = connection.execute(
                sa.select(sa.func.count()).where(
                    instances.c.series_instance_uid == record.series_instance_uid,
                    instances.c.action == "contour",
                    instances.c.last_received <= record.completed,
                )
            ).scalar_one()
        return missing == 0

    def _move(self, connection: sa.Connection, series_id: int, to: State, **values: object) -> SeriesRecord:
        record = self._series(connection, series_id)
        if record.state is not to:
            advance(record.state, to)
        connection.execute(sa.update(series).where(series.c.id == series_id).values(state=to, **values))
        return self._series(connection, series_id)

    def hold(self, series_id: int, reasons: Iterable[str], *, content: str | None = None) -> None:
        """Set a series aside with the reasons in words; the operator may release it where that makes sense."""
        values: dict[str, object] = {"reasons": list(reasons)}
        if content is not None:
            values |= {"content": content, "completed": self._now()}
        with self._begin() as connection:
            self._move(connection, series_id, State.HELD, released=False, **values)

    def complete(self, series_id: int, content: str, *, released: bool = False) -> SeriesRecord:
        """Take a series to be whole: a new generation, and the order to contour it, in one transaction."""
        with self._begin() as connection:
            generation = self._series(connection, series_id).generation + 1
            record = self._move(
                connection,
                series_id,
                State.COMPLETE,
                generation=generation,
                content=content,
                completed=self._now(),
                reasons=[],
                released=released,
            )
            self._order(connection, ContouringOrder(series_id, generation))
        return record

    def settle(self, series_id: int) -> None:
        """Put a series that was opened again and brought nothing new back to where its work has come to."""
        with self._begin() as connection:
            record = self._series(connection, series_id)
            if record.before in (State.HELD, State.FAILED):
                self._move(connection, series_id, record.before)
                return
            result_id = connection.execute(
                sa.select(results.c.id).where(
                    results.c.series_id == series_id, results.c.generation == record.generation
                )
            ).scalar()
            if result_id is None:
                self._move(connection, series_id, State.COMPLETE)
                return
            self._move(connection, series_id, State.CONTOURED)
            self._conclude(connection, int(result_id))

    def fail(self, series_id: int, generation: int, reason: str) -> None:
        """Remember that contouring this generation failed, unless a newer one is on its way."""
        with self._begin() as connection:
            record = self._series(connection, series_id)
            if record.generation == generation and record.state is State.COMPLETE:
                self._move(connection, series_id, State.FAILED, reasons=[reason])

    # Results and deliveries

    def find_result(self, sop_instance_uid: str) -> ResultRecord | None:
        """Return our structure set of this UID, if there is one."""
        with self._begin() as connection:
            row = (
                connection.execute(sa.select(results).where(results.c.sop_instance_uid == sop_instance_uid))
                .mappings()
                .first()
            )
        return _record(ResultRecord, row) if row else None

    def result(self, result_id: int) -> ResultRecord:
        """Return one structure set of ours.

        Raises:
            NotFound: if there is none of this number.
        """
        with self._begin() as connection:
            return self._result(connection, result_id)

    def _result(self, connection: sa.Connection, result_id: int) -> ResultRecord:
        row = connection.execute(sa.select(results).where(results.c.id == result_id)).mappings().first()
        if row is None:
            raise NotFound(f"there is no structure set {result_id}")
        return _record(ResultRecord, row)

    def results_of(self, series_id: int) -> list[ResultRecord]:
        """Return our structure sets of a series, oldest first."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(results).where(results.c.series_id == series_id).order_by(results.c.id)
            ).mappings()
            return [_record(ResultRecord, row) for row in rows]

    def note_result(self, new: NewResult, peers: Iterable[str]) -> ResultRecord:
        """Remember a structure set and order its deliveries, in one transaction.

        The UID is derived from content, model and settings, so the same UID is the same structure set: its row is kept
        and it is delivered again.
        """
        with self._begin() as connection:
            known = connection.execute(
                sa.select(results.c.id, results.c.generation).where(results.c.sop_instance_uid == new.sop_instance_uid)
            ).first()
            if known is None:
                new_row = sa.insert(results).values(**asdict(new)).returning(results.c.id)
                result_id = int(connection.execute(new_row).scalar_one())
            elif known.generation == new.generation:
                # The daemon was killed between this row and the engine's note of the step: all is ordered already.
                return self._result(connection, int(known.id))
            else:
                result_id = int(known.id)
                connection.execute(
                    sa.update(results).where(results.c.id == result_id).values(generation=new.generation)
                )
            record = self._series(connection, new.series_id)
            if record.generation == new.generation and record.state is State.COMPLETE:
                self._move(connection, new.series_id, State.CONTOURED)
            self._order_deliveries(connection, result_id, peers)
            return self._result(connection, result_id)

    def deliver_again(self, result_id: int, peers: Iterable[str]) -> None:
        """Order new deliveries of a structure set that is on disk."""
        with self._begin() as connection:
            record = self._result(connection, result_id)
            owner = self._series(connection, record.series_id)
            if owner.state is not State.COMPLETE:
                self._move(connection, owner.id, State.CONTOURED, completed=self._now())
                connection.execute(
                    sa.update(results).where(results.c.id == result_id).values(generation=owner.generation)
                )
            self._order_deliveries(connection, result_id, peers)

    def _order_deliveries(self, connection: sa.Connection, result_id: int, peers: Iterable[str]) -> None:
        waiting = set(
            connection.execute(
                sa.select(deliveries.c.peer).where(
                    deliveries.c.result_id == result_id, deliveries.c.state == DeliveryState.PENDING
                )
            ).scalars()
        )
        now = self._now()
        for peer in peers:
            if peer in waiting:
                continue
            delivery_id = connection.execute(
                sa.insert(deliveries)
                .values(
                    result_id=result_id,
                    peer=peer,
                    state=DeliveryState.PENDING,
                    attempts=0,
                    permanent_refusals=0,
                    detail="",
                    created=now,
                    next_attempt=now,
                )
                .returning(deliveries.c.id)
            ).scalar_one()
            self._order(connection, DeliveryOrder(int(delivery_id), attempt=1, delay_s=0.0))

    def delivery(self, delivery_id: int) -> DeliveryRecord:
        """Return one delivery.

        Raises:
            NotFound: if there is none of this number.
        """
        with self._begin() as connection:
            return self._delivery(connection, delivery_id)

    def _delivery(self, connection: sa.Connection, delivery_id: int) -> DeliveryRecord:
        row = connection.execute(sa.select(deliveries).where(deliveries.c.id == delivery_id)).mappings().first()
        if row is None:
            raise NotFound(f"there is no job {delivery_id}")
        return _record(DeliveryRecord, row)

    def deliveries(self, *states: DeliveryState, result_id: int | None = None) -> list[DeliveryRecord]:
        """Return the deliveries in any of these states (in all, if none is named), oldest first."""
        wanted = sa.select(deliveries).order_by(deliveries.c.id)
        if states:
            wanted = wanted.where(deliveries.c.state.in_(states))
        if result_id is not None:
            wanted = wanted.where(deliveries.c.result_id == result_id)
        with self._begin() as connection:
            return [_record(DeliveryRecord, row) for row in connection.execute(wanted).mappings()]

    def note_sent(self, delivery_id: int, status: int, detail: str) -> None:
        """Remember that the peer has the structure set; the series is sent once every peer has its newest one."""
        self._finish(delivery_id, DeliveryState.SENT, status, detail, refused=False)

    def note_given_up(self, delivery_id: int, status: int | None, detail: str, *, refused: bool) -> None:
        """Remember that a delivery is set aside for the operator."""
        self._finish(delivery_id, DeliveryState.DEAD, status, detail, refused=refused)

    def _finish(
        self, delivery_id: int, state: DeliveryState, status: int | None, detail: str, *, refused: bool
    ) -> None:
        with self._begin() as connection:
            record = self._delivery(connection, delivery_id)
            if record.state is not DeliveryState.PENDING:
                return
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery_id)
                .values(
                    state=state,
                    attempts=record.attempts + 1,
                    permanent_refusals=record.permanent_refusals + refused,
                    status=status,
                    detail=detail,
                    next_attempt=None,
                    finished=self._now(),
                )
            )
            self._conclude(connection, record.result_id)

    def note_retry(self, delivery_id: int, status: int | None, detail: str, *, delay: timedelta, refused: bool) -> None:
        """Remember a failed attempt and order the next, in one transaction: the wake-up time survives a restart."""
        with self._begin() as connection:
            record = self._delivery(connection, delivery_id)
            if record.state is not DeliveryState.PENDING:
                return
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery_id)
                .values(
                    attempts=record.attempts + 1,
                    permanent_refusals=record.permanent_refusals + refused,
                    status=status,
                    detail=detail,
                    next_attempt=self._now() + delay,
                )
            )
            self._order(
                connection, DeliveryOrder(delivery_id, attempt=record.attempts + 2, delay_s=delay.total_seconds())
            )

    def overdue_deliveries(self, since: datetime) -> list[DeliveryRecord]:
        """Return the deliveries whose next attempt should have been made before `since` and was not."""
        return [
            record
            for record in self.deliveries(DeliveryState.PENDING)
            if record.next_attempt is not None and record.next_attempt < since
        ]

    def retry_delivery(self, delivery_id: int) -> None:
        """Order an attempt now, whatever was given up or waits.

        Raises:
            NotFound: if there is no such delivery.
        """
        with self._begin() as connection:
            record = self._delivery(connection, delivery_id)
            attempts = record.attempts + 1  # so that the order's number is new
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery_id)
                .values(
                    state=DeliveryState.PENDING,
                    attempts=attempts,
                    permanent_refusals=0,
                    created=self._now(),
                    next_attempt=self._now(),
                    finished=None,
                )
            )
            result_row = connection.execute(
                sa.select(results.c.series_id).where(results.c.id == record.result_id)
            ).scalar_one()
            current = self._series(connection, int(result_row))
            if current.state in (State.UNDELIVERED, State.SENT):
                self._move(connection, current.id, State.CONTOURED)
            self._order(connection, DeliveryOrder(delivery_id, attempt=attempts + 1, delay_s=0.0))

    def cancel_delivery(self, delivery_id: int) -> None:
        """Give a delivery up in the operator's name.

        Raises:
            NotFound: if there is no such delivery, or it is over.
        """
        with self._begin() as connection:
            record = self._delivery(connection, delivery_id)
            if record.state is not DeliveryState.PENDING:
                raise NotFound(f"job {delivery_id} is {record.state}: there is nothing to cancel")
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery_id)
                .values(
                    state=DeliveryState.CANCELLED,
                    next_attempt=None,
                    finished=self._now(),
                    detail="cancelled by the operator",
                )
            )
            self._conclude(connection, record.result_id)

    def _conclude(self, connection: sa.Connection, result_id: int) -> None:
        """Give the series its end state once nothing is on its way any more."""
        owner = connection.execute(sa.select(results).where(results.c.id == result_id)).mappings().one()
        record = self._series(connection, owner["series_id"])
        if record.state not in (State.CONTOURED, State.UNDELIVERED) or record.generation != owner["generation"]:
            return
        states = connection.execute(
            sa.select(deliveries.c.peer, deliveries.c.state)
            .where(deliveries.c.result_id == result_id)
            .order_by(deliveries.c.id)
        )
        last = {row.peer: DeliveryState(row.state) for row in states}  # of each peer its newest delivery
        if DeliveryState.PENDING in last.values():
            return
        everyone = all(state is DeliveryState.SENT for state in last.values())
        self._move(connection, record.id, State.SENT if everyone else State.UNDELIVERED)

    # What came back

    def structure_sets(self) -> list[StructureSetRecord]:
        """Return the RT Structure Sets that came in, newest first; `ours` are those that this node wrote."""
        wanted = (
            sa.select(
                *structure_sets.c,
                instances.c.path,
                instances.c.calling_ae_title,
                instances.c.received,
                results.c.id.is_not(None).label("ours"),
            )
            .join(instances, instances.c.sop_instance_uid == structure_sets.c.sop_instance_uid)
            .outerjoin(results, results.c.sop_instance_uid == structure_sets.c.sop_instance_uid)
            .order_by(instances.c.received.desc())
        )
        with self._begin() as connection:
            return [
                StructureSetRecord(**{**row, "ours": bool(row["ours"])})
                for row in connection.execute(wanted).mappings()
            ]

    def ignored_counts(self) -> dict[str, int]:
        """Return how many instances each rule had ignored."""
        wanted = (
            sa.select(instances.c.rule, sa.func.count())
            .where(instances.c.action == "ignore")
            .group_by(instances.c.rule)
        )
        with self._begin() as connection:
            return {rule: int(count) for rule, count in connection.execute(wanted)}

    # Conflicts

    def conflicts(self) -> list[ConflictRecord]:
        """Return the conflicts that wait for the operator."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(conflicts).where(conflicts.c.decision == "").order_by(conflicts.c.id)
            ).mappings()
            return [_record(ConflictRecord, row) for row in rows]

    def conflict(self, conflict_id: int) -> ConflictRecord:
        """Return one conflict that waits.

        Raises:
            NotFound: if there is none of this number, or it was decided.
        """
        for record in self.conflicts():
            if record.id == conflict_id:
                return record
        raise NotFound(f"there is no open conflict {conflict_id}")

    def decide_conflict(self, conflict_id: int, decision: str, instance: ReceivedInstance | None = None) -> None:
        """Remember the operator's decision; an accepted instance takes the place of the one that was there.

        Args:
            conflict_id: which.
            decision: "accepted" or "rejected".
            instance: the accepted one, where its bytes now lie.
        """
        with self._begin() as connection:
            connection.execute(sa.update(conflicts).where(conflicts.c.id == conflict_id).values(decision=decision))
            if instance is not None:
                connection.execute(
                    sa.update(instances)
                    .where(instances.c.sop_instance_uid == instance.sop_instance_uid)
                    .values(**asdict(instance), last_received=instance.received)
                )
                if instance.action == "contour":
                    self._receive(connection, instance)

    # Alarms

    def raise_alarm(self, kind: str, text: str, about: str = "") -> None:
        """Raise an alarm; an open one of the same kind about the same thing is counted up instead.

        Args:
            kind: a short stable word, as "conflict".
            text: a sentence for the operator, without patient identity.
            about: what it is about, as a pseudonym or a job number.
        """
        same = (alarms.c.kind == kind) & (alarms.c.about == about) & alarms.c.acknowledged.is_(None)
        with self._begin() as connection:
            row = (
                connection.execute(
                    sa.update(alarms).where(same).values(text=text, count=alarms.c.count + 1).returning(*alarms.c)
                )
                .mappings()
                .first()
            )
            if row is None:
                row = (
                    connection.execute(
                        sa.insert(alarms)
                        .values(kind=kind, text=text, about=about, raised=self._now(), count=1)
                        .returning(*alarms.c)
                    )
                    .mappings()
                    .one()
                )
            record = _record(AlarmRecord, row)
        if self._on_alarm is not None:
            self._on_alarm(record)

    def alarms(self) -> list[AlarmRecord]:
        """Return the alarms that nobody has acknowledged, oldest first."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(alarms).where(alarms.c.acknowledged.is_(None)).order_by(alarms.c.id)
            ).mappings()
            return [_record(AlarmRecord, row) for row in rows]

    def acknowledge(self, alarm_id: int) -> None:
        """Take an alarm off the list.

        Raises:
            NotFound: if no such alarm is open.
        """
        with self._begin() as connection:
            changed = connection.execute(
                sa.update(alarms)
                .where(alarms.c.id == alarm_id, alarms.c.acknowledged.is_(None))
                .values(acknowledged=self._now())
            )
        if changed.rowcount == 0:
            raise NotFound(f"there is no open alarm {alarm_id}")
