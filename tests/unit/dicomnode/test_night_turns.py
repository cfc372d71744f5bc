"""Turns of a night in the durable engine, run for real on a file: one run a date, behind the clinical work."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dicomnode import workflows
from dicomnode.records import NightOrder
from dicomnode.workflows import DurableEngine, WorkQueue
from tests.unit.dicomnode.test_workflows import Running, wait_for

FIRST = NightOrder("NODE", "2026-03-10", 1)


class Night:
    """Takes turns; each waits, as a training does, until a series does or its time is over."""

    def __init__(self, room: "Nightly") -> None:
        self.room = room
        self.orders: list[NightOrder] = []
        self.turns = 3
        self.gave_way = False

    def turn(self, order: NightOrder) -> str:
        self.orders.append(order)
        self.room.steps.done.append(f"turn {order.turn}")
        if order.turn == 1 and self.room.series_comes:
            self.room.whole_series()
            wait_for(self.room.queue.is_clinical_waiting)
            self.gave_way = True
        if order.turn < self.turns:
            self.room.queue.order(NightOrder(order.site, order.run, order.turn + 1, order.by, order.force))
        return "goes on"


class Nightly(Running):
    """A database with an engine that adapts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.night = Night(self)
        self.series_comes = False

    @contextmanager
    def engine(self) -> Iterator[None]:
        engine = DurableEngine(self.database, self.steps, nights=self.night)
        engine.start()
        try:
            yield
        finally:
            engine.stop(wait=timedelta(0))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nightly]:
    monkeypatch.setattr(workflows, "POLLING_S", 0.1)
    one = Nightly(tmp_path)
    yield one
    one.queue.close()
    one.database.dispose()


def test_night_that_is_ordered_twice_runs_once(room: Nightly) -> None:
    """By two daemons on one database, or by a clock that comes to the same date again; before and behind the run."""
    other = WorkQueue(room.database)
    for queue in (room.queue, other):
        queue.order(FIRST)

    with room.engine():
        wait_for(lambda: len(room.night.orders) == room.night.turns)
        other.order(FIRST)
        room.whole_series()
        wait_for(lambda: "write done" in room.steps.done)
    other.close()

    assert [order.turn for order in room.night.orders] == [1, 2, 3]


def test_series_goes_before_the_turns_that_wait(room: Nightly) -> None:
    """Whatever was ordered first."""
    room.queue.order(FIRST)
    room.whole_series()

    with room.engine():
        wait_for(lambda: len(room.night.orders) == room.night.turns)

    assert room.steps.done[0] == "contour 1 1"


def test_series_that_comes_during_a_turn_goes_before_the_next_one(room: Nightly) -> None:
    """The turn sees that it waits, gives way, and the series is contoured between two turns."""
    room.series_comes = True
    room.queue.order(FIRST)

    with room.engine():
        wait_for(lambda: len(room.night.orders) == room.night.turns)

    contoured = room.steps.done.index("contour 1 1")
    assert room.night.gave_way
    assert room.steps.done.index("turn 1") < contoured < room.steps.done.index("turn 2")


def test_turn_knows_who_wanted_the_run(room: Nightly) -> None:
    """From the first to the last."""
    room.queue.order(NightOrder("NODE", "2026-03-10-120000", 1, "physicist", True))

    with room.engine():
        wait_for(lambda: len(room.night.orders) == room.night.turns)

    assert {(order.by, order.force) for order in room.night.orders} == {("physicist", True)}
