"""Forgetting in the records of runs with a death built in: before the write of a record that is counted from 0.

Arguments: the store's folder, the number of the write at which to die, and whether a patient or a CT is forgotten.
"""

import sys
from pathlib import Path

from adaptation import run_forgetting
from adaptation.cases import CaseStore
from adaptation.forgetting import forget_ct, forget_patient
from segmentation.durable import write_whole
from tests.support.death import die
from tests.support.stored_cases import NOON, PATIENT

written: list[str] = []


def write(path: Path, content: bytes) -> None:
    """Write a record, or die before it and leave what a kill leaves of it."""
    if len(written) == int(sys.argv[2]):
        (path.parent / "tmpkilled.part").write_bytes(path.read_bytes() if path.exists() else content)
        die()
    written.append(path.name)
    write_whole(path, content)


if __name__ == "__main__":
    run_forgetting.write_whole = write  # type: ignore[attr-defined]
    store = CaseStore(Path(sys.argv[1]))
    if sys.argv[3] == "ct":
        forget_ct(store, store.record(f"{PATIENT}-1").ct, NOON)
    else:
        forget_patient(store, PATIENT, NOON)
