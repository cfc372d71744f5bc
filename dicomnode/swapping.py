"""Putting a version of a model into service and back: looked at, tried, moved, and told to the audit."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from dicomnode.audit.message import Event, Kind, Party, Role
from dicomnode.contourer import Contourer
from dicomnode.errors import SwapRefused
from dicomnode.golden import try_golden_case
from dicomnode.models import Model
from dicomnode.node import Books
from segmentation.registry_history import Act
from segmentation.registry_version import Version

log = structlog.get_logger(__name__)

Tell = Callable[[Event], None]


@dataclass(frozen=True)
class Decision:
    """Who wants what is in service changed.

    Args:
        by: a person, or what of the node decided.
        why: in words, without a patient's name.
        at: UTC.
    """

    by: str
    why: str
    at: datetime


@dataclass(frozen=True)
class Swapped:
    """What is in service now, and what was.

    Args:
        name: of the model.
        before: version and digest.
        after: likewise.
    """

    name: str
    before: Model
    after: Model

    def in_words(self) -> str:
        """Return what became of what."""
        return f"{_named(self.before)} -> {_named(self.after)}"

    def as_json(self) -> dict[str, str]:
        """Return it as JSON has it."""
        before, after = self.before, self.after
        return {
            "model": self.name,
            "before": before.manifest.version,
            "before_digest": before.digest,
            "version": after.manifest.version,
            "digest": after.digest,
        }


def promote(books: Books, version: Version, decision: Decision, *, contourer: Contourer, tell: Tell) -> Swapped:
    """Put a version into service: the next series is contoured by it, one that is under way by what began it.

    Args:
        books: of the node.
        version: that goes into service.
        decision: of whom and why.
        contourer: tries the golden case, before anything changes.
        tell: takes the event for the audit.

    Raises:
        SwapRefused: with every reason.
        RegistryError, BundleError: it does not verify, or is in service already.
    """
    models, name = books.examiner.models, version.name
    before, candidate = models.find(name), Model(version.folder, version.manifest, version.digest)
    refuse_misfit(before, candidate)
    refuse_golden_faults(books, before, candidate, contourer)
    models.registry.promote(name, version.digest, by=decision.by, why=decision.why, at=decision.at)
    return _told(books, Swapped(name, before, models.find(name)), "promoted", decision, tell)


def roll_back(books: Books, name: str, decision: Decision, *, tell: Tell) -> Swapped:
    """Put what was in service before back into service; its files are verified, nothing is computed.

    Raises:
        RegistryError: no version is in service.
        BundleError: nothing that could serve verifies.
    """
    models = books.examiner.models
    before = models.find(name)
    models.registry.rollback(name, by=decision.by, why=decision.why, at=decision.at)
    return _told(books, Swapped(name, before, models.find(name)), "rolled back", decision, tell)


def tell_promotions(books: Books, name: str, since: datetime, *, tell: Tell) -> None:
    """Tell the audit what a night's run, which knows no audit, has put into service since it began."""
    for entry in books.examiner.models.registry.history(name):
        if entry.act is Act.PROMOTED and entry.at >= since:
            text = f"model {name} promoted by {entry.by}: {entry.digest[:12]}: {entry.why}"
            tell(Event(Kind.SOFTWARE_CONFIGURATION, entry.at, (_node(books),), text=text))


def refuse_misfit(before: Model, candidate: Model) -> None:
    """Refuse a version that is for something else than what it would replace.

    Raises:
        SwapRefused: with every reason.
    """
    old, new = before.manifest, candidate.manifest
    reasons = [f"it does not draw {organ}" for organ in old.organs if organ not in new.organs]
    if old.purpose != new.purpose:
        reasons.append(f"it is for {new.purpose}s, and what is in service for {old.purpose}s")
    if reasons:
        raise SwapRefused(f"the version {new.version} cannot replace {old.version}: {'; '.join(reasons)}")


def refuse_golden_faults(books: Books, before: Model, candidate: Model, contourer: Contourer) -> None:
    """Refuse a version that draws the golden case worse than what is in service, or other than it once did itself.

    Raises:
        SwapRefused: with every reason.
        ContouringError: it cannot be tried.
    """
    try_golden_case(books.configuration, contourer, before)
    report = try_golden_case(books.configuration, contourer, candidate, beside=before)
    if report.faults:
        raise SwapRefused(f"the golden case: {'; '.join(report.faults)}")


def _told(books: Books, swapped: Swapped, how: str, decision: Decision, tell: Tell) -> Swapped:
    text = f"model {swapped.name} {how} by {decision.by}: {swapped.in_words()}: {decision.why}"
    tell(Event(Kind.SOFTWARE_CONFIGURATION, decision.at, (_node(books),), text=text))
    log.info("the model in service was changed", model=swapped.name, how=how, change=swapped.in_words())
    return swapped


def _node(books: Books) -> Party:
    return Party(books.configuration.node.ae_title, Role.APPLICATION, os.uname().nodename)


def _named(model: Model) -> str:
    return f"{model.manifest.version} ({model.digest[:12]})"
