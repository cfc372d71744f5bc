"""Whatever is done to a chain of audit records is seen and named."""

import pytest

from dicomnode.audit.chain import BEGINNING, Link, Record, faults_of, parse_record, record_after


def chain(length: int = 5) -> list[Record]:
    """Return a whole chain."""
    records: list[Record] = []
    for number in range(1, length + 1):
        records.append(record_after(records[-1].link if records else BEGINNING, f"<event {number}/>"))
    return records


WHOLE = chain()
LINES = [record.line for record in WHOLE]
HEAD = WHOLE[-1].link


def faults(lines: list[str], *, start: Link = BEGINNING, head: Link = HEAD) -> str:
    """Return what is wrong with the lines, as one text."""
    return "; ".join(faults_of([(f"line {n}", line) for n, line in enumerate(lines, 1)], start=start, head=head))


def test_a_whole_chain_has_no_fault() -> None:
    """Also an empty one, one whose beginning was deleted by age, and one that the ledger is a record behind of."""
    assert faults(LINES) == ""
    assert faults([], head=BEGINNING) == ""
    assert faults(LINES[2:], start=WHOLE[1].link) == ""
    assert faults(LINES, head=WHOLE[3].link) == ""


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (LINES[:2] + LINES[3:], "line 3: record 3 is missing"),
        (LINES[:1] + LINES[4:], "line 2: records 2 to 4 are missing"),
        (LINES[2:], "line 1: records 1 to 2 are missing"),
        (LINES[:3], "at the end records 4 to 5 are missing"),
        ([], "at the end records 1 to 5 are missing"),
        ([LINES[0], LINES[2], LINES[1], *LINES[3:]], "line 3: record 2 stands behind record 3"),
        ([*LINES, LINES[0]], "line 6: record 1 stands behind record 5"),
        ([LINES[0], "nonsense", *LINES[1:]], "line 2 is no audit record"),
        ([*LINES[:2], LINES[2].replace("event", "EVENT"), *LINES[3:]], "line 4: record 4 does not follow record 3"),
        ([*LINES[:4], LINES[4].replace("event", "EVENT")], "record 5 is not the one that the ledger remembers"),
    ],
)
def test_what_was_done_is_named(lines: list[str], fault: str) -> None:
    """Removal, cuts at both ends, exchange, repetition, insertion and change each have their words."""
    assert fault in faults(lines)


def test_a_chain_that_was_computed_anew_is_not_the_ledgers() -> None:
    """Whoever changes a record and all digests behind it is betrayed by the newest one."""
    forged = [record_after(BEGINNING, "<nothing/>")]
    for record in WHOLE[1:]:
        forged.append(record_after(forged[-1].link, record.text))

    assert faults([record.line for record in forged]) == "line 5: record 5 is not the one that the ledger remembers"


def test_a_line_is_read_as_it_was_written() -> None:
    """The record of a record's line is that record."""
    assert [parse_record(line) for line in LINES] == WHOLE
