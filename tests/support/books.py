"""A ledger in a temporary folder, with a list in place of the durable engine's queue, and the rows to fill it with."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from dicomnode.chapters.page import Order
from dicomnode.ledger import Ledger
from dicomnode.records import NewResult, ReceivedInstance
from dicomnode.tables import migrate, open_database

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SERIES = "1.2.3.4"


class Clock:
    """A time that only moves when it is told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


class Orders(list[Order]):
    """The work that was ordered, in order; it takes part in no transaction, so it shows what was asked for."""

    def enqueue(self, _connection: sa.Connection, order: Order) -> None:
        self.append(order)


def open_ledger(folder: Path, clock: Clock, orders: Orders) -> Ledger:
    """Return a new ledger in a folder."""
    engine = open_database(f"sqlite:///{folder / 'ledger.sqlite'}")
    migrate(engine)
    return Ledger(engine, enqueue=orders.enqueue, clock=clock)


def instance(number: int, received: datetime, *, series: str = SERIES, **changes: object) -> ReceivedInstance:
    """Return a received slice; equal numbers have equal content."""
    values: dict[str, object] = {
        "sop_instance_uid": f"{series}.{number}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "series_instance_uid": series,
        "study_instance_uid": "1.2.3",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "sha256": f"{number:064x}",
        "size": 1000,
        "path": f"instances/{series}/{number}.dcm",
        "calling_ae_title": "TPS",
        "called_ae_title": "DICOMNODE",
        "peer_address": "127.0.0.1",
        "received": received,
        "action": "contour",
        "rule": "planning CT",
    }
    return ReceivedInstance(**(values | changes))  # type: ignore[arg-type]


def new_result(series_id: int, generation: int, uid: str = "2.25.1", **changes: object) -> NewResult:
    """Return a structure set that was written."""
    values: dict[str, object] = {
        "series_id": series_id,
        "generation": generation,
        "sop_instance_uid": uid,
        "modality": "RTSTRUCT",
        "profile": "clinical",
        "path": "results/one.dcm",
        "label": "AI_0302_1200",
        "model_name": "demo",
        "model_version": "1",
        "model_digest": "ab" * 32,
        "created": NOON,
        "volumes_cm3": {"Brainstem": 27.0},
        "not_found": (),
        "notes": (),
        "seconds": {"network": 1.0},
    }
    return NewResult(**(values | changes))  # type: ignore[arg-type]
