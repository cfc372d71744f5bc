"""How much room the disk has: the watermark, the alarm before it, and the reserve that keeps the ledger going."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import structlog

from dicomnode.spool import MIB, sync_directory, watermark

log = structlog.get_logger(__name__)

RELEASED_AT = 4  # the reserve is released when less than a quarter of its size is free beside it

RaiseAlarm = Callable[[str, str, str], None]
"""Raises an alarm of a kind, with a text, about something."""


class Level(IntEnum):
    """How near to full the disk is; the higher, the worse."""

    ROOMY = 0
    LOW = 1  # nothing is refused yet
    REFUSING = 2  # instances are refused with A700
    FULL = 3  # the reserve was given up, so that rows can still be written


@dataclass(frozen=True)
class Room:
    """What a file system has, in bytes."""

    total: int
    free: int


@dataclass(frozen=True)
class Watermarks:
    """Below which free space something happens.

    Args:
        minimum_free_mib: instances are refused, in MiB.
        minimum_free_percent: or, where that is more, in percent of the file system.
        alarm_free_percent: an alarm is raised, in percent; never later than instances are refused.
        reserve_mib: size of the reserve, in MiB; 0 for none.
    """

    minimum_free_mib: float
    minimum_free_percent: float
    alarm_free_percent: float
    reserve_mib: float

    def level(self, room: Room) -> Level:
        """Return how near to full the disk is."""
        if self.reserve_mib and room.free < self.reserve_mib * MIB / RELEASED_AT:
            return Level.FULL
        if room.free < self.refusing_below(room):
            return Level.REFUSING
        return Level.LOW if room.free < room.total * self.alarm_free_percent / 100 else Level.ROOMY

    def refusing_below(self, room: Room) -> float:
        """Return the free space below which instances are refused, in bytes."""
        return watermark(room.total, self.minimum_free_mib, self.minimum_free_percent)


def room_of(folder: Path) -> Room:
    """Return what the file system of a folder has.

    Raises:
        OSError: it cannot be asked.
    """
    usage = shutil.disk_usage(folder)
    return Room(usage.total, usage.free)


class DiskGuard:
    """Looks at the disk again and again; tells the operator before it is full, and gives up the reserve when it is.

    Args:
        data_dir: the node's data folder; the file `reserve` is made in it.
        watermarks: when something happens.
        raise_alarm: tells the operator.
        measure: the room of the file system.
    """

    def __init__(
        self,
        data_dir: Path,
        watermarks: Watermarks,
        raise_alarm: RaiseAlarm,
        measure: Callable[[Path], Room] = room_of,
    ) -> None:
        self._data_dir = data_dir
        self._reserve = data_dir / "reserve"
        self._watermarks = watermarks
        self._raise_alarm = raise_alarm
        self._measure = measure
        self._level = Level.ROOMY

    def step(self) -> None:
        """Look once.

        Raises:
            LedgerUnavailable: the alarm could not be written; the next step tries again.
        """
        try:
            room = self._measure(self._data_dir)
        except OSError as error:
            log.warning("the disk cannot be asked for its space", reason=error.strerror)
            return
        level = self._watermarks.level(room)
        if level is Level.FULL:
            self._give_up_reserve()
        elif room.free >= self._watermarks.refusing_below(room) + self._watermarks.reserve_mib * MIB:
            self._make_reserve()
        if level > self._level:
            self._raise_alarm("disk", _in_words(level, room), "disk")
        elif level < self._level:
            log.info("the disk has more room again", free_mib=room.free // MIB, level=level.name.lower())
        self._level = level

    def _give_up_reserve(self) -> None:
        if self._reserve.exists():
            self._reserve.unlink(missing_ok=True)
            log.error("the disk is full: the reserve is given up, so that the ledger can still be written")

    def _make_reserve(self) -> None:
        if not self._watermarks.reserve_mib or self._reserve.exists():
            return
        part = self._data_dir / "incoming" / "reserve.part"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                # Blocks and not a hole: what is only a length can be taken by others.
                os.posix_fallocate(descriptor, 0, int(self._watermarks.reserve_mib * MIB))
            finally:
                os.close(descriptor)
            part.replace(self._reserve)
            sync_directory(self._data_dir)
        except OSError as error:
            part.unlink(missing_ok=True)
            log.warning("the reserve cannot be made", reason=error.strerror)


def _in_words(level: Level, room: Room) -> str:
    state = f"{room.free // MIB} MiB are free, {100 * room.free / room.total:.1f} % of the disk"
    happens = {
        Level.LOW: "instances are still taken",
        Level.REFUSING: "instances are refused with A700",
        Level.FULL: "instances are refused with A700, and the ledger writes into its reserve",
    }
    return f"the disk of the data folder is nearly full: {state}; {happens[level]}"
