"""The watch's own rollback: from the version in service that a concern is about to the one before, if that verifies."""

from collections.abc import Sequence
from datetime import datetime

from adaptation.watch import Concern
from dicomnode.errors import ConfigurationError
from dicomnode.node import Books
from dicomnode.swapping import Decision, put_back
from segmentation.errors import BundleError, RegistryError
from segmentation.registry_history import BASE, Act, Entry, services
from segmentation.registry_version import sound_version

BY = "the watch"


def go_back(books: Books, concern: Concern, at: datetime) -> str:
    """Roll a version back that alone had drawn what a concern is about; return what was done or why not, in words.

    Nothing is done, and nothing said, where the concern is about several versions, about one that is not known, or
    about one that is not in service, as after a rollback. The audit is told by who calls, behind the alarm.

    Args:
        books: of the node.
        concern: that is a reason to go back.
        at: UTC.

    Raises:
        OSError: the disk refuses.
    """
    registry = books.examiner.models.registry
    for name in registry.names():
        entries = registry.history(name)
        stack = services(entries)
        if stack[-1] == BASE or concern.models != (stack[-1],):
            continue
        if was_put_back(entries, stack[-1]):
            return f"{name} is not rolled back once more: somebody put it into service again since {BY} did"
        try:
            refuse_unsound(books, name, stack[-2])
        except (ConfigurationError, BundleError, RegistryError) as error:
            return f"{name} is not rolled back: what was in service before cannot serve: {error}"
        swapped = put_back(books, name, Decision(BY, concern.text, at))
        return f"{BY} rolled {name} back: {swapped.in_words()}: {concern.text}"
    return ""


def was_put_back(entries: Sequence[Entry], digest: str) -> bool:
    """Return whether the watch has rolled a version back before: a person who promotes it again has the last word."""
    return any(
        entry.act is Act.ROLLED_BACK and entry.by == BY and services(entries[:place])[-1] == digest
        for place, entry in enumerate(entries)
    )


def refuse_unsound(books: Books, name: str, digest: str) -> None:
    """Refuse what was in service before if it is not there or does not verify; a person may go back further.

    Args:
        books: of the node.
        name: of the model.
        digest: of the version, or that of the base.

    Raises:
        BundleError: a version or the base does not verify.
        ConfigurationError: there is no base.
    """
    models = books.examiner.models
    if digest == BASE:
        models.base(name)
    else:
        sound_version(name, models.registry.find(name, digest).folder)
