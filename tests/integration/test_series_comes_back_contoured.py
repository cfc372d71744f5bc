"""The main job with real peers: CT from dcmtk, the structure set at dcmtk and at Orthanc, read by other programs."""

import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from dicomnode.series import State
from segmentation.bundle import shipped_bundle
from segmentation.ct import CtSeries, read_ct_series
from segmentation.geometry import Grid
from segmentation.phantom_series import write_series
from segmentation.plausibility import PLACES
from segmentation.rtstruct_reader import read_structure_set
from tests.support.node import QUIET_S, Node, make_node, running
from tests.support.peers_of_others import Orthanc, Storescp, need, orthanc, storescp
from tests.support.plastimatch import read_with_plastimatch
from tests.support.tiny import ORGAN_HU, marked_phantom, marked_series

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("comes back"),
]

ARCHIVE = Path(__file__).parents[3] / "shared" / "data" / "head_neck_ct" / "picker_pq2000_90_slices.tar.xz"
STARTER_ORGANS = ("Brainstem", "SpinalCord", "Bone_Mandible", "Parotid_L", "Parotid_R")
COMPRESSED = {  # what encodes a file, and what storescu proposes for it
    "JPEG-LS": (["dcmcjpls"], "-xt"),
    "RLE": (["dcmcrle"], "-xr"),
    "JPEG lossless, first-order prediction": (["dcmcjpeg", "+e1"], "-xs"),
}
RULE = '[[rules]]\nname = "all"\naction = "contour"\nbundle = "{bundle}"\nsend_to = ["TPS", "ORTHANC"]\n'


@dataclass(frozen=True)
class World:
    """A node between a sender and two receivers."""

    node: Node
    storescp: Storescp
    orthanc: Orthanc

    def result_of(self, series_instance_uid: str) -> Path:
        """Return the structure set of a series as it arrived at storescp."""
        (result,) = self.node.series(series_instance_uid)["results"]
        return self.storescp.files()[result["sop_instance_uid"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[World]:
    """Run a node with the tiny model, storescp and Orthanc."""
    yield from _world(tmp_path_factory.mktemp("phantom"), "tiny", bundle_dir)


def _world(folder: Path, bundle: str, bundle_dir: Path | None) -> Iterator[World]:
    need("dcmsend", "storescu", "storescp", "Orthanc")
    made = make_node(folder / "unused")
    with storescp(folder / "tps") as tps, orthanc(folder / "orthanc", made.port) as archive:
        rules = RULE.format(bundle=bundle)
        node = make_node(folder / "node", tps.peer, archive.peer, bundle_dir=bundle_dir, rules=rules)
        with running(node):
            yield World(node, tps, archive)


def dcmsend(node: Node, folder: Path) -> None:
    """Send a folder as an operator of a scanner might."""
    command = ["dcmsend", "-aet", "TPS", "-aec", node.own.ae_title, "+sd", node.own.host, str(node.port), str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def storescu(node: Node, folder: Path, proposing: str) -> None:
    """Send a folder of compressed files, proposing their transfer syntax."""
    command = ["storescu", proposing, "-aet", "TPS", "-aec", node.own.ae_title, "+sd", node.own.host, str(node.port)]
    subprocess.run([*command, str(folder)], check=True, capture_output=True)


def compress(program: list[str], files: list[Path], folder: Path) -> Path:
    """Return a folder with the files, compressed by one of dcmtk's programs."""
    need(program[0])
    folder.mkdir()
    for file in files:
        subprocess.run([*program, str(file), str(folder / file.name)], check=True, capture_output=True)
    return folder


def test_a_ct_comes_back_contoured_at_storescp_and_at_orthanc(world: World, tmp_path: Path) -> None:
    """Dcmsend sends a CT; both receivers of the route get the same structure set, byte for byte, with its organs."""
    series = marked_series(1)
    write_series(series, tmp_path / "ct")

    dcmsend(world.node, tmp_path / "ct")
    states = world.node.wait_for_end(series[0].SeriesInstanceUID)

    arrived = dcmread(world.result_of(series[0].SeriesInstanceUID))
    assert states[series[0].SeriesInstanceUID] is State.SENT
    assert [roi.ROIName for roi in arrived.StructureSetROISequence] == list(ORGAN_HU)
    assert Dataset(dcmread_bytes(world.orthanc.files()[arrived.SOPInstanceUID])) == Dataset(arrived)


def test_the_node_adds_less_than_ten_seconds_of_its_own(world: World, tmp_path: Path) -> None:
    """Between the last slice and the last delivery lie the quiet time, the contouring, and at most ten seconds more."""
    series = marked_series(7)
    write_series(series, tmp_path / "ct")

    dcmsend(world.node, tmp_path / "ct")
    world.node.wait_for_end(series[0].SeriesInstanceUID)

    with world.node.ledger() as ledger:
        record = next(one for one in ledger.series_in() if one.series_instance_uid == series[0].SeriesInstanceUID)
        (result,) = ledger.results_of(record.id)
        delivered = max(one.finished for one in ledger.deliveries(result_id=result.id) if one.finished)
    contouring_s = sum(result.seconds.values())
    assert (delivered - record.last_received).total_seconds() <= QUIET_S + contouring_s + 10.0


def test_the_contours_are_where_the_organs_are(world: World, tmp_path: Path) -> None:
    """The structure set that arrived covers the organs of the phantom, whose every voxel is known."""
    series = marked_series(2)
    paths = write_series(series, tmp_path / "ct")
    dcmsend(world.node, tmp_path / "ct")
    world.node.wait_for_end(series[0].SeriesInstanceUID)

    arrived = dcmread(world.result_of(series[0].SeriesInstanceUID))
    drawn = masks_of(arrived, read_ct_series(paths))

    truth = marked_phantom().masks
    assert {organ: dice(mask, truth[organ]) > 0.85 for organ, mask in drawn.items()} == dict.fromkeys(ORGAN_HU, True)


def test_plastimatch_and_another_rasteriser_read_what_we_drew(world: World, tmp_path: Path) -> None:
    """Two readers that share no code with ours find the same voxels, but for those that the contours touch."""
    need("plastimatch", "drtdump")
    series = marked_series(3)
    paths = write_series(series, tmp_path / "ct")
    dcmsend(world.node, tmp_path / "ct")
    world.node.wait_for_end(series[0].SeriesInstanceUID)

    assert_readable(world.result_of(series[0].SeriesInstanceUID), read_ct_series(paths), tmp_path)


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_ct_comes_back_as_the_uncompressed_one_does(world: World, tmp_path: Path, name: str) -> None:
    """The organs drawn on a CT do not depend on how it was compressed on its way."""
    program, proposing = COMPRESSED[name]
    series = marked_series(10 + list(COMPRESSED).index(name))
    paths = write_series(series, tmp_path / "ct")

    storescu(world.node, compress(program, paths, tmp_path / "compressed"), proposing)
    world.node.wait_for_end(series[0].SeriesInstanceUID)

    kept = next((world.node.data / "instances").glob(f"{folder_of(world.node, series)}/*.dcm"))
    arrived = masks_of(dcmread(world.result_of(series[0].SeriesInstanceUID)), read_ct_series(paths))
    assert dcmread(kept).file_meta.TransferSyntaxUID.is_compressed
    assert {
        organ: dice(mask, marked_phantom().masks[organ]) > 0.85 for organ, mask in arrived.items()
    } == dict.fromkeys(ORGAN_HU, True)


@dataclass(frozen=True)
class RealCase:
    """A real CT that went through the node, uncompressed and compressed."""

    world: World
    paths: list[Path]
    uid: str
    compressed_uid: str
    states: dict[str, State]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCase]:
    """Send a real head-and-neck CT with dcmsend, and the same patient's CT in JPEG-LS with storescu."""
    if not ARCHIVE.is_file():
        pytest.skip("the public CT beside the checkout is absent")
    if not shipped_bundle("starter").is_dir():
        pytest.skip("the bundle `starter` is not there")
    folder = tmp_path_factory.mktemp("real")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder / "archive", filter="data")
    paths = sorted((folder / "archive").rglob("*.dcm"))
    for world in _world(folder / "world", "starter", None):
        dcmsend(world.node, paths[0].parent)
        other, proposing = COMPRESSED["JPEG-LS"]
        copies = as_another_series(paths, folder / "copies")
        storescu(world.node, compress(other, copies, folder / "compressed"), proposing)
        uid, compressed_uid = (str(dcmread(one[0]).SeriesInstanceUID) for one in (paths, copies))
        states = world.node.wait_for_end(uid, compressed_uid, seconds=400)
        yield RealCase(world, paths, uid, compressed_uid, states)


@pytest.mark.real_data
def test_a_real_ct_comes_back_with_the_five_organs(real: RealCase) -> None:
    """A planning CT of 90 slices of 511 x 511 has a structure set with the five organs at both receivers."""
    arrived = dcmread(real.world.result_of(real.uid))

    assert real.states[real.uid] is State.SENT
    assert sorted(roi.ROIName for roi in arrived.StructureSetROISequence) == sorted(STARTER_ORGANS)
    assert arrived.SOPInstanceUID in real.world.orthanc.files()
    assert len(dcmread(real.paths[0]).pixel_array) == 511


@pytest.mark.real_data
def test_the_organs_of_a_real_ct_lie_to_each_other_as_a_humans_do(real: RealCase) -> None:
    """Every pair of organs whose places are known lies so in the contours that arrived."""
    ct = read_ct_series(real.paths)
    drawn = masks_of(dcmread(real.world.result_of(real.uid)), ct)

    middle = {organ: centroid(mask, ct.volume.grid) for organ, mask in drawn.items()}

    known = [place for place in PLACES if place.organ in middle and place.seen_from in middle]
    offsets = {place: middle[place.organ] - middle[place.seen_from] for place in known}
    assert len(known) >= 5
    assert [place for place, mm in offsets.items() if not ((mm >= place.low) & (mm <= place.high)).all()] == []


@pytest.mark.real_data
def test_the_contours_of_a_real_ct_are_read_by_others(real: RealCase, tmp_path: Path) -> None:
    """Plastimatch and a second rasteriser find the voxels that we drew on the real CT."""
    need("plastimatch", "drtdump")

    assert_readable(real.world.result_of(real.uid), read_ct_series(real.paths), tmp_path, real.paths[0].parent)


@pytest.mark.real_data
def test_a_real_ct_in_jpeg_ls_has_the_same_organs(real: RealCase) -> None:
    """Compressed without loss, the same CT has the same organs, voxel by voxel."""
    plain, compressed = (
        real.world.node.series(uid)["results"][0]["volumes_cm3"] for uid in (real.uid, real.compressed_uid)
    )

    assert real.states[real.compressed_uid] is State.SENT
    assert compressed == plain


def as_another_series(paths: list[Path], folder: Path) -> list[Path]:
    """Return copies of a series with UIDs of their own."""
    folder.mkdir()
    copies = []
    for path in paths:
        ds = dcmread(path)
        ds.SOPInstanceUID = generate_uid(entropy_srcs=[ds.SOPInstanceUID])
        ds.SeriesInstanceUID = generate_uid(entropy_srcs=[ds.SeriesInstanceUID])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        copies.append(folder / path.name)
        ds.save_as(copies[-1])
    return copies


def assert_readable(structure_set: Path, ct: CtSeries, out: Path, ct_folder: Path | None = None) -> None:
    """Assert that dcmtk parses a structure set, and that plastimatch and matplotlib find our voxels in its contours."""
    arrived = dcmread(structure_set)
    ours = masks_of(arrived, ct)
    dumped = subprocess.run(["drtdump", str(structure_set)], capture_output=True, text=True, check=True)
    theirs = read_with_plastimatch(structure_set, ct_folder or out / "ct", out / "masks", ct.volume.grid)

    assert "RT Structure Set object" in dumped.stdout
    assert ours.keys() == theirs.keys()
    assert {organ: dice(mask, theirs[organ]) > 0.97 for organ, mask in ours.items()} == dict.fromkeys(ours, True)
    drawn = {organ: rasterised(arrived, organ, ct.volume.grid) for organ in ours}
    assert {organ: dice(mask, drawn[organ]) > 0.97 for organ, mask in ours.items()} == dict.fromkeys(ours, True)


def rasterised(ds: Dataset, organ: str, grid: Grid) -> NDArray[np.bool_]:
    """Return the pixels whose centres matplotlib finds in an odd number of the organ's contours, on an axial grid."""
    number = next(roi.ROINumber for roi in ds.StructureSetROISequence if roi.ROIName == organ)
    mask = np.zeros(grid.shape, dtype=np.bool_)
    rows, columns = np.indices(grid.shape[1:])
    for roi in ds.ROIContourSequence:
        for contour in roi.ContourSequence if roi.ReferencedROINumber == number else ():
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            index = int(np.abs(grid.origins[:, 2] - points[0, 2]).argmin())
            at = points[:, :2] - grid.origins[index, :2]
            outline = np.stack([at[:, 0] / grid.column_spacing_mm, at[:, 1] / grid.row_spacing_mm], axis=1)
            inside = Outline(outline).contains_points(np.stack([columns.ravel(), rows.ravel()], axis=1))
            mask[index] ^= inside.reshape(rows.shape)
    return mask


def masks_of(ds: Dataset, ct: CtSeries) -> dict[str, NDArray[np.bool_]]:
    """Return the organs of a structure set on the CT's grid, as we read them."""
    found = read_structure_set(ds, ct.headers, ct.volume.grid).by_name
    return {organ: one.full() for organ, one in found.items()}


def centroid(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Return an organ's centroid in patient mm, on an axial grid."""
    slices, rows, columns = np.nonzero(mask)
    z = grid.origins[slices, 2].mean()
    x, y = grid.origins[0, :2]
    return np.array([x + columns.mean() * grid.column_spacing_mm, y + rows.mean() * grid.row_spacing_mm, z])


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return how much two masks agree, 0 to 1."""
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def dcmread_bytes(content: bytes) -> Dataset:
    """Return the data set of a DICOM file in memory."""
    return dcmread(BytesIO(content))


def folder_of(node: Node, series: list[Dataset]) -> str:
    """Return where the node keeps a series."""
    with node.ledger() as ledger:
        path = ledger.instances_of(series[0].SeriesInstanceUID)[0].path
    return Path(path).parent.name
