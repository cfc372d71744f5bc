"""How far each series is, and why it is no further."""

from collections.abc import Iterable

import sqlalchemy as sa

from dicomnode.chapters.approvals import Approvals
from dicomnode.chapters.page import record_of
from dicomnode.records import ContouringOrder, SeriesRecord
from dicomnode.series import State
from dicomnode.tables import instances, series


class Progress(Approvals):
    """The chapter of the series."""

    def series_in(self, *states: State) -> list[SeriesRecord]:
        """Return the series in any of these states (in all, if none is named), oldest first."""
        wanted = sa.select(series).order_by(series.c.id)
        if states:
            wanted = wanted.where(series.c.state.in_(states))
        with self._begin() as connection:
            return [record_of(SeriesRecord, row) for row in connection.execute(wanted).mappings()]

    def series(self, series_id: int) -> SeriesRecord:
        """Return one series.

        Raises:
            NotFound: if there is none of this number.
        """
        with self._begin() as connection:
            return self._series(connection, series_id)

    def find_series(self, series_instance_uid: str) -> SeriesRecord | None:
        """Return the series of this UID, if there is one."""
        wanted = sa.select(series).where(series.c.series_instance_uid == series_instance_uid)
        with self._begin() as connection:
            row = connection.execute(wanted).mappings().first()
        return record_of(SeriesRecord, row) if row else None

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

    def hold(self, series_id: int, reasons: Iterable[str], *, content: str | None = None) -> None:
        """Set a series aside with the reasons in words; the operator may release it where that makes sense."""
        values: dict[str, object] = {"reasons": list(reasons)}
        if content is not None:
            values |= {"content": content, "completed": self._now()}
        with self._begin() as connection:
            record = self._move(connection, series_id, State.HELD, released=False, **values)
            self._wake_approvals(connection, record.series_instance_uid)

    def complete(
        self, series_id: int, content: str, *, released: bool = False, patient: str | None = None
    ) -> SeriesRecord:
        """Take a series to be whole: a new generation, and the order to contour it, in one transaction.

        Args:
            series_id: of the series.
            content: digest of its instances.
            released: whether the operator wants it contoured, and sent, in spite of what stands against it.
            patient: keyed digest of the Patient ID; None: as it is known.
        """
        known = {} if patient is None else {"patient": patient}
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
                **known,
            )
            self._order(connection, ContouringOrder(series_id, generation))
            self._wake_approvals(connection, record.series_instance_uid)
        return record

    def refuse(self, series_id: int, generation: int, reasons: Iterable[str]) -> None:
        """Hold a series that contouring this generation refused, unless something newer is on its way."""
        with self._begin() as connection:
            self._end_contouring(connection, series_id, generation, State.HELD, released=False, reasons=list(reasons))

    def fail(self, series_id: int, generation: int, reason: str) -> None:
        """Remember that contouring this generation failed, unless something newer is on its way."""
        with self._begin() as connection:
            self._end_contouring(connection, series_id, generation, State.FAILED, reasons=[reason])

    def _end_contouring(
        self, connection: sa.Connection, series_id: int, generation: int, to: State, **values: object
    ) -> None:
        record = self._series(connection, series_id)
        if record.generation != generation:
            return
        if record.state is State.COMPLETE:
            self._move(connection, series_id, to, **values)
        elif record.state is State.RECEIVING and record.before is State.COMPLETE:
            # Slices came meanwhile. They must still be looked at; where they bring nothing new, it settles here.
            connection.execute(sa.update(series).where(series.c.id == series_id).values(before=to, **values))
