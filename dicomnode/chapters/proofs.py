"""What is known of the peers' having kept what was delivered, and how they are asked."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from dicomnode.chapters.outbox import Outbox
from dicomnode.records import DeliveryRecord, DeliveryState, Proof, ProofOrder
from dicomnode.series import State
from dicomnode.tables import commitments, deliveries


class Proofs(Outbox):
    """The chapter of the proofs of delivery."""

    def begin_commitment(self, transaction_uid: str, delivery_id: int) -> None:
        """Remember under which transaction a peer is asked, before it is: the answer may come at any time."""
        with self._begin() as connection:
            row = {"transaction_uid": transaction_uid, "delivery_id": delivery_id, "asked": self._now()}
            connection.execute(sa.insert(commitments).values(**row))

    def delivery_of_commitment(self, transaction_uid: str) -> DeliveryRecord | None:
        """Return the delivery that a transaction is about, None if no peer was asked under it."""
        with self._begin() as connection:
            delivery_id = connection.execute(
                sa.select(commitments.c.delivery_id).where(commitments.c.transaction_uid == transaction_uid)
            ).scalar()
            return None if delivery_id is None else self._delivery(connection, int(delivery_id))

    def note_proof(self, delivery_id: int, proof: Proof, detail: str = "") -> bool:
        """Remember how asking for a proof ended; return whether that is news.

        A peer that says that it does not have what it had accepted makes the delivery one that was given up.
        """
        with self._begin() as connection:
            record = self._delivery(connection, delivery_id)
            if record.state is not DeliveryState.SENT or record.proof is not Proof.AWAITED:
                return False
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery_id)
                .values(
                    state=DeliveryState.DEAD if proof is Proof.REFUSED else DeliveryState.SENT,
                    proof=proof,
                    proof_attempts=record.proof_attempts + 1,  # so that the next order's number is new
                    next_attempt=None,
                    detail=detail or record.detail,
                )
            )
            if proof is Proof.REFUSED:
                self._reopen(connection, record.result_id)
            return True

    def _reopen(self, connection: sa.Connection, result_id: int) -> None:
        """Take the series' end state back, and give it the one that follows from its deliveries now."""
        series = self._series(connection, self._result(connection, result_id).series_id)
        if series.state is State.SENT:
            self._move(connection, series.id, State.CONTOURED)
        self._conclude(connection, result_id)

    def ask_again(self, delivery_id: int, delay: timedelta, detail: str) -> None:
        """Remember that a peer has not said yet, and order that it be asked again, in one transaction."""
        with self._begin() as connection:
            record = self._delivery(connection, delivery_id)
            if record.state is not DeliveryState.SENT or record.proof is not Proof.AWAITED:
                return
            attempts = record.proof_attempts + 1
            values = {
                "proof_attempts": attempts,
                "next_attempt": self._now() + delay,
                "detail": detail or record.detail,
            }
            connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery_id).values(**values))
            self._order(connection, ProofOrder(delivery_id, attempts + 1, delay.total_seconds()))

    def overdue_proofs(self, since: datetime) -> list[DeliveryRecord]:
        """Return the deliveries for whose proof the peer should have been asked before `since` and was not."""
        return [
            record
            for record in self.deliveries(DeliveryState.SENT)
            if record.proof is Proof.AWAITED and record.next_attempt is not None and record.next_attempt < since
        ]
