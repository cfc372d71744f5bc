"""The durable engine, run for real on a file: order, restarts, failures, and what it must never do."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dicomnode import workflows
from dicomnode.errors import NodeError
from dicomnode.ledger import Ledger
from dicomnode.records import SeriesRecord
from dicomnode.tables import migrate, open_database
from dicomnode.workflows import DurableEngine, JsonSerializer, WorkQueue, create_engine_tables
from tests.support.books import NOON, instance, new_result

PATIENCE_S = 30.0


class Steps:
    """Notes what is done, and does with the ledger what the real steps do."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.done: list[str] = []
        self.contoured: dict[str, Any] = {"outcome": "done"}
        self.error: Exception | None = None

    def contour(self, series_id: int, generation: int) -> dict[str, Any]:
        self.done.append(f"contour {series_id} {generation}")
        if self.error is not None:
            raise self.error
        return self.contoured

    def write(self, series_id: int, generation: int, contoured: dict[str, Any]) -> dict[str, Any]:
        self.done.append(f"write {contoured['outcome']}")
        self.ledger.note_result(new_result(series_id, generation), ["TPS"])
        return {"outcome": "done"}

    def deliver(self, delivery_id: int, attempt: int) -> str:
        self.done.append(f"deliver {delivery_id} {attempt}")
        if attempt == 1:
            self.ledger.note_retry(delivery_id, None, "away", delay=timedelta(seconds=0.5), refused=False)
        else:
            self.ledger.note_sent(delivery_id, 0, "")
        return "sent"

    def set_aside(self, series_id: int, generation: int, text: str) -> None:
        self.done.append(f"set aside {text}")
        self.ledger.fail(series_id, generation, text)


class Running:
    """A database with an engine on it."""

    def __init__(self, folder: Path) -> None:
        self.database = open_database(f"sqlite:///{folder / 'node.sqlite'}")
        migrate(self.database)
        create_engine_tables(self.database)
        self.queue = WorkQueue(self.database)
        self.ledger = Ledger(self.database, enqueue=self.queue.enqueue)
        self.steps = Steps(self.ledger)

    @contextmanager
    def engine(self) -> Iterator[None]:
        engine = DurableEngine(self.database, self.steps)
        engine.start()
        try:
            yield
        finally:
            engine.stop(wait=timedelta(0))

    def whole_series(self) -> SeriesRecord:
        self.ledger.note_instance(instance(1, NOON))
        return self.ledger.complete(1, "content")


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(workflows, "POLLING_S", 0.1)
    room = Running(tmp_path)
    yield room
    room.queue.close()
    room.database.dispose()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_a_series_is_contoured_written_and_delivered_each_once(running: Running) -> None:
    """Also where the peer is away at the first attempt."""
    with running.engine():
        running.whole_series()
        wait_for(lambda: len(running.steps.done) == 4)

    assert running.steps.done == ["contour 1 1", "write done", "deliver 1 1", "deliver 1 2"]


def test_work_that_was_ordered_without_an_engine_is_done_when_one_starts(running: Running) -> None:
    """As what the operator's commands order while the node is down."""
    running.whole_series()

    with running.engine():
        wait_for(lambda: "write done" in running.steps.done)


def test_a_step_that_raises_is_set_aside_with_its_kind_and_no_text(running: Running) -> None:
    """A library's text may hold a patient's name."""
    running.steps.error = ValueError("Doe^Jane")

    with running.engine():
        running.whole_series()
        wait_for(lambda: len(running.steps.done) == 2)

    assert running.steps.done[-1] == "set aside contour: ValueError"


def test_an_outcome_that_is_not_done_ends_the_work(running: Running) -> None:
    """A held series is not written."""
    running.steps.contoured = {"outcome": "held"}

    with running.engine():
        record = running.whole_series()
        wait_for(lambda: bool(running.steps.done) and not running.queue.is_under_way(record))

    assert running.steps.done == ["contour 1 1"]


def test_cancelled_work_is_not_done(running: Running) -> None:
    """It was still waiting."""
    record = running.whole_series()

    running.queue.cancel(record)

    assert not running.queue.is_under_way(record)


def test_an_order_is_gone_with_its_transaction(running: Running) -> None:
    """Neither the row nor the work is there."""
    running.ledger.note_instance(instance(1, NOON))
    with running.database.connect() as connection:
        running.queue.enqueue(connection, workflows.ContouringOrder(1, 1))
        connection.rollback()

    with running.database.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM workflow_status")).scalar() == 0


def test_what_the_engine_keeps_is_json(running: Running) -> None:
    """Nothing that it reads back is unpickled."""
    running.whole_series()

    with running.database.begin() as connection:
        [inputs] = connection.execute(sa.text("SELECT inputs FROM workflow_input")).scalars()
    assert json.loads(inputs)["args"] == [1, 1]


def test_an_error_comes_back_as_ours() -> None:
    """The engine keeps what a workflow raised; its text is all that is needed."""
    serializer = JsonSerializer()

    restored = serializer.deserialize(serializer.serialize(KeyError("gone")))

    assert isinstance(restored, NodeError)
    assert str(restored) == "'gone'"


def test_the_engine_is_not_told_of_any_service_outside() -> None:
    """No conductor, no telemetry, no enterprise extension."""
    source = Path(workflows.__file__).read_text()

    assert "conductor" not in source.lower()
    assert '"enable_otlp": False' in source
