"""Our structure sets, and their way to the peers."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

import sqlalchemy as sa

from dicomnode.chapters.page import record_of
from dicomnode.chapters.progress import Progress
from dicomnode.errors import NotFound
from dicomnode.records import (
    DeliveryOrder,
    DeliveryRecord,
    DeliveryState,
    NewResult,
    Proof,
    ProofOrder,
    ResultRecord,
    ShadowOrder,
)
from dicomnode.series import State
from dicomnode.tables import deliveries, results, series

WITHHELD = (
    "contoured blind: the structure set is kept and sent to nobody, so that the physician draws from nothing;"
    " `series release` has it sent"
)
BEFORE_ITS_RESULTS = (State.COMPLETE, State.SENT, State.UNDELIVERED)  # the latter: another result was quicker


class Results(Progress):
    """The chapter of the structure sets that this node wrote."""

    def find_result(self, sop_instance_uid: str) -> ResultRecord | None:
        """Return our structure set of this UID, if there is one."""
        with self._begin() as connection:
            row = (
                connection.execute(sa.select(results).where(results.c.sop_instance_uid == sop_instance_uid))
                .mappings()
                .first()
            )
        return record_of(ResultRecord, row) if row else None

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
        return record_of(ResultRecord, row)

    def results_of(self, series_id: int) -> list[ResultRecord]:
        """Return our structure sets of a series, oldest first."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(results).where(results.c.series_id == series_id).order_by(results.c.id)
            ).mappings()
            return [record_of(ResultRecord, row) for row in rows]

    def note_result(self, new: NewResult, peers: Iterable[str]) -> ResultRecord:
        """Remember an instance and order its deliveries, in one transaction.

        The UID is derived from content, model and settings, so the same UID is the same instance: its row is kept and
        it is delivered again. A series may give several; it is sent once every one of them is, and blind where nobody
        gets any of them.

        Args:
            new: what is known of the instance.
            peers: AE titles; none where the series is contoured blind.
        """
        peers = tuple(peers)
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
            if record.generation == new.generation and record.state in BEFORE_ITS_RESULTS:
                if peers:
                    self._move(connection, new.series_id, State.CONTOURED)
                else:
                    self._move(connection, new.series_id, State.BLIND, reasons=[WITHHELD])
            self._order_deliveries(connection, result_id, peers)
            return self._result(connection, result_id)

    def deliver_again(self, result_id: int, peers: Iterable[str]) -> None:
        """Order new deliveries of a structure set that is on disk."""
        with self._begin() as connection:
            record = self._result(connection, result_id)
            owner = self._series(connection, record.series_id)
            if owner.state is not State.COMPLETE:
                self._move(connection, owner.id, State.CONTOURED, completed=self._now(), reasons=[])
                connection.execute(
                    sa.update(results).where(results.c.id == result_id).values(generation=owner.generation)
                )
            self._order_deliveries(connection, result_id, peers)

    def settle(self, series_id: int) -> None:
        """Put a series that was opened again and brought nothing new back to where its work has come to."""
        with self._begin() as connection:
            record = self._series(connection, series_id)
            self._wake_approvals(connection, record.series_instance_uid)
            if record.before in (State.HELD, State.BLIND, State.FAILED):
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
            if (
                connection.execute(sa.select(deliveries.c.id).where(deliveries.c.result_id == result_id)).first()
                is None
            ):
                self._move(connection, series_id, State.BLIND, reasons=[WITHHELD])
                return
            self._move(connection, series_id, State.CONTOURED)
            self._conclude(connection, int(result_id))

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
                    proof=Proof.NONE,
                    proof_attempts=0,
                )
                .returning(deliveries.c.id)
            ).scalar_one()
            self._order(connection, DeliveryOrder(int(delivery_id), attempt=1, delay_s=0.0))

    def _conclude(self, connection: sa.Connection, result_id: int) -> None:
        """Give the series its end state once nothing is on its way any more."""
        owner = connection.execute(sa.select(results).where(results.c.id == result_id)).mappings().one()
        record = self._series(connection, owner["series_id"])
        if record.state not in (State.CONTOURED, State.UNDELIVERED) or record.generation != owner["generation"]:
            return
        states = connection.execute(
            sa.select(deliveries.c.result_id, deliveries.c.peer, deliveries.c.state)
            .join(results, results.c.id == deliveries.c.result_id)
            .where(results.c.series_id == record.id, results.c.generation == record.generation)
            .order_by(deliveries.c.id)
        )
        # Of each result and peer the newest delivery.
        last = {(row.result_id, row.peer): DeliveryState(row.state) for row in states}
        if DeliveryState.PENDING in last.values():
            return
        everyone = all(state is DeliveryState.SENT for state in last.values())
        self._move(connection, record.id, State.SENT if everyone else State.UNDELIVERED)


class Outbox(Results):
    """The chapter of their deliveries."""

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
        return record_of(DeliveryRecord, row)

    def deliveries(self, *states: DeliveryState, result_id: int | None = None) -> list[DeliveryRecord]:
        """Return the deliveries in any of these states (in all, if none is named), oldest first."""
        wanted = sa.select(deliveries).order_by(deliveries.c.id)
        if states:
            wanted = wanted.where(deliveries.c.state.in_(states))
        if result_id is not None:
            wanted = wanted.where(deliveries.c.result_id == result_id)
        with self._begin() as connection:
            return [record_of(DeliveryRecord, row) for row in connection.execute(wanted).mappings()]

    def first_delivery_of(self, patient: str) -> datetime | None:
        """Return when a structure set of a patient was first ordered to be sent to anybody; None if none was.

        Args:
            patient: keyed digest of the Patient ID.
        """
        wanted = (
            sa.select(sa.func.min(deliveries.c.created))
            .join(results, results.c.id == deliveries.c.result_id)
            .join(series, series.c.id == results.c.series_id)
            .where(series.c.patient == patient)
        )
        with self._begin() as connection:
            return connection.execute(wanted).scalar()

    def note_sent(
        self, delivery_id: int, status: int, detail: str, *, prove: bool = False, then: Iterable[ShadowOrder] = ()
    ) -> None:
        """Remember that the peer has the structure set; the series is sent once every peer has its newest one.

        Args:
            delivery_id: which delivery.
            status: of the C-STORE response.
            detail: what came of it, in words.
            prove: order that the peer be asked whether it has kept it, in the same transaction.
            then: what else follows, likewise.
        """
        with self._begin() as connection:
            record = self._delivery(connection, delivery_id)
            if record.state is not DeliveryState.PENDING:
                return
            self._finish(connection, record, DeliveryState.SENT, status, detail)
            for order in then:
                self._order(connection, order)
            values = {
                "proof": Proof.AWAITED if prove else Proof.ACCEPTED,
                "next_attempt": self._now() if prove else None,
            }
            connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery_id).values(**values))
            if prove:
                self._order(connection, ProofOrder(delivery_id, record.proof_attempts + 1, delay_s=0.0))

    def note_given_up(self, delivery_id: int, status: int | None, detail: str, *, refused: bool) -> None:
        """Remember that a delivery is set aside for the operator."""
        with self._begin() as connection:
            record = self._delivery(connection, delivery_id)
            if record.state is DeliveryState.PENDING:
                self._finish(connection, record, DeliveryState.DEAD, status, detail, refused=refused)

    def _finish(
        self,
        connection: sa.Connection,
        record: DeliveryRecord,
        state: DeliveryState,
        status: int | None,
        detail: str,
        *,
        refused: bool = False,
    ) -> None:
        connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.id == record.id)
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
                    proof=Proof.NONE,
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
