"""A patient, or what was drawn on one CT, is forgotten: every file that learning has, in store, caches and runs."""

import shutil
from datetime import datetime
from pathlib import Path

from adaptation.cases import CaseStore
from adaptation.learnt_from import FILE, encode_learnt_from, read_learnt_from
from adaptation.run_forgetting import MARK as NOBODY
from adaptation.run_forgetting import Gone, forget_in_run
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
    _forget_in_runs(store, Gone(patient), at)
    names = store.forget(patient)
    for folder in caches_of(store, patient):
        shutil.rmtree(folder)
    return names


def forget_ct(store: CaseStore, ct: str, at: datetime) -> tuple[str, ...]:
    """Destroy all files of the cases on a CT, as of a patient; other cases of the patient stay. Return their names.

    The cases themselves go last, so that whoever is killed before finds them, and all else, again. The patient's
    caches go whole: the next night computes anew what is needed of them.

    Args:
        store: as of a patient.
        ct: pseudonym of the series.
        at: UTC.

    Raises:
        CaseError: a record cannot be read.
        AdaptationError: a run cannot be read.
        OSError: the disk refuses.
    """
    for gone in cases_on(store, ct):
        _forget_in_runs(store, gone, at)
        for folder in caches_of(store, gone.patient):
            shutil.rmtree(folder)
    return store.forget_ct(ct)


def cases_on(store: CaseStore, ct: str) -> list[Gone]:
    """Return the cases on a CT, patient by patient.

    Raises:
        CaseError: a record cannot be read.
    """
    revisions: dict[str, set[int]] = {}
    for record in store.on_ct(ct):
        revisions.setdefault(record.patient, set()).add(record.revision)
    return [Gone(patient, frozenset(numbers)) for patient, numbers in revisions.items()]


def _forget_in_runs(store: CaseStore, gone: Gone, at: datetime) -> None:
    runs = Runs(store.folder.parent / "runs")
    runs.forget(gone.holds, at)
    for run in runs.all():
        forget_in_run(run, gone, at)


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
    return _mark(registry, Gone(patient), by, at)


def mark_models_on(registry: Registry, store: CaseStore, ct: str, *, by: str, at: datetime) -> tuple[str, ...]:
    """Mark every version that has learnt from a case on a CT, as of a patient; return their digests.

    Args:
        registry: of the versions.
        store: of the cases.
        ct: pseudonym of the series.
        by: the person.
        at: UTC.

    Raises:
        CaseError: a record cannot be read.
        AdaptationError: what a version has learnt from cannot be read.
        OSError: the disk refuses.
    """
    return tuple(digest for gone in cases_on(store, ct) for digest in _mark(registry, gone, by, at))


def _mark(registry: Registry, gone: Gone, by: str, at: datetime) -> tuple[str, ...]:
    marked = []
    for version in (version for name in registry.names() for version in registry.versions(name)):
        names = read_learnt_from(version.folder)
        others = {name for name in names if not gone.holds(name)}
        if others == names:
            continue
        if MARK not in version.marks:
            registry.mark(version.digest, MARK, by=by, at=at)
        registry.rewrite(version, FILE, encode_learnt_from({*others, NOBODY}))
        marked.append(version.digest)
    return tuple(marked)
