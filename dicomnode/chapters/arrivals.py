"""What arrived: instances, the series that they open, and structure sets that came in."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from datetime import datetime

import sqlalchemy as sa

from dicomnode.chapters.approvals import Approvals
from dicomnode.chapters.page import record_of
from dicomnode.records import Arrived, ReceivedInstance, Repeated, StructureSetRecord, StructureSetSummary
from dicomnode.routing import RT_STRUCTURE_SET_STORAGE
from dicomnode.series import State, advance
from dicomnode.tables import approvals, conflicts, instances, results, series, structure_sets

HOW_IT_CAME = ("action", "rule", "calling_ae_title", "called_ae_title", "peer_address")
_IS_THERE = "SELECT 1 FROM instances WHERE sop_instance_uid = "


class Arrivals(Approvals):
    """The chapter of what arrived."""

    def find_instance(self, sop_instance_uid: str) -> ReceivedInstance | None:
        """Return the instance of this UID, if there is one."""
        if not self._is_there(sop_instance_uid):
            return None
        with self._begin() as connection:
            wanted = sa.select(instances).where(instances.c.sop_instance_uid == sop_instance_uid)
            row = connection.execute(wanted).mappings().first()
        return record_of(ReceivedInstance, row) if row else None

    def _is_there(self, sop_instance_uid: str) -> bool:
        """Whether there is an instance of this UID: asked for each that comes, which is hardly ever there.

        The driver is asked itself. By way of SQLAlchemy the question took a fifth of the interpreter's time on an
        instance.
        """
        place = "?" if self._engine.dialect.paramstyle == "qmark" else "%s"
        with self._usable(), self._engine.connect() as connection, closing(connection.connection.cursor()) as cursor:
            cursor.execute(_IS_THERE + place, (sop_instance_uid,))
            return cursor.fetchone() is not None

    def note_instance(self, instance: ReceivedInstance) -> None:
        """Remember a new instance; one that is to be contoured opens its series, or opens it again."""
        self.note_arrivals([Arrived(instance)])

    def note_structure_set(self, instance: ReceivedInstance, summary: StructureSetSummary) -> None:
        """Remember an RT Structure Set that came in."""
        self.note_arrivals([Arrived(instance, summary)])

    def note_repeat(self, sop_instance_uid: str, received: datetime, wanted: ReceivedInstance | None = None) -> None:
        """Remember that the same instance came again: a series that is sent again whole is delivered again.

        Args:
            sop_instance_uid: of the instance.
            received: UTC.
            wanted: how it came this time, where what was fetched only to learn from it is now to be contoured.
        """
        self.note_arrivals([Repeated(sop_instance_uid, received, wanted)])

    def note_arrivals(self, arrivals: Sequence[Arrived | Repeated]) -> None:
        """Remember what came, in its order and in one transaction."""
        new = [one for one in arrivals if isinstance(one, Arrived)]
        with self._begin() as connection:
            if new:
                self._insert(connection, new)
            for one in arrivals:
                if isinstance(one, Repeated):
                    self._repeat(connection, one)

    def _insert(self, connection: sa.Connection, new: Sequence[Arrived]) -> None:
        rows = [{**vars(one.instance), "last_received": one.instance.received} for one in new]
        connection.execute(sa.insert(instances), rows)
        for one in new:
            if one.summary is not None:
                connection.execute(
                    sa.insert(structure_sets).values(
                        sop_instance_uid=one.instance.sop_instance_uid, **asdict(one.summary)
                    )
                )
                if one.instance.action == "learn":
                    self._open_approval(connection, one.instance)
        to_contour = [one.instance for one in new if one.instance.action == "contour" and one.summary is None]
        last = {one.series_instance_uid: one for one in to_contour}
        first: dict[str, ReceivedInstance] = {}
        for instance in to_contour:  # series get their numbers in the order in which they came
            first.setdefault(instance.series_instance_uid, instance)
        for uid, instance in first.items():
            self._receive(connection, instance)
            if last[uid] is not instance:
                self._receive(connection, last[uid])

    def _repeat(self, connection: sa.Connection, repeated: Repeated) -> None:
        values: dict[str, object] = {"last_received": repeated.received}
        if (wanted := repeated.wanted) is not None:
            values |= {name: getattr(wanted, name) for name in HOW_IT_CAME}
        row = (
            connection.execute(
                sa.update(instances)
                .where(instances.c.sop_instance_uid == repeated.sop_instance_uid)
                .values(**values)
                .returning(*instances.c)
            )
            .mappings()
            .first()
        )
        if row is not None and row["action"] == "contour":
            self._receive(connection, replace(record_of(ReceivedInstance, row), received=repeated.received))
        elif row is not None and row["action"] == "learn" and row["sop_class_uid"] == RT_STRUCTURE_SET_STORAGE:
            known = sa.select(approvals.c.id).where(approvals.c.sop_instance_uid == repeated.sop_instance_uid)
            if connection.execute(known).first() is None:  # it came before this release learnt from any
                self._open_approval(connection, record_of(ReceivedInstance, row))

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

    def instances_of(self, series_instance_uid: str) -> list[ReceivedInstance]:
        """Return the instances of a series that are to be contoured."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(instances)
                .where(instances.c.series_instance_uid == series_instance_uid, instances.c.action == "contour")
                .order_by(instances.c.sop_instance_uid)
            ).mappings()
            return [record_of(ReceivedInstance, row) for row in rows]

    def ignored_counts(self) -> dict[str, int]:
        """Return how many instances each rule had ignored."""
        wanted = (
            sa.select(instances.c.rule, sa.func.count())
            .where(instances.c.action == "ignore")
            .group_by(instances.c.rule)
        )
        with self._begin() as connection:
            return {rule: int(count) for rule, count in connection.execute(wanted)}

    def known_paths(self) -> set[str]:
        """Return every file, relative to the data folder, that a row speaks of."""
        with self._begin() as connection:
            return {
                path
                for table in (instances, conflicts, results)
                for path in connection.execute(sa.select(table.c.path)).scalars()
            }
