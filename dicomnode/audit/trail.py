"""The audit's files: one line a record, synced; a new file each day and when one is full; several writers at once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from dicomnode.audit.chain import BEGINNING, Link, Record, faults_of, parse_record, record_after
from dicomnode.spool import make_directory, sync_directory

_TAIL = 1 << 16  # bytes; longer than any record, as syslog's 32 KiB


class Links(Protocol):
    """Who remembers both ends of the chain: the ledger."""

    def audit_link(self, which: str) -> Link:
        """Return the remembered "start" or "head"."""

    def note_audit_link(self, which: str, link: Link) -> None:
        """Remember it."""


class Trail:
    """The chain on disk.

    Args:
        folder: of its files, made if it is missing.
        links: remembers both ends.
        maximum_bytes: after which a new file is begun.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path, links: Links, *, maximum_bytes: int) -> None:
        make_directory(folder)
        self._folder = folder
        self._links = links
        self._maximum_bytes = maximum_bytes

    def append(self, text: str, now: datetime) -> Record:
        """Write a record; when this returns, no power cut can undo it.

        Raises:
            OSError: the disk refuses.
            LedgerUnavailable: the record is written, and the ledger could not be told; the next one tells it.
        """
        with self._locked():
            file, last = self._end()
            record = record_after(max(last, self._links.audit_link("head"), key=lambda link: link.sequence), text)
            line = f"{record.line}\n".encode()
            if file is None or _day_of(file) != now.date() or file.stat().st_size + len(line) > self._maximum_bytes:
                file = self._folder / f"audit-{record.sequence:012}-{now:%Y%m%d}.log"
            is_new = not file.exists()
            descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                _write_whole(descriptor, line)
            finally:
                os.close(descriptor)
            if is_new:
                sync_directory(self._folder)
            self._links.note_audit_link("head", record.link)
        return record

    def records(self, after: int) -> Iterator[Record]:
        """Yield the records behind a sequence number, oldest first."""
        files = self._files()
        begun = [file for file in files if _first_of(file) <= after + 1]
        for file in files[max(len(begun) - 1, 0) :]:
            with file.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    record = parse_record(line.rstrip("\n")) if line.endswith("\n") else None
                    if record is not None and record.sequence > after:
                        yield record

    def faults(self) -> list[str]:
        """Return in words what is wrong with the chain; empty if nothing is."""
        with self._locked():
            start, head = self._links.audit_link("start"), self._links.audit_link("head")
            return list(faults_of(self._numbered_lines(), start=start, head=head))

    def count(self) -> int:
        """Return how many records were ever written."""
        return self._links.audit_link("head").sequence

    def forget_before(self, day: date, *, sent: int) -> list[Path]:
        """Delete whole files that are older than a day; return them.

        Args:
            day: files of this day and later stay.
            sent: files with a record behind this one stay: they still wait for the repository.
        """
        gone = []
        with self._locked():
            files = self._files()
            for file, following in pairwise(files):  # the newest file always stays
                last = _last_link(file)
                if _day_of(file) >= day or last.sequence > sent or _first_of(following) != last.sequence + 1:
                    break
                self._links.note_audit_link("start", last)
                file.unlink()
                gone.append(file)
        return gone

    def _numbered_lines(self) -> Iterator[tuple[str, str]]:
        for file in self._files():
            with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
                for number, line in enumerate(lines, start=1):
                    yield f"{file.name}, line {number}", line.rstrip("\n")

    def _end(self) -> tuple[Path | None, Link]:
        """Return the newest file and its last record; what a power cut left of a line is taken away."""
        files = self._files()
        if not files:
            return None, BEGINNING
        file = files[-1]
        content = _tail_of(file)
        torn = len(content) - content.rfind(b"\n") - 1
        if torn:
            os.truncate(file, file.stat().st_size - torn)
        return file, _last_link(file)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("audit-*.log"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def keep_until(now: datetime, days: float) -> date:
    """Return the first day whose records are kept."""
    return (now - timedelta(days=days)).date()


def _last_link(file: Path) -> Link:
    """Return the place of the last whole record of a file."""
    for line in reversed(_tail_of(file).decode("utf-8", "replace").split("\n")):
        if record := parse_record(line):
            return record.link
    return BEGINNING


def _tail_of(file: Path) -> bytes:
    with file.open("rb") as content:
        content.seek(max(file.stat().st_size - _TAIL, 0))
        return content.read()


def _first_of(file: Path) -> int:
    return int(file.stem.split("-")[1])


def _day_of(file: Path) -> date:
    return datetime.strptime(f"{file.stem.split('-')[2]}+0000", "%Y%m%d%z").date()


def _write_whole(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]
    os.fsync(descriptor)
