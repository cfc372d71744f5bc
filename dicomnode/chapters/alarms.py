"""What a person must look at."""

import sqlalchemy as sa

from dicomnode.chapters.page import Page, record_of
from dicomnode.errors import NotFound
from dicomnode.records import AlarmRecord
from dicomnode.tables import alarms


class AlarmList(Page):
    """The chapter of the alarms."""

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
            record = record_of(AlarmRecord, row)
        if self._on_alarm is not None:
            self._on_alarm(record)

    def alarms(self) -> list[AlarmRecord]:
        """Return the alarms that nobody has acknowledged, oldest first."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(alarms).where(alarms.c.acknowledged.is_(None)).order_by(alarms.c.id)
            ).mappings()
            return [record_of(AlarmRecord, row) for row in rows]

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
