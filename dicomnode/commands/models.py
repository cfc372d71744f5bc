"""The versions of the node's models: listed, shown, verified, carried from machine to machine, and rolled back."""

import getpass
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dicomnode.errors import ConfigurationError
from dicomnode.models import Model, Models, names_in_service
from dicomnode.node import Books
from dicomnode.shadowing import seen_by
from dicomnode.swapping import Decision, Swapped, roll_back
from segmentation.errors import SegmentationError
from segmentation.registry_version import Version
from segmentation.version_file import export_version, import_version


@dataclass(frozen=True)
class ModelView:
    """A model, and what serves under its name.

    Args:
        name: as the rules have it.
        base: the bundle that the site has or the project ships; None where there is none.
        version: in service.
        digest: of what is in service.
        is_base: whether that is the base.
        faults: why it is not what it should be, or why nothing serves.
        versions: all, newest first.
    """

    name: str
    base: Model | None
    version: str
    digest: str
    is_base: bool
    faults: tuple[str, ...]
    versions: tuple[Version, ...]


def list_models(books: Books) -> list[ModelView]:
    """Return the models of the rules and of the registry."""
    models = books.examiner.models
    names = sorted({*names_in_service(books.configuration), *models.registry.names()})
    return [_view(models, name) for name in names]


def _view(models: Models, name: str) -> ModelView:
    versions = models.registry.versions(name)
    try:
        base: Model | None = models.base(name)
    except (SegmentationError, ConfigurationError):
        base = None
    try:
        found = models.find(name)
    except (SegmentationError, ConfigurationError) as error:
        return ModelView(name, base, "", "", is_base=False, faults=(str(error),), versions=versions)
    is_base = found.digest not in {version.digest for version in versions}
    return ModelView(name, base, found.manifest.version, found.digest, is_base, found.faults, versions)


def list_json(view: ModelView) -> dict[str, object]:
    """Return a model as JSON has it."""
    return {
        "model": view.name,
        "version": view.version,
        "digest": view.digest,
        "is_base": view.is_base,
        "faults": list(view.faults),
        "base": {"version": view.base.manifest.version, "digest": view.base.digest} if view.base else None,
        "versions": [version_json(version) for version in view.versions],
    }


def version_json(version: Version) -> dict[str, object]:
    """Return a version as JSON has it."""
    measured = version.manifest.measured
    return {
        "version": version.manifest.version,
        "digest": version.digest,
        "standing": str(version.standing),
        "added": version.record.added.isoformat(),
        "by": version.record.by,
        "origin": version.record.origin,
        "parent": version.record.parent,
        "mean_dice": measured.mean_dice if measured else None,
        "marks": list(version.marks),
    }


def find_version(books: Books, called: str) -> Version:
    """Return the version that NAME@VERSION means, VERSION a version or the beginning of a digest.

    Raises:
        RegistryError: there is none.
    """
    name, _, version = called.partition("@")
    return books.examiner.models.registry.find(name, version)


def show_version(books: Books, called: str) -> dict[str, Any]:
    """Return all that is known of a version: manifest, where it came from, and what was done with it."""
    version = find_version(books, called)
    history = books.examiner.models.registry.history(version.name)
    seen = seen_by(books.configuration.node.data_dir, version.digest)
    return {
        "model": version.name,
        **version_json(version),
        "shadow": {
            "series": len(seen),
            "failed": sum(bool(one.fault) for one in seen),
            "lost": dict(Counter(organ for one in seen for organ in one.lost)),
        },
        "history": [
            entry.model_dump(mode="json", include={"at", "act", "by", "why"})
            for entry in history
            if entry.digest == version.digest
        ],
        "manifest": version.manifest.model_dump(mode="json"),
    }


def roll_model_back(books: Books, name: str, *, by: str, why: str) -> Swapped:
    """Put what was in service before back into service."""
    return roll_back(books, name, decision_of(by, why), tell=books.auditor.write)


def shadow_version(books: Books, name: str, version: str, *, by: str, why: str) -> Version | None:
    """Let a version contour unseen beside what is in service; none where it is empty."""
    registry = books.examiner.models.registry
    found = registry.find(name, version) if version else None
    decision = decision_of(by, why)
    registry.set_shadow(name, found.digest if found else "", by=decision.by, why=why, at=decision.at)
    return found


def verify_models(books: Books) -> Mapping[str, tuple[str, ...]]:
    """Return by model everything that is wrong with its versions and their history."""
    registry = books.examiner.models.registry
    return {name: registry.verify(name) for name in registry.names()}


def export_model(books: Books, called: str, out: Path) -> Version:
    """Write a version to one file."""
    version = find_version(books, called)
    export_version(version, out)
    return version


def import_model(books: Books, name: str, path: Path, *, by: str) -> Version:
    """Keep an exported version or a bundle's folder as a version that serves nobody yet."""
    decision = decision_of(by, "")
    return import_version(books.examiner.models.registry, name, path, by=decision.by, at=decision.at)


def decision_of(by: str, why: str) -> Decision:
    """Return a decision that is made now, by whom the operator names or else by the account."""
    return Decision(by or os.environ.get("SUDO_USER") or getpass.getuser(), why, datetime.now(UTC))
