"""The audit's files: whole after a power cut, in turn from many writers, begun anew by day and size, deleted by age."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from dicomnode.audit.trail import Trail, keep_until
from dicomnode.ledger import Ledger
from tests.support.books import NOON, Clock, Orders, open_ledger

DAY = timedelta(days=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path, Clock(), Orders())
    yield ledger
    ledger._engine.dispose()


@pytest.fixture
def trail(tmp_path: Path, ledger: Ledger) -> Trail:
    return Trail(tmp_path / "audit", ledger, maximum_bytes=1000)


def files(trail: Trail) -> list[Path]:
    """Return the files, oldest first."""
    return sorted(trail._folder.glob("*.log"))


def test_what_is_appended_is_read(trail: Trail) -> None:
    """Records come back in order, from any number on."""
    for number in range(30):
        trail.append(f"<event {number}/>", NOON)

    assert [record.text for record in trail.records(27)] == ["<event 27/>", "<event 28/>", "<event 29/>"]
    assert [record.sequence for record in trail.records(0)] == list(range(1, 31))
    assert trail.faults() == []


def test_a_new_file_begins_when_one_is_full_and_each_day(trail: Trail) -> None:
    """No file is larger than allowed or of two days, and the chain goes through them all."""
    for number in range(20):
        trail.append(f"<event {number}/>", NOON + number // 15 * DAY)

    assert all(file.stat().st_size <= 1000 for file in files(trail))
    assert {file.stem[-8:] for file in files(trail)} == {"20260302", "20260303"}
    assert trail.faults() == []


def test_many_writers_take_turns(tmp_path: Path, ledger: Ledger) -> None:
    """Trails of several processes on one folder write one chain."""
    trails = [Trail(tmp_path / "audit", ledger, maximum_bytes=10_000) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(trails[n % 4].append, f"<event {n}/>", NOON) for n in range(40)]:
            done.result()

    assert trails[0].faults() == []
    assert trails[0].count() == 40


def test_what_a_power_cut_left_of_a_line_goes(trail: Trail) -> None:
    """A record that was not written whole is no record, and the next one takes its place."""
    trail.append("<event/>", NOON)
    with files(trail)[0].open("a") as file:
        file.write("2 0000")

    trail.append("<event/>", NOON)

    assert trail.faults() == []
    assert [record.sequence for record in trail.records(0)] == [1, 2]


def test_writing_on_after_a_cut_does_not_hide_it(trail: Trail) -> None:
    """Whoever removes the newest records is betrayed although the node has written more since."""
    for number in range(4):
        trail.append(f"<event {number}/>", NOON)
    [file] = files(trail)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))

    trail.append("<event 4/>", NOON)

    assert trail.faults() == ["audit-000000000001-20260302.log, line 3: records 3 to 4 are missing"]


def test_old_files_go_and_the_chain_is_whole(trail: Trail) -> None:
    """Files of days before the first that is kept are deleted, and the ledger knows where the chain begins now."""
    for number in range(5):
        trail.append(f"<event {number}/>", NOON + number * DAY)

    gone = trail.forget_before(keep_until(NOON + 4 * DAY, 2), sent=5)

    assert [file.name[-12:-4] for file in gone] == ["20260302", "20260303"]
    assert trail.faults() == []
    assert trail.append("<event/>", NOON + 4 * DAY).sequence == 6


def test_what_the_repository_has_not_got_stays(trail: Trail) -> None:
    """An old file with a record that was not sent yet is kept, and so is the newest file."""
    for number in range(3):
        trail.append(f"<event {number}/>", NOON + number * DAY)

    assert len(trail.forget_before(keep_until(NOON + 9 * DAY, 1), sent=1)) == 1
    assert len(trail.forget_before(keep_until(NOON + 9 * DAY, 1), sent=3)) == 1
    assert len(files(trail)) == 1


def test_only_the_service_can_read_it(trail: Trail) -> None:
    """Files are 0600 in a folder that is 0700."""
    trail.append("<event/>", NOON)

    assert (files(trail)[0].stat().st_mode & 0o777, trail._folder.stat().st_mode & 0o777) == (0o600, 0o700)
