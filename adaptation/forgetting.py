"""A patient who is to be forgotten: every file that learning has of them, in the store and in the caches."""

import shutil
from pathlib import Path

from adaptation.cases import CaseStore

CACHES = ("features", "scores")
"""Folders beside the case store that have a folder for each patient."""


def forget_patient(store: CaseStore, patient: str) -> tuple[str, ...]:
    """Destroy all files of a patient; return the names of the cases that there were.

    Args:
        store: whose folder lies beside those of the caches.
        patient: pseudonym.

    Raises:
        CaseError: this is no pseudonym.
        OSError: the disk refuses.
    """
    names = store.forget(patient)
    for folder in caches_of(store, patient):
        shutil.rmtree(folder)
    return names


def caches_of(store: CaseStore, patient: str) -> list[Path]:
    """Return the folders of the caches that hold something of a patient."""
    folders = [store.folder.parent / cache / patient for cache in CACHES]
    return [folder for folder in folders if folder.is_dir()]
