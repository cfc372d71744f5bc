"""The chain of audit records: each carries the SHA-256 of the one before, so that no change stays unseen (pure)."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE = re.compile(r"(\d+) ([0-9a-f]{64}) (.+)")


@dataclass(frozen=True)
class Link:
    """A place in the chain.

    Args:
        sequence: number of a record, from 1; 0 stands before the first.
        digest: hex SHA-256 of that record's line.
    """

    sequence: int
    digest: str


BEGINNING = Link(0, "0" * 64)


@dataclass(frozen=True)
class Record:
    """One audit record.

    Args:
        sequence: its number, from 1.
        previous: digest of the record before.
        text: the audit message.
    """

    sequence: int
    previous: str
    text: str

    @property
    def line(self) -> str:
        """The record as it stands in the file, without the end of the line."""
        return f"{self.sequence} {self.previous} {self.text}"

    @property
    def link(self) -> Link:
        """Its place in the chain, which the next record carries."""
        return Link(self.sequence, hashlib.sha256(self.line.encode()).hexdigest())


def record_after(link: Link, text: str) -> Record:
    """Return the record that follows a place in the chain."""
    return Record(link.sequence + 1, link.digest, text)


def parse_record(line: str) -> Record | None:
    """Return the record of a line, or None where it is none."""
    match = _LINE.fullmatch(line)
    return Record(int(match[1]), match[2], match[3]) if match else None


def faults_of(lines: Iterable[tuple[str, str]], *, start: Link, head: Link) -> Iterator[str]:
    """Yield in words what is wrong with a chain.

    Args:
        lines: where each stands, for the operator, and the line without its end.
        start: the place before the oldest record that must be there.
        head: the newest record that must be there, as the ledger remembers it.
    """
    before, remembered = start, head.sequence <= start.sequence
    for place, line in lines:
        record = parse_record(line)
        if record is None:
            yield f"{place} is no audit record"
            continue
        if record.sequence > before.sequence + 1:
            yield f"{place}: {_records(before.sequence + 1, record.sequence - 1)} missing"
        elif record.sequence <= before.sequence:
            yield f"{place}: record {record.sequence} stands behind record {before.sequence}"
        elif record.previous != before.digest:
            yield f"{place}: record {record.sequence} does not follow record {before.sequence}: one was changed"
        if record.sequence == head.sequence:
            remembered = True
            if record.link != head:
                yield f"{place}: record {record.sequence} is not the one that the ledger remembers"
        before = record.link
    if not remembered and before.sequence < head.sequence:
        yield f"at the end {_records(before.sequence + 1, head.sequence)} missing"


def _records(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"
