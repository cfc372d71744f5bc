"""Putting a version of a model into service and back: looked at, tried, moved, and told to the audit."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from dicomnode.audit.message import Event, Kind, Party, Role
from dicomnode.children import build_contourer
from dicomnode.config import Configuration
from dicomnode.contourer import Contourer
from dicomnode.errors import NodeError, SwapRefused
from dicomnode.golden import try_golden_case
from dicomnode.models import Model, Models, models_of
from dicomnode.node import Books
from segmentation.durable import write_whole
from segmentation.errors import BundleError, RegistryError
from segmentation.registry_history import BASE, Act, digest_of, services
from segmentation.registry_version import Version

log = structlog.get_logger(__name__)

Tell = Callable[[Event], None]
HOW = {Act.PROMOTED: "promoted", Act.ROLLED_BACK: "rolled back"}
TOLD = "models.json"  # beside the audit's files: of each model the digest of the history's line that was told last


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
        return f"{self.before.in_words()} -> {self.after.in_words()}"

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
    before = models.find(name)
    refuse_swap(books.configuration, before, _model(version), contourer)
    models.registry.promote(name, version.digest, by=decision.by, why=decision.why, at=decision.at)
    swapped = _logged(Swapped(name, before, models.find(name)))
    tell_changes(books, tell=tell)
    return swapped


def roll_back(books: Books, name: str, decision: Decision, *, tell: Tell) -> Swapped:
    """Put what was in service before back into service, and tell the audit.

    Raises:
        RegistryError: no version is in service.
        BundleError: nothing that could serve verifies.
        OSError: the disk refuses.
    """
    swapped = put_back(books, name, decision)
    tell_changes(books, tell=tell)
    return swapped


def put_back(books: Books, name: str, decision: Decision) -> Swapped:
    """Put what was in service before back into service; its files are verified, nothing is computed.

    Raises:
        RegistryError: no version is in service.
        BundleError: nothing that could serve verifies.
        OSError: the disk refuses.
    """
    models = books.examiner.models
    before = models.find(name)
    models.registry.rollback(name, by=decision.by, why=decision.why, at=decision.at)
    return _logged(Swapped(name, before, models.find(name)))


def tell_changes(books: Books, *, tell: Tell) -> None:
    """Tell the audit which promotions and rollbacks it has not had: a kill came before, or a night's run made them.

    What was told last is remembered behind the telling: who is killed between the two has it told twice.

    Raises:
        OSError: the disk refuses; what was not told is told by the next call.
    """
    models, path = books.examiner.models, books.configuration.node.data_dir / "audit" / TOLD
    told = _told_last(path)
    for name in models.registry.names():
        entries = models.registry.history(name)
        digests = [digest_of(entry.line) for entry in entries]
        first = digests.index(told[name]) + 1 if told.get(name) in digests else 0
        for place in range(first, len(entries)):
            entry = entries[place]
            if entry.act in HOW:
                before, after = (_named(models, name, services(entries[:end])[-1]) for end in (place, place + 1))
                text = f"model {name} {HOW[entry.act]} by {entry.by}: {before} -> {after}: {entry.why}"
                tell(Event(Kind.SOFTWARE_CONFIGURATION, entry.at, (_node(books),), text=text))
            told[name] = digests[place]
            write_whole(path, json.dumps(told).encode())


def _told_last(path: Path) -> dict[str, str]:
    """Return what was told last; a file that somebody spoilt is none: all is told again, and the node starts."""
    try:
        told = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def objection(configuration: Configuration, version: Version) -> str:
    """Return why a version may not replace what is in service, by all that a promotion asks for; nothing if it may.

    Raises:
        OSError: the disk refuses.
    """
    contourer = build_contourer(configuration)
    try:
        before = models_of(configuration).find(version.name)
        refuse_swap(configuration, before, _model(version), contourer)
    except (NodeError, BundleError) as error:
        return str(error)
    finally:
        contourer.close()
    return ""


def refuse_swap(configuration: Configuration, before: Model, candidate: Model, contourer: Contourer) -> None:
    """Refuse a version that must not replace what is in service.

    Raises:
        SwapRefused: with every reason.
        ContouringError: the golden case cannot be tried.
    """
    refuse_misfit(before, candidate)
    refuse_golden_faults(configuration, before, candidate, contourer)


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


def refuse_golden_faults(configuration: Configuration, before: Model, candidate: Model, contourer: Contourer) -> None:
    """Refuse a version that draws the golden case worse than what is in service, or other than it once did itself.

    Raises:
        SwapRefused: with every reason.
        ContouringError: it cannot be tried.
    """
    try_golden_case(configuration, contourer, before)
    report = try_golden_case(configuration, contourer, candidate, beside=before)
    if report.faults:
        raise SwapRefused(f"the golden case: {'; '.join(report.faults)}")


def _logged(swapped: Swapped) -> Swapped:
    log.info("the model in service was changed", model=swapped.name, change=swapped.in_words())
    return swapped


def _node(books: Books) -> Party:
    return Party(books.configuration.node.ae_title, Role.APPLICATION, os.uname().nodename)


def _model(version: Version) -> Model:
    return Model(version.folder, version.manifest, version.digest)


def _named(models: Models, name: str, digest: str) -> str:
    """Return a version, or the base, as the audit names it; one that is not there any more has its digest only."""
    try:
        model = _model(models.registry.find(name, digest)) if digest != BASE else models.base(name)
    except (NodeError, BundleError, RegistryError):
        return digest[:12] or "the base"
    return model.in_words()
