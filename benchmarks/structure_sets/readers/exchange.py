"""What a reader in an environment of its own is asked and hands back: jobs as JSON, masks as NumPy archives.

Only NumPy and the standard library are imported, for nothing of this project is installed there.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

Masks = dict[str, Any]
"""bool or integer array, (slices, rows, columns), by ROI name."""


def serve(
    *,
    load: Callable[[Path], Any],
    uids: Callable[[Any], Iterable[str]],
    read: Callable[[Path, Any], Masks],
    write: Callable[[Masks, Any, Path], None] | None = None,
) -> None:
    """Do the jobs of the file that is the first argument, one after the other.

    A job to read has `structure_set`, `ct` and `out`: an archive with the masks, the slices' UIDs in order, and
    seconds of processor time for the CT and for the masks. A job to write has `masks`, `ct` and `out`: the structure
    set; beside it an archive with the seconds. What goes wrong is in the archive as `error`.

    Args:
        load: a folder of CT to whatever `read` and `write` want of it.
        uids: SOP Instance UIDs of the slices of masks.
        read: a structure set to masks.
        write: masks to a structure set; None for a library that only reads.
    """
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        out = Path(job["out"])
        try:
            begun = time.process_time()
            state = load(Path(job["ct"]))
            loaded = time.process_time()
            content = {}
            if write is not None and "masks" in job:
                with np.load(job["masks"]) as archive:
                    given = dict(archive)
                worked = time.process_time()
                write(given, state, out)
                seconds = [loaded - begun, time.process_time() - worked]
            else:
                masks = read(Path(job["structure_set"]), state)
                seconds = [loaded - begun, time.process_time() - loaded]
                content = {f"mask {name}": np.asarray(mask) > 0 for name, mask in masks.items()}
                content["uids"] = np.array(list(uids(state)))
            np.savez(out.with_suffix(".npz"), seconds=np.array(seconds), **content)
        except Exception as error:  # noqa: BLE001 - whatever a library raises is the answer that was asked for
            np.savez(out.with_suffix(".npz"), error=np.array(f"{type(error).__name__}: {error}"))
