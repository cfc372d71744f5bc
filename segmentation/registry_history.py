"""The history of a model's versions: what was done with each, line chained to line, and what it comes to (pure)."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, ValidationError

BASE = ""
"""In place of a digest: no version is in service, and the bundle that the site has or the project ships is."""
BEGINNING = "0" * 64


class Act(StrEnum):
    """What was done with a version."""

    ADDED = "added"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back to"
    SHADOWED = "put into the shadow"
    MARKED = "marked"
    REMOVED = "removed"


class Entry(BaseModel):
    """One line of the history.

    Args:
        number: from 1.
        at: UTC.
        act: what was done.
        digest: of the version with which it was done; `BASE` where no version is meant.
        by: whom.
        why: in words; of a mark its text.
        before: hex SHA-256 of the line before, `BEGINNING` before the first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    at: datetime
    act: Act
    digest: str
    by: str
    why: str
    before: str

    @property
    def line(self) -> str:
        """The entry as it stands in the file, without the end of the line."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))


def entry_after(lines: Sequence[str], act: Act, digest: str, *, by: str, why: str, at: datetime) -> Entry:
    """Return the entry that follows the lines of a history."""
    return Entry(
        number=len(lines) + 1,
        at=at,
        act=act,
        digest=digest,
        by=by,
        why=why,
        before=digest_of(lines[-1]) if lines else BEGINNING,
    )


def digest_of(line: str) -> str:
    """Return the hex SHA-256 of a line."""
    return hashlib.sha256(line.encode()).hexdigest()


def parse_lines(lines: Iterable[str]) -> tuple[Entry, ...]:
    """Return the entries of a history; a line that is none is passed over, `faults_of` names it."""
    return tuple(entry for line in lines if (entry := parse_line(line)))


def parse_line(line: str) -> Entry | None:
    """Return the entry of a line, or None where it is none."""
    try:
        return Entry.model_validate_json(line)
    except ValidationError:
        return None


def faults_of(lines: Sequence[str]) -> Iterator[str]:
    """Yield in words which lines were changed, removed or put in by somebody else than the registry.

    A history that was cut at its end is whole in itself: the audit has a message of each promotion and rollback.
    """
    before = BEGINNING
    for number, line in enumerate(lines, start=1):
        entry = parse_line(line)
        if entry is None:
            yield f"line {number} of the history is no entry"
        elif entry.before != before or entry.number != number:
            yield f"line {number} of the history does not follow the line before it"
        before = digest_of(line)


def services(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return what was in service before what is, oldest first; the last one is in service, `BASE` was the first."""
    stack = [BASE]
    for entry in entries:
        if entry.act is Act.PROMOTED and stack[-1] != entry.digest:
            stack.append(entry.digest)
        elif entry.act is Act.ROLLED_BACK and entry.digest in stack:
            while stack[-1] != entry.digest:
                stack.pop()
    return tuple(stack)


def shadow(entries: Iterable[Entry]) -> str:
    """Return the version that contours unseen beside the one in service, `BASE` where there is none."""
    put = [entry.digest for entry in entries if entry.act is Act.SHADOWED]
    return put[-1] if put else BASE


def marks(entries: Iterable[Entry], digest: str) -> tuple[str, ...]:
    """Return what a version was marked with, oldest first."""
    return tuple(entry.why for entry in entries if entry.act is Act.MARKED and entry.digest == digest)


def is_removed(entries: Iterable[Entry], digest: str) -> bool | None:
    """Return whether a version is to be there no longer; None where the history knows nothing of it."""
    last = [entry.act for entry in entries if entry.digest == digest and entry.act in {Act.ADDED, Act.REMOVED}]
    return last[-1] is Act.REMOVED if last else None


def surplus(entries: Sequence[Entry], present: Iterable[str], keep: int) -> tuple[str, ...]:
    """Return which versions are kept no longer.

    The version in service, the one in the shadow, the last few that were in service before, and the newest few of
    the others are kept: candidates, and what was rolled back.

    Args:
        entries: of the history.
        present: digests of the versions that there are.
        keep: how many previous ones and how many others.
    """
    stack = services(entries)
    previous = [digest for digest in dict.fromkeys(reversed(stack[:-1])) if digest not in {BASE, stack[-1]}]
    in_use, there = {stack[-1], shadow(entries)}, set(present)
    newest = dict.fromkeys(entry.digest for entry in reversed(entries) if entry.act in {Act.ADDED, Act.PROMOTED})
    others = [digest for digest in newest if digest in there and digest not in {*stack, *in_use}]
    return tuple(digest for digest in (*previous[keep:], *others[keep:]) if digest in there and digest not in in_use)
