"""The audit's chain, verified."""

from dataclasses import dataclass

from dicomnode.audit.message import Kind
from dicomnode.audit.operator import operator_event
from dicomnode.node import Books


@dataclass(frozen=True)
class ChainReport:
    """What was found in the audit's chain.

    Args:
        records: that were ever written.
        faults: in words; empty if the chain is whole.
    """

    records: int
    faults: tuple[str, ...]


def verify_audit(books: Books) -> ChainReport:
    """Look for records that were removed, changed, exchanged or cut off."""
    report = ChainReport(books.trail.count(), tuple(books.trail.faults()))
    books.auditor.write(operator_event(books, Kind.AUDIT_LOG_USED, "audit verify"))
    return report
