"""A version of a model put into service, after it has drawn the golden case."""

from dicomnode.children import build_contourer
from dicomnode.commands.models import decision_of, find_version
from dicomnode.node import Books
from dicomnode.swapping import Swapped, promote


def promote_version(books: Books, called: str, *, by: str, why: str) -> Swapped:
    """Put a version into service, if the golden case lets it.

    Args:
        books: of the node.
        called: NAME@VERSION.
        by: who decides; empty for the account.
        why: in words.

    Raises:
        SwapRefused: with every reason.
        RegistryError: there is no such version, or it is in service already.
    """
    contourer = build_contourer(books.configuration)
    try:
        version, decision = find_version(books, called), decision_of(by, why)
        return promote(books, version, decision, contourer=contourer, tell=books.auditor.write)
    finally:
        contourer.close()
