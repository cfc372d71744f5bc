"""The masks that other people's readers see in a structure set, on our grid."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from benchmarks.structure_sets.environments import STEMS, make, script_of
from segmentation.geometry import Grid
from tests.support.plastimatch import read_with_plastimatch

PLASTIMATCH = {"plastimatch": (), "plastimatch, xor": ("--xor-contours",)}
READERS = (*PLASTIMATCH, *STEMS)


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT on disk.

    Args:
        folder: with its files.
        uids: SOP Instance UIDs of its slices, in the order of the grid.
        grid: where the voxels lie.
    """

    folder: Path
    uids: tuple[str, ...]
    grid: Grid


def scan_of(folder: Path, headers: Sequence[Dataset], grid: Grid) -> Scan:
    """Return the CT of headers, in the order of the grid, that were written to a folder."""
    return Scan(folder, tuple(str(header.SOPInstanceUID) for header in headers), grid)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a reader made of a structure set.

    Args:
        masks: bool, (slices, rows, columns) of the grid, by ROI name.
        error: what it raised instead; empty if it did not.
        ct_s: processor time for the CT; plastimatch's is in the next.
        masks_s: processor time for the masks.
    """

    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    error: str = ""
    ct_s: float = 0.0
    masks_s: float = 0.0


def processor_s() -> float:
    """Return the processor time of this process and of the programs that it ran: another's load does not count."""
    return sum(os.times()[:4])


def read_all(reader: str, jobs: Sequence[tuple[Path, Scan]]) -> list[Reading]:
    """Return what a reader makes of structure sets on their CT, in the order of the jobs."""
    if reader in PLASTIMATCH:
        return [_with_plastimatch(path, scan, PLASTIMATCH[reader]) for path, scan in jobs]
    with tempfile.TemporaryDirectory() as folder:
        asked = [
            {"structure_set": str(path), "ct": str(scan.folder), "out": f"{folder}/{number}.npz"}
            for number, (path, scan) in enumerate(jobs)
        ]
        run(reader, asked)
        return [_reading(Path(job["out"]), scan) for job, (_, scan) in zip(asked, jobs, strict=True)]


def run(library: str, jobs: Sequence[dict[str, str]]) -> None:
    """Have a library do jobs, as `readers/exchange.py` understands them, in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        list_of_jobs = Path(folder) / "jobs.json"
        list_of_jobs.write_text(json.dumps(list(jobs)), encoding="utf-8")
        command = [make(library), "-W", "ignore", script_of(library), list_of_jobs]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)


def _reading(path: Path, scan: Scan) -> Reading:
    with np.load(path) as archive:
        content = dict(archive)
    if "error" in content:
        return Reading(error=str(content["error"]))
    place = {str(uid): index for index, uid in enumerate(content["uids"])}
    order = [place[uid] for uid in scan.uids]
    masks = {name.removeprefix("mask "): mask[order] for name, mask in content.items() if name.startswith("mask ")}
    ct_s, masks_s = content["seconds"]
    return Reading(masks, ct_s=float(ct_s), masks_s=float(masks_s))


def _with_plastimatch(path: Path, scan: Scan, options: Sequence[str]) -> Reading:
    with tempfile.TemporaryDirectory() as folder:
        begun = processor_s()
        try:
            masks = read_with_plastimatch(path, scan.folder, Path(folder) / "read", scan.grid, *options)
        except (subprocess.CalledProcessError, AssertionError) as error:
            return Reading(error=f"{type(error).__name__}: {error}")
        return Reading(masks, masks_s=processor_s() - begun)


def wrong_voxels(reading: Reading, masks: dict[str, NDArray[np.bool_]]) -> dict[str, int]:
    """Return for each organ how many voxels a reader has otherwise; all of the organ's for one that it does not have.

    Args:
        reading: without an error.
        masks: bool, (slices, rows, columns) of the grid, by ROI name.
    """
    counts = {}
    for name, mask in masks.items():
        read = reading.masks.get(name)
        if read is None or read.shape != mask.shape:
            counts[name] = int(np.count_nonzero(mask))
        else:
            counts[name] = int(np.count_nonzero(read != mask))
    return counts
