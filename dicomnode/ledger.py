"""What arrived, what became of it, what was delivered: one row each, and the work that a row calls for beside it."""

from dicomnode.chapters.alarms import AlarmList
from dicomnode.chapters.audit_links import AuditLinks
from dicomnode.chapters.commitments import CommitmentRequests
from dicomnode.chapters.conflicts import Conflicts
from dicomnode.chapters.counts import Counts
from dicomnode.chapters.proofs import Proofs
from dicomnode.chapters.purging import Purging


class Ledger(Conflicts, Proofs, CommitmentRequests, AlarmList, AuditLinks, Counts, Purging):
    """The node's memory, in SQLite or PostgreSQL; each of its chapters stands in a file of its own."""
