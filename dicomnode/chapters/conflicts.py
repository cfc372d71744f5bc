"""Instances that came under a known UID with other content, until the operator decides."""

from dataclasses import asdict

import sqlalchemy as sa

from dicomnode.chapters.arrivals import Arrivals
from dicomnode.chapters.page import record_of
from dicomnode.errors import NotFound
from dicomnode.records import ConflictRecord, ReceivedInstance
from dicomnode.tables import conflicts, instances


class Conflicts(Arrivals):
    """The chapter of what contradicts."""

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

    def conflicts(self) -> list[ConflictRecord]:
        """Return the conflicts that wait for the operator."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(conflicts).where(conflicts.c.decision == "").order_by(conflicts.c.id)
            ).mappings()
            return [record_of(ConflictRecord, row) for row in rows]

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
                self._open_again(connection, instance.sop_instance_uid)
