"""What the ledger remembers, and the work that it orders with it."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from dicomnode.errors import LedgerUnavailable, NotFound, TransitionError
from dicomnode.ledger import Ledger
from dicomnode.records import ContouringOrder, DeliveryOrder, DeliveryState, SeriesRecord, StructureSetSummary
from dicomnode.series import State
from tests.support.books import NOON, SERIES, Clock, Orders, instance, new_result, open_ledger


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def orders() -> Orders:
    return Orders()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock, orders: Orders) -> Ledger:
    return open_ledger(tmp_path, clock, orders)


def receive(ledger: Ledger, *numbers: int) -> SeriesRecord:
    for number in numbers:
        ledger.note_instance(instance(number, NOON))
    return ledger.series_in()[0]


def contoured(ledger: Ledger, peers: tuple[str, ...] = ("TPS",)) -> SeriesRecord:
    record = ledger.complete(receive(ledger, 1, 2).id, "content")
    ledger.note_result(new_result(record.id, record.generation), peers)
    return ledger.series(record.id)


def test_a_series_is_sent_when_every_result_of_its_generation_is(ledger: Ledger) -> None:
    """A segmentation that is noted after the structure set was taken still has to arrive."""
    record = contoured(ledger)
    ledger.note_sent(1, 0, "")
    ledger.note_result(new_result(record.id, record.generation, "2.25.2", modality="SEG", path="seg.dcm"), ["PACS"])
    on_its_way = ledger.series(record.id).state

    ledger.note_sent(2, 0, "")

    assert on_its_way is State.CONTOURED
    assert ledger.series(record.id).state is State.SENT


def test_an_instance_is_found_as_it_was_noted(ledger: Ledger) -> None:
    """Every field survives, the time with its zone."""
    ledger.note_instance(instance(1, NOON))

    assert ledger.find_instance(f"{SERIES}.1") == instance(1, NOON)
    assert ledger.find_instance("1.9") is None


def test_the_first_instance_opens_a_series(ledger: Ledger) -> None:
    """One that is to be contoured makes the row of its series."""
    record = receive(ledger, 1, 2)

    assert (record.state, record.generation, record.before) == (State.RECEIVING, 0, None)


def test_an_ignored_instance_opens_no_series(ledger: Ledger) -> None:
    """It is counted under its rule, and that is all."""
    ledger.note_instance(instance(1, NOON, action="ignore", rule="localizer"))

    assert ledger.series_in() == []
    assert ledger.ignored_counts() == {"localizer": 1}


def test_completing_orders_the_work_of_a_new_generation(ledger: Ledger, orders: Orders) -> None:
    """Each time that a series is whole is a piece of work of its own."""
    record = ledger.complete(receive(ledger, 1).id, "content")

    assert orders == [ContouringOrder(record.id, 1)]
    assert (record.state, record.content, record.completed) == (State.COMPLETE, "content", NOON)


def test_an_order_that_fails_leaves_the_series_as_it_was(tmp_path: Path, clock: Clock) -> None:
    """The row and its work are one transaction."""

    class Broken(Orders):
        def enqueue(self, *_arguments: object) -> None:
            raise RuntimeError("no queue")

    ledger = open_ledger(tmp_path, clock, Broken())
    record = receive(ledger, 1)

    with pytest.raises(RuntimeError, match="no queue"):
        ledger.complete(record.id, "content")

    assert ledger.series(record.id).state is State.RECEIVING


def test_a_late_slice_reopens_a_contoured_series(ledger: Ledger) -> None:
    """It goes back to receiving, and remembers where it was."""
    record = contoured(ledger)

    ledger.note_instance(instance(3, NOON + timedelta(hours=1)))

    assert ledger.series(record.id).state is State.RECEIVING
    assert ledger.series(record.id).before is State.CONTOURED


def test_all_came_again_only_when_every_slice_did(ledger: Ledger, clock: Clock) -> None:
    """A repeat of one slice of two is no repeat of the series."""
    record = ledger.complete(receive(ledger, 1, 2).id, "content")
    later = clock.forward(60)

    ledger.note_repeat(f"{SERIES}.1", later)
    one = ledger.all_came_again(ledger.series(record.id))
    ledger.note_repeat(f"{SERIES}.2", later)

    assert (one, ledger.all_came_again(ledger.series(record.id))) == (False, True)


def test_held_keeps_its_reasons_and_a_release_takes_them_away(ledger: Ledger) -> None:
    """The reasons stand in the row as they were given."""
    record = receive(ledger, 1)

    ledger.hold(record.id, ["a slice is missing", "another too"], content="content")
    held = ledger.series(record.id)
    released = ledger.complete(record.id, "content", released=True)

    assert (held.state, held.reasons) == (State.HELD, ("a slice is missing", "another too"))
    assert (released.reasons, released.released) == ((), True)


@pytest.mark.parametrize("before", [State.HELD, State.FAILED])
def test_settling_puts_a_series_back_with_its_reasons(ledger: Ledger, before: State) -> None:
    """A few repeated slices change nothing for a series that is held or failed."""
    record = receive(ledger, 1, 2)
    if before is State.HELD:
        ledger.hold(record.id, ["why"], content="content")
    else:
        record = ledger.complete(record.id, "content")
        ledger.fail(record.id, record.generation, "why")
    ledger.note_repeat(f"{SERIES}.1", NOON)

    ledger.settle(record.id)

    assert (ledger.series(record.id).state, ledger.series(record.id).reasons) == (before, ("why",))


def test_settling_follows_the_work_that_went_on_meanwhile(ledger: Ledger) -> None:
    """What was delivered while slices were repeated counts as sent."""
    record = contoured(ledger)
    ledger.note_repeat(f"{SERIES}.1", NOON)
    ledger.note_sent(1, 0, "")

    ledger.settle(record.id)

    assert ledger.series(record.id).state is State.SENT


def test_settling_while_contouring_is_under_way_waits_for_it(ledger: Ledger) -> None:
    """The series is complete, as it was."""
    record = ledger.complete(receive(ledger, 1, 2).id, "content")
    ledger.note_repeat(f"{SERIES}.1", NOON)

    ledger.settle(record.id)

    assert ledger.series(record.id).state is State.COMPLETE


def test_a_result_orders_a_delivery_for_each_peer(ledger: Ledger, orders: Orders) -> None:
    """The rows and the work stand together."""
    record = contoured(ledger, ("TPS", "PACS"))

    assert record.state is State.CONTOURED
    assert orders[1:] == [DeliveryOrder(1, 1, 0.0), DeliveryOrder(2, 1, 0.0)]
    assert [delivery.peer for delivery in ledger.deliveries()] == ["TPS", "PACS"]


def test_a_step_done_twice_orders_once(ledger: Ledger, orders: Orders) -> None:
    """A daemon killed behind the row notes the same result again, and nothing is sent twice."""
    record = contoured(ledger)
    ledger.note_sent(1, 0, "")

    ledger.note_result(new_result(record.id, record.generation), ["TPS"])

    assert len(ledger.deliveries()) == 1
    assert len(orders) == 2


def test_the_series_is_sent_when_every_peer_has_it(ledger: Ledger) -> None:
    """Not before."""
    record = contoured(ledger, ("TPS", "PACS"))

    ledger.note_sent(1, 0, "")
    one = ledger.series(record.id).state
    ledger.note_sent(2, 0, "")

    assert (one, ledger.series(record.id).state) == (State.CONTOURED, State.SENT)


def test_a_retry_is_ordered_with_its_delay(ledger: Ledger, orders: Orders) -> None:
    """The wake-up time is on disk."""
    contoured(ledger)

    ledger.note_retry(1, 0xA700, "full", delay=timedelta(seconds=20), refused=False)

    delivery = ledger.delivery(1)
    assert orders[-1] == DeliveryOrder(1, 2, 20.0)
    assert (delivery.attempts, delivery.next_attempt, delivery.status) == (1, NOON + timedelta(seconds=20), 0xA700)


def test_a_delivery_given_up_leaves_the_series_undelivered_until_it_is_retried(ledger: Ledger) -> None:
    """The operator's retry takes it up again."""
    record = contoured(ledger)
    ledger.note_given_up(1, 0xC000, "no", refused=True)
    undelivered = ledger.series(record.id).state

    ledger.retry_delivery(1)
    ledger.note_sent(1, 0, "")

    assert (undelivered, ledger.series(record.id).state) == (State.UNDELIVERED, State.SENT)


def test_an_outcome_of_a_cancelled_delivery_is_not_noted(ledger: Ledger) -> None:
    """The operator's word stands against an attempt that was in flight."""
    contoured(ledger)
    ledger.cancel_delivery(1)

    ledger.note_retry(1, None, "away", delay=timedelta(seconds=1), refused=False)

    assert ledger.delivery(1).state is DeliveryState.CANCELLED


def test_an_overdue_delivery_is_found(ledger: Ledger, clock: Clock) -> None:
    """One whose attempt was lost is seen, one that is about to be made is not."""
    contoured(ledger)

    assert ledger.overdue_deliveries(NOON) == []
    assert [delivery.id for delivery in ledger.overdue_deliveries(clock.forward(1))] == [1]


def test_failing_an_old_generation_does_not_touch_the_new(ledger: Ledger) -> None:
    """A late slice made the work obsolete."""
    record = ledger.complete(receive(ledger, 1).id, "one")
    ledger.note_instance(instance(2, NOON))
    ledger.complete(record.id, "two")

    ledger.fail(record.id, 1, "too late to matter")

    assert ledger.series(record.id).state is State.COMPLETE


def test_delivering_an_earlier_result_again_ends_as_sent(ledger: Ledger) -> None:
    """After a model was rolled back the older structure set is the series' own again."""
    record = contoured(ledger)
    ledger.note_sent(1, 0, "")
    second = ledger.complete(record.id, "content")
    ledger.note_result(new_result(record.id, second.generation, "2.25.2", path="results/two.dcm"), ["TPS"])
    ledger.note_sent(2, 0, "")

    ledger.deliver_again(1, ["TPS"])
    ledger.note_sent(3, 0, "")

    assert ledger.series(record.id).state is State.SENT


def test_our_structure_set_that_comes_back_is_known_as_ours(ledger: Ledger) -> None:
    """By its SOP Instance UID."""
    contoured(ledger)
    summary = StructureSetSummary("AI_0302_1200", "UNAPPROVED", 1, SERIES)
    for number, uid in enumerate(["2.25.1", "2.25.77"]):
        one = instance(number + 50, NOON, series="1.7", sop_instance_uid=uid, action="learn")
        ledger.note_structure_set(one, summary)

    assert {one.sop_instance_uid: one.ours for one in ledger.structure_sets()} == {"2.25.1": True, "2.25.77": False}


def test_the_same_conflict_twice_is_one(ledger: Ledger) -> None:
    """A sender that insists does not fill the list."""
    receive(ledger, 1)
    other = instance(1, NOON, sha256="f" * 64, path="conflicts/one.dcm")

    numbers = [ledger.note_conflict(other), ledger.note_conflict(other)]

    assert numbers == [1, 1]
    assert [conflict.sha256 for conflict in ledger.conflicts()] == ["f" * 64]


def test_an_accepted_conflict_replaces_the_instance_and_reopens_the_series(ledger: Ledger) -> None:
    """The structure set must be drawn on the new content."""
    record = contoured(ledger)
    other = instance(1, NOON, sha256="f" * 64)
    number = ledger.note_conflict(other)

    ledger.decide_conflict(number, "accepted", other)

    assert ledger.find_instance(other.sop_instance_uid) == other
    assert ledger.series(record.id).state is State.RECEIVING
    assert ledger.conflicts() == []


def test_an_open_alarm_is_counted_up_and_an_acknowledged_one_is_raised_anew(ledger: Ledger) -> None:
    """One thing is one line."""
    ledger.raise_alarm("held", "why", "abc")
    ledger.raise_alarm("held", "why still", "abc")
    [first] = ledger.alarms()
    ledger.acknowledge(first.id)
    ledger.raise_alarm("held", "again", "abc")

    assert (first.count, first.text) == (2, "why still")
    assert [alarm.text for alarm in ledger.alarms()] == ["again"]


def test_what_is_not_there_is_named(ledger: Ledger) -> None:
    """Each question about something unknown has its sentence."""
    with pytest.raises(NotFound, match="no series 7"):
        ledger.series(7)
    with pytest.raises(NotFound, match="no job 7"):
        ledger.delivery(7)
    with pytest.raises(NotFound, match="no open alarm 7"):
        ledger.acknowledge(7)
    with pytest.raises(NotFound, match="no open conflict 7"):
        ledger.conflict(7)


def test_a_held_series_cannot_fail(ledger: Ledger) -> None:
    """The table of transitions is asked."""
    record = receive(ledger, 1)
    ledger.hold(record.id, ["why"])

    with pytest.raises(TransitionError, match="held cannot become contoured"):
        ledger.deliver_again(ledger.note_result(new_result(record.id, 0), ["TPS"]).id, ["TPS"])


def test_a_ledger_that_cannot_be_asked_says_so(ledger: Ledger, tmp_path: Path) -> None:
    """The question past SQLAlchemy fails as any other does: the peer is told to come again."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as other:
        other.execute("DROP TABLE instances")
    other.close()

    with pytest.raises(LedgerUnavailable, match="OperationalError"):
        ledger.find_instance(f"{SERIES}.1")
