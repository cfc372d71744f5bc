"""What is too old by the rules of the configuration, purged or only shown."""

from dataclasses import asdict

from dicomnode.commands.series import plain
from dicomnode.node import Books
from dicomnode.purge import Purge, Purged


def purge_node(books: Books, *, dry: bool) -> list[Purged]:
    """Purge what is too old; return what went, or what would go.

    Raises:
        LedgerUnavailable: the ledger could not be asked.
        OSError: the disk refuses.
    """
    return Purge(books, books.auditor.write).run(dry=dry)


def as_json(purged: Purged) -> dict[str, object]:
    """Return one thing as JSON has it."""
    return {key: plain(value) for key, value in asdict(purged).items()}
