"""A change of the case store with a death built in: production code needs no hook for it.

Arguments: the store's folder, what to do (file or forget), and the step at which to die. What was done before the step
is done, what comes after is not.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from adaptation import case_arrays, cases
from adaptation.cases import CaseStore
from tests.support.death import die, die_after, die_before
from tests.support.stored_cases import NOON, PATIENT, new_case, small_case

FILING = ("begun", "arrays half written", "arrays written", "recorded", "named", "done")
FORGETTING = ("begun", "set apart", "half destroyed", "done")


def half_destroyed(folder: Path) -> None:
    """Delete what a kill leaves of a deletion: the files of one revision."""
    for path in next(path for path in folder.iterdir() if path.is_dir()).iterdir():
        path.unlink()
    die()


ARM: dict[tuple[str, str], Callable[[], None]] = {
    ("file", "begun"): lambda: die_before(Path, "mkdir"),
    ("file", "arrays half written"): lambda: die_after(case_arrays.np.lib.format, "write_array"),
    ("file", "arrays written"): lambda: die_after(cases, "save_arrays"),
    ("file", "recorded"): lambda: die_after(cases, "write_whole"),
    ("file", "named"): lambda: die_before(cases, "_sync"),
    ("file", "done"): lambda: die_after(CaseStore, "file"),
    ("forget", "begun"): lambda: die_before(CaseStore, "_destroy"),
    ("forget", "set apart"): lambda: die_before(shutil, "rmtree"),
    ("forget", "half destroyed"): lambda: setattr(shutil, "rmtree", half_destroyed),
    ("forget", "done"): lambda: die_after(CaseStore, "forget"),
}

if __name__ == "__main__":
    store, action = CaseStore(Path(sys.argv[1])), sys.argv[2]
    ARM[action, sys.argv[3]]()
    if action == "file":
        store.file(new_case(source="killed"), small_case(7), NOON)
    else:
        store.forget(PATIENT)
