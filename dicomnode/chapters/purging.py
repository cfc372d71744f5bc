"""What has grown old, and its rows taken away: each in one transaction that looks once more whether it still is so."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dicomnode.chapters.page import Page, Record, record_of
from dicomnode.records import (
    ApprovalState,
    ConflictRecord,
    DeliveryState,
    Due,
    Holding,
    Proof,
    ReceivedInstance,
    ResultRecord,
    SeriesRecord,
)
from dicomnode.routing import CT_IMAGE_STORAGE
from dicomnode.series import OVER, State
from dicomnode.tables import (
    alarms,
    approvals,
    commitments,
    conflicts,
    deliveries,
    instances,
    results,
    series,
    structure_sets,
)

APPROVED = "APPROVED"  # PS3.3 C.8.8.16

_IMAGES = (instances.c.series_instance_uid == series.c.series_instance_uid) & (instances.c.action == "contour")
_LEARNT_FROM = sa.exists().where(
    structure_sets.c.referenced_series_uid == series.c.series_instance_uid,
    structure_sets.c.approval_status == APPROVED,
)
"""The CT of an approved structure set stays as long as that: one without the other teaches nothing."""


class Purging(Page):
    """The chapter of what goes."""

    def old_images(self, states: Collection[State], before: datetime) -> list[Due]:
        """Return the series in one of these states whose images came, and whose work ended, before a time."""
        wanted = sa.select(series).where(_is_old(states, before), ~_LEARNT_FROM, sa.exists().where(_IMAGES))
        with self._begin() as connection:
            rows = connection.execute(wanted.order_by(series.c.id)).mappings().all()
            return [self._due_images(connection, record_of(SeriesRecord, row)) for row in rows]

    def erase_images(self, due: Due, states: Collection[State], before: datetime) -> bool:
        """Forget the instances of a series; return whether they were still old."""
        with self._begin() as connection:
            old = sa.select(series.c.id).where(series.c.id == due.key, _is_old(states, before), ~_LEARNT_FROM)
            if connection.execute(old.with_for_update()).first() is None:
                return False
            mine = (instances.c.series_instance_uid == due.about) & (instances.c.action == "contour")
            connection.execute(sa.delete(instances).where(mine))
        return True

    def old_instances(self, *, action: str, before: datetime) -> list[Due]:
        """Return the instances that the rules had for nothing ("ignore"), received last before a time."""
        wanted = sa.select(instances).where(instances.c.action == action, instances.c.last_received < before)
        with self._begin() as connection:
            return [_due_instance(row) for row in connection.execute(wanted).mappings()]

    def old_fetched(self, before: datetime) -> list[Due]:
        """Return the images that were fetched only to be learnt from, and came last before a time."""
        fetched = (instances.c.action == "learn") & (instances.c.sop_class_uid == CT_IMAGE_STORAGE)
        wanted = sa.select(instances).where(fetched, instances.c.last_received < before)
        with self._begin() as connection:
            return [_due_instance(row) for row in connection.execute(wanted).mappings()]

    def old_structure_sets(self, *, approved: bool, before: datetime) -> list[Due]:
        """Return the RT Structure Sets that came last before a time, the approved ones or the others."""
        wanted = (
            sa.select(instances)
            .join(structure_sets)
            .where(_approval(approved=approved), instances.c.action != "ignore", instances.c.last_received < before)
        )
        with self._begin() as connection:
            return [_due_instance(row) for row in connection.execute(wanted).mappings()]

    def erase_instance(self, due: Due, before: datetime) -> bool:
        """Forget one instance; return whether it was still old."""
        with self._begin() as connection:
            mine = (instances.c.sop_instance_uid == due.about) & (instances.c.last_received < before)
            if (
                connection.execute(sa.select(instances.c.sop_instance_uid).where(mine).with_for_update()).first()
                is None
            ):
                return False
            connection.execute(sa.delete(approvals).where(approvals.c.sop_instance_uid == due.about))
            connection.execute(sa.delete(structure_sets).where(structure_sets.c.sop_instance_uid == due.about))
            connection.execute(sa.delete(instances).where(mine))
        return True

    def old_results(self, before: datetime) -> list[Due]:
        """Return our structure sets that were made before a time and are on their way to nobody."""
        wanted = (
            sa.select(results).join(series).where(series.c.state.in_(OVER), results.c.created < before, ~_is_pending())
        )
        with self._begin() as connection:
            rows = connection.execute(wanted.order_by(results.c.id)).mappings()
            return [Due(row["sop_instance_uid"], row["id"], row["created"], (row["path"],)) for row in rows]

    def erase_result(self, due: Due, _before: datetime) -> bool:
        """Forget a structure set of ours and its deliveries; return whether it was still on its way to nobody."""
        with self._begin() as connection:
            mine = sa.select(results.c.id).where(results.c.id == due.key, ~_is_pending())
            if connection.execute(mine.with_for_update()).first() is None:
                return False
            self._erase_results(connection, [int(due.key)])
        return True

    def old_conflicts(self, before: datetime) -> list[Due]:
        """Return the instances kept apart, decided or not, that came before a time."""
        wanted = sa.select(conflicts).where(conflicts.c.received < before).order_by(conflicts.c.id)
        with self._begin() as connection:
            return [
                Due(row["sop_instance_uid"], row["id"], row["received"], (row["path"],) if not row["decision"] else ())
                for row in connection.execute(wanted).mappings()
            ]

    def erase_conflict(self, due: Due, _before: datetime) -> bool:
        """Forget an instance that was kept apart, and the alarm about it."""
        with self._begin() as connection:
            connection.execute(sa.delete(alarms).where(alarms.c.about == due.about))
            gone = connection.execute(sa.delete(conflicts).where(conflicts.c.id == due.key))
        return gone.rowcount > 0

    def old_series(self, before: datetime) -> list[Due]:
        """Return the series of which nothing is left but their rows, and whose work ended before a time."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(series).where(_is_bare(before)).order_by(series.c.id)).mappings()
            return [Due(row["series_instance_uid"], row["id"], row["last_received"]) for row in rows]

    def erase_series(self, due: Due, before: datetime) -> bool:
        """Forget a series; return whether nothing was left of it. Alarms know it by its pseudonym and stay."""
        with self._begin() as connection:
            gone = connection.execute(sa.delete(series).where(series.c.id == due.key, _is_bare(before)))
        return gone.rowcount > 0

    def old_alarms(self, before: datetime) -> list[Due]:
        """Return the alarms that somebody acknowledged before a time."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(alarms).where(alarms.c.acknowledged < before)).mappings()
            return [Due(f"alarm {row['id']}", row["id"], row["acknowledged"]) for row in rows]

    def erase_alarm(self, due: Due, _before: datetime) -> bool:
        """Forget an alarm."""
        with self._begin() as connection:
            return connection.execute(sa.delete(alarms).where(alarms.c.id == due.key)).rowcount > 0

    def holding_of(self, series_instance_uids: Collection[str], sop_instance_uids: Collection[str] = ()) -> Holding:
        """Return everything of some series and instances, with the structure sets that were drawn on them."""
        drawn = sa.select(structure_sets.c.sop_instance_uid).where(
            structure_sets.c.referenced_series_uid.in_(series_instance_uids)
        )
        mine = (
            instances.c.series_instance_uid.in_(series_instance_uids)
            | instances.c.sop_instance_uid.in_(sop_instance_uids)
            | instances.c.sop_instance_uid.in_(drawn)
        )
        with self._begin() as connection:
            kept = _all(connection, ReceivedInstance, sa.select(instances).where(mine))
            owner = series.c.series_instance_uid.in_(series_instance_uids)
            owners = _all(connection, SeriesRecord, sa.select(series).where(owner))
            made = results.c.series_id.in_([record.id for record in owners])
            uids = {*series_instance_uids, *(one.series_instance_uid for one in kept)}
            apart = conflicts.c.series_instance_uid.in_(uids)
            return Holding(
                owners,
                kept,
                _all(connection, ConflictRecord, sa.select(conflicts).where(apart)),
                _all(connection, ResultRecord, sa.select(results).where(made)),
            )

    def erase_holding(self, holding: Holding, names: Iterable[str]) -> bool:
        """Forget everything of some series; return False where one of them is on its way again.

        Args:
            holding: what there is.
            names: by which alarms speak of it.
        """
        owners = [record.id for record in holding.series]
        with self._begin() as connection:
            moving = sa.select(series.c.id).where(series.c.id.in_(owners), series.c.state.not_in(OVER))
            if connection.execute(moving).first() is not None:
                return False
            uids = [one.sop_instance_uid for one in holding.instances]
            for chunk in _chunks(uids):
                being_filed = approvals.c.sop_instance_uid.in_(chunk) & (approvals.c.state == ApprovalState.LOOKING)
                if connection.execute(sa.select(approvals.c.id).where(being_filed)).first() is not None:
                    return False
            for chunk in _chunks(uids):
                connection.execute(sa.delete(approvals).where(approvals.c.sop_instance_uid.in_(chunk)))
                connection.execute(sa.delete(structure_sets).where(structure_sets.c.sop_instance_uid.in_(chunk)))
                connection.execute(sa.delete(instances).where(instances.c.sop_instance_uid.in_(chunk)))
            connection.execute(sa.delete(conflicts).where(conflicts.c.id.in_([one.id for one in holding.conflicts])))
            self._erase_results(connection, [one.id for one in holding.results])
            connection.execute(sa.delete(series).where(series.c.id.in_(owners)))
            for chunk in _chunks(list(names)):
                connection.execute(sa.delete(alarms).where(alarms.c.about.in_(chunk)))
        return True

    def series_ids(self) -> set[int]:
        """Return the numbers of all series."""
        with self._begin() as connection:
            return set(connection.execute(sa.select(series.c.id)).scalars())

    def delivery_ids(self) -> set[int]:
        """Return the numbers of all deliveries."""
        with self._begin() as connection:
            return set(connection.execute(sa.select(deliveries.c.id)).scalars())

    def _due_images(self, connection: sa.Connection, record: SeriesRecord) -> Due:
        rows = connection.execute(
            sa.select(instances.c.path).where(
                instances.c.series_instance_uid == record.series_instance_uid, instances.c.action == "contour"
            )
        )
        since = max(record.last_received, record.completed or record.last_received)
        return Due(record.series_instance_uid, record.id, since, tuple(rows.scalars()))

    def _erase_results(self, connection: sa.Connection, result_ids: list[int]) -> None:
        sent = sa.select(deliveries.c.id).where(deliveries.c.result_id.in_(result_ids))
        connection.execute(sa.delete(commitments).where(commitments.c.delivery_id.in_(sent)))
        connection.execute(sa.delete(deliveries).where(deliveries.c.result_id.in_(result_ids)))
        connection.execute(sa.delete(results).where(results.c.id.in_(result_ids)))


def _is_old(states: Collection[State], before: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        series.c.state.in_(states),
        series.c.last_received < before,
        sa.or_(series.c.completed.is_(None), series.c.completed < before),
    )


def _is_bare(before: datetime) -> sa.ColumnElement[bool]:
    has_results = sa.exists().where(results.c.series_id == series.c.id)
    return sa.and_(_is_old(OVER, before), ~sa.exists().where(_IMAGES), ~has_results)


def _is_pending() -> sa.ColumnElement[bool]:
    return sa.exists().where(
        deliveries.c.result_id == results.c.id,
        sa.or_(deliveries.c.state == DeliveryState.PENDING, deliveries.c.proof == Proof.AWAITED),
    )


def _approval(*, approved: bool) -> sa.ColumnElement[bool]:
    status = structure_sets.c.approval_status
    return status == APPROVED if approved else status != APPROVED


def _due_instance(row: sa.RowMapping) -> Due:
    return Due(row["sop_instance_uid"], row["sop_instance_uid"], row["last_received"], (row["path"],))


def _all(connection: sa.Connection, kind: type[Record], wanted: sa.Select[Any]) -> tuple[Record, ...]:
    return tuple(record_of(kind, row) for row in connection.execute(wanted).mappings())


def _chunks(values: list[str], size: int = 500) -> Iterable[list[str]]:
    """Return the values in portions that a statement can name."""
    return [values[begin : begin + size] for begin in range(0, len(values), size)]
