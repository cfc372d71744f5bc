"""An older release of the node that is killed while it has work in hand: `python -m tests.support.older_release URL`.

It contours the first series and hangs as it writes the structure set; the second series is enqueued behind it, and a
delivery waits for its next attempt.
"""

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dicomnode
from dicomnode.ledger import Ledger
from dicomnode.records import NewResult, ReceivedInstance
from dicomnode.tables import migrate, open_database
from dicomnode.workflows import DurableEngine, WorkQueue, create_engine_tables

OLDER_VERSION = "0.0.9"
HANGS = "write has begun"
PEER = "TPS"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DELAY = timedelta(seconds=3)


class HangingSteps:
    """Steps of which `write` never ends.

    Args:
        before: what is done first in `write`: the kill follows at once, however long the start took.
    """

    def __init__(self, before: Callable[[], None]) -> None:
        self._before = before

    def contour(self, series_id: int, generation: int) -> dict[str, Any]:
        """Say who drew."""
        return {"outcome": "done", "drawn_by": dicomnode.__version__, "series": series_id, "generation": generation}

    def write(self, series_id: int, generation: int, contoured: dict[str, Any]) -> dict[str, Any]:
        """Wait for the end."""
        self._before()
        sys.stdout.write(f"{HANGS}\n")
        sys.stdout.flush()
        threading.Event().wait()
        return {"outcome": "done", "series": series_id, "generation": generation, "contoured": contoured}

    def deliver(self, delivery_id: int, attempt: int) -> str:
        """Do nothing: the delivery that waits is tried by the newer release."""
        return f"delivery {delivery_id} was tried {attempt} times"

    def set_aside(self, series_id: int, generation: int, text: str) -> None:
        """Fail: nothing is set aside here."""
        raise RuntimeError(f"series {series_id}, generation {generation}: {text}")


def instance(number: int) -> ReceivedInstance:
    """Return the only instance of a series."""
    return ReceivedInstance(
        sop_instance_uid=f"1.2.3.{number}.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        series_instance_uid=f"1.2.3.{number}",
        study_instance_uid="1.2.3",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        sha256=f"{number:064x}",
        size=100,
        path=f"instances/{number}.dcm",
        calling_ae_title=PEER,
        called_ae_title="DICOMNODE",
        peer_address="127.0.0.1",
        received=NOON,
        action="contour",
        rule="planning CT",
    )


def result(series_id: int) -> NewResult:
    """Return a structure set that was written before."""
    return NewResult(
        series_id=series_id,
        generation=1,
        sop_instance_uid=f"2.25.{series_id}",
        modality="RTSTRUCT",
        profile="clinical",
        path="results/one.dcm",
        label="AI_0601_1200",
        model_name="starter",
        model_version="1",
        model_digest="0" * 64,
        created=NOON,
        volumes_cm3={"Brainstem": 25.0},
        not_found=(),
        notes=(),
        seconds={},
    )


def main(url: str) -> None:
    """Put work into the database and begin it."""
    dicomnode.__version__ = OLDER_VERSION
    engine = open_database(url)
    migrate(engine)
    create_engine_tables(engine)
    queue = WorkQueue(engine)
    ledger = Ledger(engine, enqueue=queue.enqueue)
    for number in (1, 2):
        ledger.note_instance(instance(number))
        ledger.complete(number, content=f"{number}")
    ledger.note_instance(instance(3))
    orders_nothing = Ledger(engine, enqueue=lambda _connection, _order: None)
    orders_nothing.complete(3, content="3")
    orders_nothing.note_result(result(3), [PEER])
    retry = partial(ledger.note_retry, 1, None, "no answer", delay=DELAY, refused=False)
    DurableEngine(engine, HangingSteps(retry)).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
