"""Structure sets that came in to be learnt from, on their way to a case."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import uuid4

import sqlalchemy as sa

from dicomnode.chapters.page import Page, record_of
from dicomnode.errors import NotFound
from dicomnode.records import ApprovalOrder, ApprovalRecord, ApprovalState, ReceivedInstance
from dicomnode.tables import alarms, approvals, instances, patients

PSEUDONYM_DIGITS = 12
FORGOTTEN = "its case was forgotten"
IN_HAND = (ApprovalState.PENDING, ApprovalState.LOOKING)  # of the engine


class Approvals(Page):
    """The chapter of the approvals, and of the pseudonyms by which patients are known to learning."""

    def approval(self, approval_id: int) -> ApprovalRecord:
        """Return one approval.

        Raises:
            NotFound: there is none of this number.
        """
        with self._begin() as connection:
            return self._approval(connection, approval_id)

    def approvals(self, *states: ApprovalState) -> list[ApprovalRecord]:
        """Return the approvals in any of these states (in all, if none is named), oldest first."""
        wanted = sa.select(approvals).order_by(approvals.c.id)
        if states:
            wanted = wanted.where(approvals.c.state.in_(states))
        with self._begin() as connection:
            return [record_of(ApprovalRecord, row) for row in connection.execute(wanted).mappings()]

    def approval_ids(self) -> set[int]:
        """Return the numbers of all approvals."""
        with self._begin() as connection:
            return set(connection.execute(sa.select(approvals.c.id)).scalars())

    def filed_on(self, ct_series_uid: str) -> list[ApprovalRecord]:
        """Return the approvals on a CT of which cases were made, oldest first."""
        wanted = sa.select(approvals).where(
            approvals.c.ct_series_uid == ct_series_uid, approvals.c.state == ApprovalState.FILED
        )
        with self._begin() as connection:
            rows = connection.execute(wanted.order_by(approvals.c.id)).mappings()
            return [record_of(ApprovalRecord, row) for row in rows]

    def note_looking(self, approval_id: int) -> None:
        """Remember that a structure set is being looked at: what is of its patient is not forgotten meanwhile."""
        with self._begin() as connection:
            mine = sa.update(approvals).where(approvals.c.id == approval_id)
            connection.execute(mine.values(state=ApprovalState.LOOKING))

    def note_waiting(self, approval_id: int, reason: str, ct_series_uid: str, *, delay: timedelta) -> None:
        """Remember why a structure set cannot become a case yet, and order the next look."""
        with self._begin() as connection:
            record = self._approval(connection, approval_id)
            self._order_approval(
                connection, record, delay, state=ApprovalState.WAITING, reasons=[reason], ct_series_uid=ct_series_uid
            )

    def note_filed(self, approval_id: int, case_name: str, patient: str, ct_series_uid: str, reviewed: str) -> None:
        """Remember which case a structure set became."""
        values = {"case_name": case_name, "patient": patient, "ct_series_uid": ct_series_uid, "reviewed": reviewed}
        self._end_approval(approval_id, ApprovalState.FILED, (), **values)

    def note_not_taken(self, approval_id: int, reasons: Iterable[str]) -> None:
        """Remember why nothing is learnt from a structure set."""
        self._end_approval(approval_id, ApprovalState.NOT_TAKEN, reasons)

    def note_approval_failed(self, approval_id: int, reason: str) -> None:
        """Remember that the node could not make a case of a structure set."""
        self._end_approval(approval_id, ApprovalState.FAILED, [reason])

    def note_lost(self, record: ApprovalRecord, reason: str) -> bool:
        """Remember that the engine gave an approval up; return whether nothing had become of it meanwhile."""
        mine = (approvals.c.id == record.id) & (approvals.c.attempt == record.attempt) & approvals.c.state.in_(IN_HAND)
        values = {"state": ApprovalState.FAILED, "reasons": [reason], "finished": self._now(), "next_attempt": None}
        with self._begin() as connection:
            return connection.execute(sa.update(approvals).where(mine).values(**values)).rowcount > 0

    def order_again(self, approval_id: int) -> None:
        """Have a structure set looked at once more, whatever became of it."""
        with self._begin() as connection:
            self._order_approval(connection, self._approval(connection, approval_id), timedelta())

    def pseudonym_of(self, identity: str) -> str:
        """Return the pseudonym of a patient; a new one is drawn at random, so that nothing leads back without this row.

        Args:
            identity: keyed digest of the Patient ID.
        """
        known = sa.select(patients.c.pseudonym).where(patients.c.identity == identity)
        with self._begin() as connection:
            if (found := connection.execute(known).scalar()) is not None:
                return str(found)
            drawn = uuid4().hex[:PSEUDONYM_DIGITS]
            connection.execute(sa.insert(patients).values(identity=identity, pseudonym=drawn))
            return drawn

    def find_pseudonym(self, identity: str) -> str | None:
        """Return the pseudonym of a patient, if there is one."""
        with self._begin() as connection:
            known = sa.select(patients.c.pseudonym).where(patients.c.identity == identity)
            return connection.execute(known).scalar()

    def forget_pseudonym(self, pseudonym: str) -> bool:
        """Forget whose pseudonym this was; its structure sets stay and are not learnt from again.

        Returns:
            False where a structure set is just being looked at, which may be the patient's.
        """
        with self._begin() as connection:
            looking = sa.select(approvals.c.id).where(approvals.c.state == ApprovalState.LOOKING)
            if connection.execute(looking).first() is not None:
                return False
            nothing = {"state": ApprovalState.NOT_TAKEN, "reasons": [FORGOTTEN], "patient": "", "case_name": ""}
            connection.execute(sa.update(approvals).where(approvals.c.patient == pseudonym).values(**nothing))
            connection.execute(sa.delete(patients).where(patients.c.pseudonym == pseudonym))
            names = f"{pseudonym}-"
            mine = sa.or_(alarms.c.about.startswith(names), alarms.c.text.contains(names))
            connection.execute(sa.delete(alarms).where(mine))
        return True

    def images_of(self, series_instance_uid: str, sop_class_uid: str) -> list[ReceivedInstance]:
        """Return the instances of a series and a class, whatever the rules say that they are for."""
        wanted = sa.select(instances).where(
            instances.c.series_instance_uid == series_instance_uid, instances.c.sop_class_uid == sop_class_uid
        )
        with self._begin() as connection:
            rows = connection.execute(wanted.order_by(instances.c.sop_instance_uid)).mappings()
            return [record_of(ReceivedInstance, row) for row in rows]

    def _approval(self, connection: sa.Connection, approval_id: int) -> ApprovalRecord:
        row = connection.execute(sa.select(approvals).where(approvals.c.id == approval_id)).mappings().first()
        if row is None:
            raise NotFound(f"there is no approval {approval_id}")
        return record_of(ApprovalRecord, row)

    def _end_approval(self, approval_id: int, state: ApprovalState, reasons: Iterable[str], **values: object) -> None:
        with self._begin() as connection:
            connection.execute(
                sa.update(approvals)
                .where(approvals.c.id == approval_id)
                .values(state=state, reasons=list(reasons), finished=self._now(), next_attempt=None, **values)
            )

    def _open_approval(self, connection: sa.Connection, instance: ReceivedInstance) -> None:
        """Order a structure set that has just come to be looked at."""
        new = sa.insert(approvals).values(
            sop_instance_uid=instance.sop_instance_uid,
            state=ApprovalState.PENDING,
            attempt=1,
            reasons=[],
            ct_series_uid="",
            reviewed="",
            patient="",
            case_name="",
            received=instance.received,
            next_attempt=instance.received,
        )
        approval_id = int(connection.execute(new.returning(approvals.c.id)).scalar_one())
        self._order(connection, ApprovalOrder(approval_id, 1, 0.0))

    def _open_again(self, connection: sa.Connection, sop_instance_uid: str) -> None:
        """Have a structure set looked at anew, as its content is another now; nothing if it is none to learn from."""
        wanted = sa.select(approvals).where(approvals.c.sop_instance_uid == sop_instance_uid)
        if (row := connection.execute(wanted).mappings().first()) is not None:
            self._order_approval(connection, record_of(ApprovalRecord, row), timedelta())

    def _wake_approvals(self, connection: sa.Connection, series_instance_uid: str) -> None:
        """Have the structure sets that wait for a CT looked at, now that it is whole."""
        waiting = sa.select(approvals).where(
            approvals.c.ct_series_uid == series_instance_uid, approvals.c.state == ApprovalState.WAITING
        )
        for row in connection.execute(waiting).mappings().all():
            self._order_approval(connection, record_of(ApprovalRecord, row), timedelta())

    def _order_approval(
        self, connection: sa.Connection, record: ApprovalRecord, delay: timedelta, **values: object
    ) -> None:
        attempt = record.attempt + 1
        changed = {"state": ApprovalState.PENDING, "reasons": [], "finished": None} | values
        connection.execute(
            sa.update(approvals)
            .where(approvals.c.id == record.id)
            .values(attempt=attempt, next_attempt=self._now() + delay, **changed)
        )
        self._order(connection, ApprovalOrder(record.id, attempt, delay.total_seconds()))
