"""Masks that two observers drew: through write and read without a voxel wrong, and as alike as they are known to be."""

import gzip
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from adaptation.comparison import OrganComparison, compare_masks
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_check import verify_structure_set
from segmentation.rtstruct_reader import read_structure_set
from tests.support.structure_sets import Geometry, ct_headers, identity

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "organ_masks"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the public masks of two observers are not beside the checkout"),
]
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
KNOWN_MEAN_DSC = (
    0.893,
    0.840,
    0.949,
    0.861,
    0.864,
    0.876,
    0.841,
    0.784,
    0.791,
)  # over the 25 scans, of the data's README
KNOWN_MEAN_CM3 = (27.2, 21.5, 61.9, 28.1, 29.3, 0.20, 0.20, 0.76, 0.77)  # the oncologist's
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


def written_and_read(scan: Scan, masks: dict[str, OrganMask]) -> dict[str, OrganMask]:
    """Return the masks after write and read; a single voxel that differs is an error."""
    content = encode_structure_set(build_structure_set(masks, scan.headers, scan.grid, identity()))
    verify_structure_set(dcmread(BytesIO(content)), masks, scan.headers, scan.grid)
    return read_structure_set(dcmread(BytesIO(content)), scan.headers, scan.grid).by_name


def compare(scan: Scan) -> list[OrganComparison]:
    """Return the comparison of what was read back of both observers, A the oncologist's."""
    one, other = (written_and_read(scan, masks) for masks in scan.masks)
    return compare_masks(one, other, scan.grid)


@pytest.mark.parametrize("folder", SCANS[::10], ids=lambda folder: folder.name)
def test_a_scan_of_two_observers_goes_through_write_and_read(folder: Path) -> None:
    """Not a voxel is wrong, and every organ of the two observers can be compared."""
    rows = compare(load(folder))

    assert [row.organ for row in rows] == list(FILES)
    assert all(0.4 < row.dsc <= 1 and row.hd95_mm < 35 and row.note == "" for row in rows)
    assert all(row.surface_dsc[1.0] <= row.surface_dsc[2.0] <= row.surface_dsc[3.0] <= 1 for row in rows)


@pytest.mark.slow
def test_all_scans_have_the_mean_dsc_that_is_known() -> None:
    """Within rounding, over the 25 scans; and the oncologist's volumes."""
    scans = [compare(load(folder)) for folder in SCANS]

    mean_dsc = np.mean([[row.dsc for row in rows] for rows in scans], axis=0)
    mean_cm3 = np.mean([[row.volumes_cm3[0] for row in rows] for rows in scans], axis=0)
    assert len(scans) == 25
    assert mean_dsc == pytest.approx(KNOWN_MEAN_DSC, abs=0.00051)
    assert np.all(np.abs(mean_cm3 - KNOWN_MEAN_CM3) <= [0.05] * 5 + [0.005] * 4)
