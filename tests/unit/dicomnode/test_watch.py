"""One turn of the daemon's loop at a time."""

from datetime import timedelta
from pathlib import Path

import pytest

from dicomnode.errors import LedgerUnavailable
from dicomnode.examination import Examiner
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.models import Models
from dicomnode.records import DeliveryOrder, SeriesRecord
from dicomnode.series import State
from dicomnode.structure_settings import StructureSettings
from dicomnode.watch import Watch
from segmentation.registry import Registry
from tests.support.books import NOON, SERIES, Clock, Orders, instance, new_result, open_ledger

PSEUDONYMS = Pseudonyms(b"key")


class Recorder(Examiner):
    """An examiner that remembers what it was shown, or raises what it was told to."""

    def __init__(self, ledger: Ledger, error: Exception | None = None) -> None:
        super().__init__(
            ledger,
            data_dir=Path(),
            rules=(),
            peers=(),
            structures=StructureSettings(),
            models=Models((), Registry(Path("models"))),
            minimum_slices=1,
            pseudonyms=PSEUDONYMS,
        )
        self.seen: list[int] = []
        self.error = error

    def examine(self, record: SeriesRecord) -> None:
        self.seen.append(record.id)
        if self.error is not None:
            raise self.error
        self._ledger.complete(record.id, "content")


@pytest.fixture
def orders() -> Orders:
    return Orders()


@pytest.fixture
def ledger(tmp_path: Path, orders: Orders) -> Ledger:
    ledger = open_ledger(tmp_path, Clock(), orders)
    ledger.note_instance(instance(1, NOON))
    return ledger


def watch(ledger: Ledger, examiner: Examiner, *, fed: frozenset[str] = frozenset(), alive: bool = True) -> Watch:
    return Watch(
        ledger,
        examiner,
        is_fed=fed.__contains__,
        is_under_way=lambda _record: alive,
        quiet=timedelta(seconds=15),
        pseudonyms=PSEUDONYMS,
    )


@pytest.mark.parametrize(("seconds", "fed", "expected"), [(14, False, []), (15, False, [1]), (900, True, [])])
def test_a_series_is_examined_once_it_is_quiet_and_not_fed(
    ledger: Ledger, seconds: int, *, fed: bool, expected: list[int]
) -> None:
    """Fifteen seconds of silence, and no open association that feeds it."""
    examiner = Recorder(ledger)
    turn = watch(ledger, examiner, fed=frozenset({SERIES} if fed else ()))

    found = turn.step(NOON + timedelta(seconds=seconds))

    assert (examiner.seen, found) == (expected, bool(expected))


def test_one_turn_examines_one_series(ledger: Ledger) -> None:
    """The loop breathes between two."""
    ledger.note_instance(instance(1, NOON, series="1.9"))
    examiner = Recorder(ledger)
    turn = watch(ledger, examiner)

    results = [turn.step(NOON + timedelta(minutes=1)) for _ in range(3)]

    assert (examiner.seen, results) == ([1, 2], [True, True, False])


def test_a_series_that_cannot_be_examined_is_held_and_the_node_lives(ledger: Ledger) -> None:
    """A header that nobody thought of costs its own series only."""
    turn = watch(ledger, Recorder(ledger, ZeroDivisionError("patient name")))

    turn.step(NOON + timedelta(minutes=1))

    [record] = ledger.series_in()
    assert (record.state, record.reasons) == (State.HELD, ("the series could not be examined: ZeroDivisionError",))
    assert "patient name" not in ledger.alarms()[0].text


def test_a_ledger_that_is_away_is_not_the_series_fault(ledger: Ledger) -> None:
    """The turn is taken again later."""
    turn = watch(ledger, Recorder(ledger, LedgerUnavailable("locked")))

    with pytest.raises(LedgerUnavailable):
        turn.step(NOON + timedelta(minutes=1))

    assert ledger.series_in()[0].state is State.RECEIVING


def test_contouring_that_the_engine_gave_up_ends_in_words(ledger: Ledger) -> None:
    """No series waits for ever."""
    record = ledger.complete(1, "content")

    watch(ledger, Recorder(ledger), alive=False).reconcile(NOON)

    assert ledger.series(record.id).state is State.FAILED
    assert "given up" in ledger.alarms()[0].text


def test_contouring_under_way_is_left_alone(ledger: Ledger) -> None:
    """It has its own end."""
    record = ledger.complete(1, "content")

    watch(ledger, Recorder(ledger), alive=True).reconcile(NOON)

    assert ledger.series(record.id).state is State.COMPLETE


def test_an_overdue_delivery_is_ordered_again(ledger: Ledger, orders: Orders) -> None:
    """Once its time is ten minutes past."""
    record = ledger.complete(1, "content")
    ledger.note_result(new_result(record.id, 1), ["TPS"])
    turn = watch(ledger, Recorder(ledger))

    turn.reconcile(NOON + timedelta(minutes=9))
    before = len(orders)
    turn.reconcile(NOON + timedelta(minutes=11))

    assert orders[before:] == [DeliveryOrder(1, 2, 0.0)]
