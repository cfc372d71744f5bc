"""Every reader on every geometry, profile and awkward mask: voxels that it sees otherwise than they were written.

`python -m benchmarks.structure_sets.grid`; some minutes.
"""

import itertools
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from benchmarks.structure_sets.environments import make_all
from benchmarks.structure_sets.independent import READERS, Reading, Scan, read_all, scan_of, wrong_voxels
from benchmarks.structure_sets.known_faults import KNOWN_FAULTS, known_fault
from segmentation.contours import CLINICAL, EXACT, Profile
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_reader import read_structure_set
from tests.support.dicom3tools import complaints
from tests.support.structure_sets import (
    GEOMETRIES,
    awkward_masks,
    ct_headers,
    grid_of,
    identity,
    organs_of,
    write_ct,
)


@dataclass(frozen=True, eq=False)
class Scene:
    """A structure set on disk and what is in it.

    Args:
        geometry: how its CT lies.
        content: organs, or awkward masks.
        profile: how it was drawn.
        path: the file.
        scan: its CT.
        masks: bool, (slices, rows, columns), by ROI name.
    """

    geometry: str
    content: str
    profile: str
    path: Path
    scan: Scan
    masks: dict[str, NDArray[np.bool_]]


def write_scene(folder: Path, geometry: str, content: str, profile: Profile) -> Scene:
    """Write a CT and the structure set of some masks on it."""
    chosen = GEOMETRIES[geometry]
    organs = CONTENTS[content](chosen)
    headers, grid = write_ct(chosen, folder / "ct"), grid_of(chosen)
    path = folder / "structure_set.dcm"
    path.write_bytes(encode_structure_set(build_structure_set(organs, headers, grid, identity(), profile=profile)))
    masks = {name: organ.full() for name, organ in organs.items()}
    return Scene(geometry, content, profile.name, path, scan_of(folder / "ct", headers, grid), masks)


CONTENTS = {"organs": organs_of, "awkward": awkward_masks}


@dataclass(frozen=True)
class Result:
    """What a reader made of a scene.

    Args:
        wrong: voxels, of all ROIs; None where the reader raised.
        said: what it raised.
        fault: the place of the known fault that explains it.
    """

    wrong: int | None
    said: str
    fault: int | None

    @property
    def is_unexplained(self) -> bool:
        """Whether something is wrong that is no known fault of the reader."""
        return self.wrong != 0 and self.fault is None

    def __str__(self) -> str:
        """Return a cell of the table."""
        mark = "" if self.wrong == 0 else " **?**" if self.fault is None else f" [{self.fault + 1}]"
        return ("raises" if self.wrong is None else str(self.wrong)) + mark


def judge(reader: str, scene: Scene, reading: Reading) -> Result:
    """Return what a reader made of a scene."""
    fault = known_fault(reader, scene.geometry, scene.profile, scene.content)
    if reading.error:
        return Result(None, reading.error, fault)
    return Result(sum(wrong_voxels(reading, scene.masks).values()), "", fault)


def read_scenes(reader: str, scenes: Sequence[Scene]) -> list[Result]:
    """Return what a reader makes of scenes."""
    readings = read_all(reader, [(scene.path, scene.scan) for scene in scenes])
    return [judge(reader, scene, reading) for scene, reading in zip(scenes, readings, strict=True)]


def own_reading(scene: Scene, headers: Sequence[Dataset]) -> Result:
    """Return what this project's reader makes of a scene."""
    masks = read_structure_set(dcmread(scene.path), headers, scene.scan.grid).by_name
    return Result(sum(int((masks[name].full() != mask).sum()) for name, mask in scene.masks.items()), "", None)


def print_table(title: str, scenes: Sequence[Scene], results: dict[str, list[Result]]) -> None:
    """Print what every reader makes of the same content and profile in every geometry."""
    print(f"\n{title}: voxels wrong of {sum(int(mask.sum()) for mask in scenes[0].masks.values())}\n")
    print("| reader | " + " | ".join(scene.geometry for scene in scenes) + " |")
    print("|---" * (len(scenes) + 1) + "|")
    for reader, row in results.items():
        print(f"| {reader} | " + " | ".join(map(str, row)) + " |")


def main() -> int:
    """Print the tables; 1 if anything is wrong that is no known fault of a reader."""
    make_all()
    unexplained: list[str] = []
    objections: list[str] = []
    for profile, content in itertools.product((CLINICAL, EXACT), CONTENTS):
        with tempfile.TemporaryDirectory() as folder:
            scenes = [write_scene(Path(folder) / name, name, content, profile) for name in GEOMETRIES]
            results = {"dicomnode": [own_reading(scene, ct_headers(GEOMETRIES[scene.geometry])) for scene in scenes]}
            results |= {reader: read_scenes(reader, scenes) for reader in READERS}
            for scene in scenes:
                objections += complaints("dciodvfy", scene.path)
                objections += complaints("dcentvfy", *sorted(scene.scan.folder.iterdir()), scene.path)
        print_table(f"{profile.name}, {content}", scenes, results)
        unexplained += [
            f"{reader} on {scene.geometry}, {profile.name}, {content}: {result.wrong} {result.said}"
            for reader, row in results.items()
            for scene, result in zip(scenes, row, strict=True)
            if result.is_unexplained
        ]
    print("\nKnown faults of readers:\n")
    for number, fault in enumerate(KNOWN_FAULTS, start=1):
        print(f"{number}. {', '.join(fault.readers)}: {fault.says}")
    print(f"\nObjections of dciodvfy and dcentvfy: {len(objections)}")
    print(f"Unexplained: {len(unexplained)}")
    print("\n".join([*objections, *unexplained]))
    return 1 if objections or unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
