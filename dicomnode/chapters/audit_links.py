"""What the ledger remembers of the audit's chain, so that a cut at either end is seen."""

import sqlalchemy as sa

from dicomnode.audit.chain import BEGINNING, Link
from dicomnode.chapters.page import Page
from dicomnode.tables import audit_links


class AuditLinks(Page):
    """The chapter of the audit's chain."""

    def audit_link(self, which: str) -> Link:
        """Return the place in the chain that is remembered as "start" or "head"; the beginning if none is."""
        with self._begin() as connection:
            row = connection.execute(
                sa.select(audit_links.c.sequence, audit_links.c.digest).where(audit_links.c.which == which)
            ).first()
        return Link(int(row.sequence), row.digest) if row else BEGINNING

    def note_audit_link(self, which: str, link: Link) -> None:
        """Remember a place in the chain as its "start" or "head"."""
        values = {"sequence": link.sequence, "digest": link.digest}
        with self._begin() as connection:
            changed = connection.execute(sa.update(audit_links).where(audit_links.c.which == which).values(**values))
            if changed.rowcount == 0:
                connection.execute(sa.insert(audit_links).values(which=which, **values))
