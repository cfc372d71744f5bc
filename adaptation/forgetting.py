"""A patient who is to be forgotten: every file that learning has of them, in the store, the caches and the runs."""

import shutil
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from adaptation.cases import CaseStore
from adaptation.learnt_from import read_learnt_from
from adaptation.runs import Runs
from segmentation.registry import Registry

CACHES = ("features", "scores")
"""Folders beside the case store that have a folder for each patient."""
MARK = "has learnt from a patient who was forgotten since"


def forget_patient(store: CaseStore, patient: str, at: datetime) -> tuple[str, ...]:
    """Destroy all files of a patient; return the names of the cases that there were.

    A run that is under way with a case of theirs ends, and what it has trained goes.

    Args:
        store: whose folder lies beside those of the caches and the runs.
        patient: pseudonym.
        at: UTC.

    Raises:
        CaseError: this is no pseudonym.
        AdaptationError: a run cannot be read.
        OSError: the disk refuses.
    """
    Runs(store.folder.parent / "runs").forget(patient, at)
    names = store.forget(patient)
    for folder in caches_of(store, patient):
        shutil.rmtree(folder)
    return names


def caches_of(store: CaseStore, patient: str) -> list[Path]:
    """Return the folders of the caches that hold something of a patient."""
    folders = [store.folder.parent / cache / patient for cache in CACHES]
    return [folder for folder in folders if folder.is_dir()]


def mark_models(registry: Registry, names: Collection[str], *, by: str, at: datetime) -> tuple[str, ...]:
    """Mark every version that has learnt from some cases; return their digests.

    Args:
        registry: of the versions.
        names: of the cases.
        by: the person.
        at: UTC.

    Raises:
        AdaptationError: what a version has learnt from cannot be read.
    """
    marked = []
    for name in registry.names():
        for version in registry.versions(name):
            if MARK not in version.marks and set(names) & read_learnt_from(version.folder):
                registry.mark(version.digest, MARK, by=by, at=at)
                marked.append(version.digest)
    return tuple(marked)
