"""A patient who is to be forgotten: every file that learning has of them, in the store, the caches and the runs."""

import shutil
from datetime import datetime
from pathlib import Path

from adaptation.cases import CaseStore
from adaptation.learnt_from import FILE, encode_learnt_from, read_learnt_from
from adaptation.run_forgetting import MARK as NOBODY
from adaptation.run_forgetting import forget_in_run
from adaptation.runs import Runs
from segmentation.registry import Registry

CACHES = ("features", "scores")
"""Folders beside the case store that have a folder for each patient."""
MARK = "has learnt from a patient who was forgotten since"


def forget_patient(store: CaseStore, patient: str, at: datetime) -> tuple[str, ...]:
    """Destroy all files of a patient; return the names of the cases that there were.

    A run that is under way with a case of theirs ends, and what it has trained goes. Records of runs that have ended
    keep their figures and lose the pseudonym.

    Args:
        store: whose folder lies beside those of the caches and the runs.
        patient: pseudonym.
        at: UTC.

    Raises:
        CaseError: this is no pseudonym.
        AdaptationError: a run cannot be read.
        OSError: the disk refuses.
    """
    runs = Runs(store.folder.parent / "runs")
    runs.forget(patient, at)
    for run in runs.all():
        forget_in_run(run, patient, at)
    names = store.forget(patient)
    for folder in caches_of(store, patient):
        shutil.rmtree(folder)
    return names


def caches_of(store: CaseStore, patient: str) -> list[Path]:
    """Return the folders of the caches that hold something of a patient."""
    folders = [store.folder.parent / cache / patient for cache in CACHES]
    return [folder for folder in folders if folder.is_dir()]


def mark_models(registry: Registry, patient: str, *, by: str, at: datetime) -> tuple[str, ...]:
    """Mark every version that has learnt from a patient, and let it name the patient no more; return their digests.

    Args:
        registry: of the versions.
        patient: pseudonym.
        by: the person.
        at: UTC.

    Raises:
        AdaptationError: what a version has learnt from cannot be read.
        OSError: the disk refuses.
    """
    marked = []
    for version in (version for name in registry.names() for version in registry.versions(name)):
        names = read_learnt_from(version.folder)
        others = {name for name in names if not name.startswith(f"{patient}-")}
        if others == names:
            continue
        if MARK not in version.marks:
            registry.mark(version.digest, MARK, by=by, at=at)
        registry.rewrite(version, FILE, encode_learnt_from({*others, NOBODY}))
        marked.append(version.digest)
    return tuple(marked)
