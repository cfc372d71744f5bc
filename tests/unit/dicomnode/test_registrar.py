"""Rows are known at once, written in groups, and not lost while the ledger is away."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.errors import LedgerUnavailable, SpoolFull
from dicomnode.ledger import Ledger
from dicomnode.records import Arrived, StructureSetSummary
from dicomnode.registrar import MOST_WAITING, Registrar
from dicomnode.series import State
from tests.support.books import NOON, SERIES, Clock, Orders, instance, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path, Clock(), Orders())


@pytest.fixture
def registrar(ledger: Ledger) -> Iterator[Registrar]:
    registrar = Registrar(ledger, lambda path: f"digest of {path}")
    yield registrar
    registrar.close()


@pytest.fixture
def locked(tmp_path: Path, ledger: Ledger) -> Iterator[sqlite3.Connection]:
    """Hold the database against every writer; close to let go."""
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_a_row_is_known_before_and_after_it_is_written(registrar: Registrar, ledger: Ledger) -> None:
    """Whoever asks sees no difference, and the series is open."""
    one = instance(1, NOON)

    registrar.note_instance(one)
    before, waits = registrar.find_instance(one.sop_instance_uid), registrar.has_waiting(SERIES)
    settled = registrar.settle(10.0)

    assert (before, waits, settled) == (one, True, True)
    assert registrar.find_instance(one.sop_instance_uid) == ledger.find_instance(one.sop_instance_uid) == one
    assert not registrar.has_waiting(SERIES)
    assert [record.state for record in ledger.series_in()] == [State.RECEIVING]


def test_a_group_is_what_its_rows_would_be_one_by_one(registrar: Registrar, ledger: Ledger) -> None:
    """Two series, a structure set and a repeat in one go: first and last times are those of each series."""
    later = Clock().forward(30)
    for row in (instance(1, NOON), instance(2, later), instance(3, NOON, series="1.9")):
        registrar.note_instance(row)
    registrar.note_structure_set(instance(4, NOON, series="1.8", action="learn"), StructureSetSummary("A", "", 2, ""))
    registrar.note_repeat("1.9.3", later)
    registrar.settle(10.0)

    times = {one.series_instance_uid: (one.first_received, one.last_received) for one in ledger.series_in()}
    assert times == {SERIES: (NOON, later), "1.9": (NOON, later)}
    assert [one.roi_count for one in ledger.structure_sets()] == [2]


def test_series_of_a_group_are_numbered_in_the_order_in_which_they_came(ledger: Ledger) -> None:
    """The first that came has the lowest number, however many come at once."""
    ledger.note_arrivals([Arrived(instance(1, NOON, series=series)) for series in ("1.9", "1.5", "1.7")])

    assert [record.series_instance_uid for record in ledger.series_in()] == ["1.9", "1.5", "1.7"]


def test_rows_wait_while_the_ledger_is_away(registrar: Registrar, ledger: Ledger, locked: sqlite3.Connection) -> None:
    """None is lost, and they are written when it is back."""
    registrar.note_instance(instance(1, NOON))

    settled = registrar.settle(0.5)
    locked.close()

    assert not settled
    assert registrar.settle(20.0)
    assert ledger.find_instance(f"{SERIES}.1") == instance(1, NOON)


def test_too_many_rows_that_wait_refuse_the_next(registrar: Registrar, locked: sqlite3.Connection) -> None:
    """What waits in memory has an end: the peer is told to come again."""
    for number in range(MOST_WAITING):
        registrar.note_instance(instance(number, NOON))

    with pytest.raises(LedgerUnavailable, match="rows wait"):
        registrar.find_instance("1.2.3.4.5")
    locked.close()


def test_a_row_that_cannot_be_written_keeps_no_other_out(registrar: Registrar, ledger: Ledger) -> None:
    """The same instance twice, which intake never lets happen: the rest of the group is written."""
    for number in (1, 1, 2):
        registrar.note_instance(instance(number, NOON))

    assert registrar.settle(10.0)
    assert {one.sop_instance_uid for one in ledger.instances_of(SERIES)} == {f"{SERIES}.1", f"{SERIES}.2"}


def test_what_comes_without_a_digest_is_digested(registrar: Registrar, ledger: Ledger) -> None:
    """Nobody who sends waits for it."""
    registrar.note_instance(instance(1, NOON, sha256="", path="a.dcm"))
    registrar.settle(10.0)

    found = ledger.find_instance(f"{SERIES}.1")
    assert found is not None
    assert found.sha256 == "digest of a.dcm"


def test_a_file_that_cannot_be_read_keeps_no_other_row_out(ledger: Ledger) -> None:
    """Its row is written when the next start finds the file."""

    def unreadable(path: str) -> str:
        raise SpoolFull(path)

    registrar = Registrar(ledger, unreadable)
    registrar.note_instance(instance(1, NOON, sha256=""))
    registrar.note_instance(instance(2, NOON))
    registrar.close()

    assert [one.sop_instance_uid for one in ledger.instances_of(SERIES)] == [f"{SERIES}.2"]


def test_closing_writes_what_waits(ledger: Ledger) -> None:
    """A daemon that stops leaves no row behind."""
    registrar = Registrar(ledger, lambda path: f"digest of {path}")
    registrar.note_instance(instance(1, NOON))

    registrar.close()

    assert ledger.find_instance(f"{SERIES}.1") is not None
