"""The operator hears of a disk that fills before it is full, and the ledger can be written to the end."""

from pathlib import Path

import pytest

from dicomnode.disk import DiskGuard, Level, Room, Watermarks
from dicomnode.spool import MIB

TOTAL = 1000 * MIB
WATERMARKS = Watermarks(minimum_free_mib=20, minimum_free_percent=5, alarm_free_percent=15, reserve_mib=4)


class Disk:
    """A file system that says what it is told to say, and a list of the alarms about it."""

    def __init__(self, folder: Path) -> None:
        self.free_mib = 900.0
        self.alarms: list[str] = []
        self.reserve = folder / "reserve"
        (folder / "incoming").mkdir()
        self.guard = DiskGuard(folder, WATERMARKS, self._alarm, lambda _: Room(TOTAL, int(self.free_mib * MIB)))

    def _alarm(self, kind: str, text: str, about: str) -> None:
        assert (kind, about) == ("disk", "disk")
        self.alarms.append(text)

    def at(self, *free_mib: float) -> None:
        for self.free_mib in free_mib:
            self.guard.step()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.mark.parametrize(
    ("free_mib", "level"),
    [
        (150, Level.ROOMY),
        (149, Level.LOW),
        (50, Level.LOW),
        (49, Level.REFUSING),
        (1, Level.REFUSING),
        (0.9, Level.FULL),
    ],
)
def test_each_level_begins_at_its_mark(free_mib: float, level: Level) -> None:
    """15 % is the alarm's, the larger of 20 MiB and 5 % the refusal's, a quarter of the reserve the reserve's."""
    assert WATERMARKS.level(Room(TOTAL, int(free_mib * MIB))) is level


def test_the_alarm_comes_once_for_each_level(disk: Disk) -> None:
    """A disk that fills is an alarm before instances are refused, and another when they are."""
    disk.at(900, 140, 139, 40, 39, 38)

    assert ["still taken" in text or "A700" in text for text in disk.alarms] == [True, True]


def test_it_comes_again_after_the_disk_had_room(disk: Disk) -> None:
    """Who acknowledged the first alarm hears of the second time."""
    disk.at(140, 900, 140)

    assert len(disk.alarms) == 2


def test_the_reserve_takes_blocks(disk: Disk) -> None:
    """Its space is really taken from the disk, not only its length."""
    disk.at(900)

    assert disk.reserve.stat().st_blocks * 512 >= 4 * MIB


def test_the_reserve_is_given_up_on_a_full_disk_and_made_again(disk: Disk) -> None:
    """It goes when next to nothing is free, stays away while nothing is taken, and is back when there is room."""
    there = []
    for free_mib in (900, 2, 0.5, 40, 53, 54):
        disk.at(free_mib)
        there.append(disk.reserve.exists())

    assert there == [True, True, False, False, False, True]


def test_a_reserve_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    """What could not be made whole does not take the room that there is."""
    (tmp_path / "incoming").mkdir()
    marks = Watermarks(0, 0, 0, reserve_mib=1 << 40)
    guard = DiskGuard(tmp_path, marks, lambda *_: None, lambda _: Room(1 << 70, 1 << 69))

    guard.step()

    assert [path.name for path in tmp_path.rglob("*")] == ["incoming"]
