"""What becomes of a series that slices reach while it is being contoured."""

from datetime import timedelta
from pathlib import Path

import pytest

from dicomnode.ledger import Ledger
from dicomnode.records import SeriesRecord
from dicomnode.series import State
from tests.support.books import NOON, Clock, Orders, instance, new_result, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path, Clock(), Orders())


@pytest.fixture
def reopened(ledger: Ledger) -> SeriesRecord:
    """Return a series that a slice reached while it was being contoured."""
    ledger.note_instance(instance(1, NOON))
    record = ledger.complete(ledger.series_in()[0].id, "content")
    ledger.note_instance(instance(2, NOON + timedelta(seconds=9)))
    return ledger.series(record.id)


def test_a_refusal_does_not_hide_slices_that_came_meanwhile(ledger: Ledger, reopened: SeriesRecord) -> None:
    """The series is still to be examined, with its new slices."""
    ledger.refuse(reopened.id, reopened.generation, ["no head and neck"])

    assert ledger.series(reopened.id).state is State.RECEIVING


def test_a_refusal_stands_where_the_slices_bring_nothing_new(ledger: Ledger, reopened: SeriesRecord) -> None:
    """A repeat during contouring does not lose why the series is held."""
    ledger.refuse(reopened.id, reopened.generation, ["no head and neck"])

    ledger.settle(reopened.id)

    assert (ledger.series(reopened.id).state, ledger.series(reopened.id).reasons) == (State.HELD, ("no head and neck",))


def test_a_failure_stands_where_the_slices_bring_nothing_new(ledger: Ledger, reopened: SeriesRecord) -> None:
    """A repeat during contouring does not lose why it failed."""
    ledger.fail(reopened.id, reopened.generation, "out of memory")

    ledger.settle(reopened.id)

    assert (ledger.series(reopened.id).state, ledger.series(reopened.id).reasons) == (State.FAILED, ("out of memory",))


def test_what_an_older_generation_came_to_is_of_no_interest(ledger: Ledger, reopened: SeriesRecord) -> None:
    """A newer generation is on its way and decides."""
    ledger.complete(reopened.id, "more content")

    ledger.refuse(reopened.id, reopened.generation, ["no head and neck"])

    assert ledger.series(reopened.id).state is State.COMPLETE


def test_what_was_contoured_blind_meanwhile_is_blind_where_the_slices_bring_nothing_new(
    ledger: Ledger, reopened: SeriesRecord
) -> None:
    """A repeat during contouring does not make it sent."""
    ledger.note_result(new_result(reopened.id, reopened.generation), [])

    ledger.settle(reopened.id)

    record = ledger.series(reopened.id)
    assert record.state is State.BLIND
    assert "contoured blind" in record.reasons[0]
