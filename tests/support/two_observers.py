"""Masks that two observers drew on the same scans (Nikolov et al., arXiv 1809.04430), on a CT that just holds them."""

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from tests.support.structure_sets import Geometry, ct_headers

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "organ_masks"
FILES = {
    "Brainstem": "Brainstem",
    "SpinalCord": "Spinal-Cord",
    "Bone_Mandible": "Mandible",
    "Parotid_L": "Parotid-Lt",
    "Parotid_R": "Parotid-Rt",
    "Lens_L": "Lens-Lt",
    "Lens_R": "Lens-Rt",
    "OpticNrv_L": "Optic-Nerve-Lt",
    "OpticNrv_R": "Optic-Nerve-Rt",
}
SCANS = sorted(folder for folder in DATA.glob("*/oncologist/*") if folder.is_dir())
OBSERVERS = ("oncologist", "radiographer")
MARGIN = 2  # voxels of the made CT around all organs


@dataclass(frozen=True, eq=False)
class Nrrd:
    """A mask in a file: bool, (slices, rows, columns), its spacing and the centre of its first voxel, mm, x first."""

    mask: NDArray[np.bool_]
    spacing: NDArray[np.float64]
    origin: NDArray[np.float64]


def read_nrrd(path: Path) -> Nrrd:
    """Read NRRD with a gzipped block of unsigned char, axes along x, y and z."""
    header, _, block = path.read_bytes().partition(b"\n\n")
    fields = dict(re.findall(r"^([^#:\n]+): (.*)$", header.decode("ascii"), re.MULTILINE))
    assert (fields["type"], fields["encoding"], fields["space"]) == ("unsigned char", "gzip", "left-posterior-superior")
    directions = np.array([eval_vector(each) for each in fields["space directions"].split(") (")])
    assert np.array_equal(directions, np.diag(np.diag(directions)))
    sizes = [int(size) for size in fields["sizes"].split()]
    voxels = np.frombuffer(gzip.decompress(block), dtype=np.uint8).reshape(sizes[::-1])
    return Nrrd(voxels > 0, np.diag(directions), np.array(eval_vector(fields["space origin"])))


def eval_vector(text: str) -> list[float]:
    return [float(number) for number in text.strip("()").split(",")]


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan on a made CT: its grid, its headers, and the masks of both observers by organ."""

    grid: Grid
    headers: list[Dataset]
    masks: tuple[dict[str, OrganMask], dict[str, OrganMask]]


def load(folder: Path) -> Scan:
    """Return a scan on the smallest CT that holds the organs of both observers."""
    read = {
        (observer, organ): read_nrrd(DATA / folder.parts[-3] / observer / folder.name / f"{name}.nrrd")
        for observer in OBSERVERS
        for organ, name in FILES.items()
    }
    spacing = next(iter(read.values())).spacing
    low = np.min([nrrd.origin for nrrd in read.values()], axis=0) - MARGIN * spacing
    starts = {key: np.rint((nrrd.origin - low) / spacing).astype(int)[::-1] for key, nrrd in read.items()}
    shape = np.max([starts[key] + nrrd.mask.shape for key, nrrd in read.items()], axis=0) + MARGIN
    size = int(shape[0]), int(shape[1]), int(shape[2])
    sides = []
    for observer in OBSERVERS:
        placed = {}
        for organ in FILES:
            start = starts[observer, organ]
            placed[organ] = OrganMask(size, (int(start[0]), int(start[1]), int(start[2])), read[observer, organ].mask)
        sides.append(placed)
    places = tuple(float(low[2] + k * spacing[2]) for k in range(size[0]))
    headers = ct_headers(Geometry(spacing=(spacing[1], spacing[0]), shape=size[1:], z=places))
    for header, z in zip(headers, places, strict=True):
        header.ImagePositionPatient = [f"{low[0]:.4f}", f"{low[1]:.4f}", f"{z:.4f}"]
    grid = Grid(
        origins=np.array([[float(x) for x in header.ImagePositionPatient] for header in headers]),
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        row_spacing_mm=float(spacing[1]),
        column_spacing_mm=float(spacing[0]),
        rows=size[1],
        columns=size[2],
    )
    return Scan(grid, headers, (sides[0], sides[1]))
