"""Every reason for holding a series, made or real, as the operator sees it, and what can be done about it."""

import copy
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dicomnode.ledger import Ledger
from dicomnode.series import State
from tests.support.node import Node, make_node, running
from tests.support.peer import ReceivingPeer, receiving_peer
from tests.support.series import (
    duplicated,
    localizer_of,
    series_of,
    small_phantom,
    tilted,
    with_header,
    with_one_changed,
    without_slice,
)
from tests.support.tiny import marked_phantom, marked_series, write_tiny_bundle

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("held")]

SLICES = 8
DATA = Path(__file__).parents[3] / "shared" / "data" / "awkward_ct"
Series = list[Dataset]


def plain(name: str, **header: Any) -> Series:
    """Return eight coarse slices of a patient of this name's own."""
    phantom = small_phantom(1, rows=32, columns=32, pixel_mm=12.0, slice_mm=5.0, slices=SLICES, top_mm=20.0)
    return series_of(phantom, patient_id=f"HELD-{name}", header={"PatientName": "Made^Held", **header})


def odd_one(name: str, **header: Any) -> Series:
    """Return a plain series of which one slice differs."""
    return with_one_changed(plain(name), 3, header)


def turned(degrees: float) -> list[float]:
    """Return an axial orientation whose rows are turned in the plane."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return [round(value, 6) for value in (cosine, sine, 0, -sine, cosine, 0)]


def leaning(name: str, degrees: float) -> Series:
    """Return slices whose planes lean, stacked straight above one another."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    first = plain(name, ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, round(cosine, 6), round(-sine, 6)])
    for index, ds in enumerate(first):
        ds.ImagePositionPatient = [-190.0, round(5.0 * index * sine, 4), round(5.0 * index * cosine, 4)]
    return first


def shifted(name: str) -> Series:
    """Return slices of which one lies to the side of the others."""
    series = plain(name)
    x, y, z = series[3].ImagePositionPatient
    return with_one_changed(series, 3, {"ImagePositionPatient": [float(x) + 4, y, z]})


def coloured(name: str) -> Series:
    """Return slices of three colours."""
    series = plain(name, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    for ds in series:
        ds.PixelData = ds.PixelData * 3
    return series


def smaller_one(name: str) -> Series:
    """Return slices of which one has half the rows."""
    series = copy.deepcopy(plain(name))
    series[2].Rows = 16
    series[2].PixelData = series[2].PixelData[: 16 * 32 * 2]
    return series


def missing(name: str, *, slices: int = 20) -> Series:
    """Return a marked series without its twelfth slice."""
    phantom = without_slice(marked_phantom(slices), 12)
    return series_of(phantom, patient_id=f"HELD-{name}", header={"PatientName": "Made^Held"})


SIDE = [0.0, 1.0, 0.0, -1.0, 0.0, 0.0]
CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]
MADE: dict[str, tuple[Callable[[str], Series], str]] = {
    "missing slice": (missing, "1 slice seems to be missing between"),
    "duplicate position": (lambda name: duplicated(plain(name), 2), "more than one slice lies at 1 place"),
    "gantry tilt": (lambda name: tilted(plain(name), 12), "the gantry was tilted by 12.0 degrees"),
    "stated tilt": (lambda name: plain(name, GantryDetectorTilt="7.5"), "states a gantry tilt of 7.5 degrees"),
    "two patients": (lambda name: odd_one(name, PatientID="HELD-other"), "the slices disagree on the patient"),
    "two studies": (lambda name: odd_one(name, StudyInstanceUID="1.2.3.4"), "the slices disagree on the study"),
    "two frames of reference": (
        lambda name: odd_one(name, FrameOfReferenceUID="1.2.3.5"),
        "the slices disagree on the frame of reference",
    ),
    "two matrices": (smaller_one, "the slices disagree on the matrix"),
    "two orientations": (
        lambda name: odd_one(name, ImageOrientationPatient=turned(4)),
        "1 of 8 slices are oriented otherwise",
    ),
    "two pixel spacings": (
        lambda name: odd_one(name, PixelSpacing=["11", "12"]),
        "the slices disagree on pixel spacing: from 11 to 12 mm",
    ),
    "localizer": (lambda name: [localizer_of(ds) for ds in plain(name)], "all slices are localizers"),
    "derived image": (
        lambda name: plain(name, ImageType=["DERIVED", "PRIMARY", "AXIAL"]),
        "all slices are derived images",
    ),
    "secondary image": (
        lambda name: plain(name, ImageType=["ORIGINAL", "SECONDARY", "AXIAL"]),
        "all slices are secondary images",
    ),
    "too few slices": (lambda name: plain(name)[:5], "the series has 5 slices, fewer than 6"),
    "no patient ID": (lambda name: plain(name, PatientID=""), "have an empty Patient ID"),
    "lossy": (lambda name: odd_one(name, LossyImageCompression="01"), "1 of 8 slices were compressed with loss"),
    "no frame of reference": (lambda name: plain(name, FrameOfReferenceUID=None), "no Frame of Reference UID"),
    "not CT": (lambda name: plain(name, Modality="MR"), "all slices are not CT images"),
    "colour": (coloured, "pixels that are not one grey value"),
    "no rescale": (lambda name: plain(name, RescaleSlope=None), "no readable Rescale Slope and Intercept"),
    "not Hounsfield": (lambda name: plain(name, RescaleType="ED"), "hold another quantity than Hounsfield units"),
    "no position": (lambda name: odd_one(name, ImagePositionPatient=None), "no readable Image Position"),
    "no orientation": (lambda name: odd_one(name, ImageOrientationPatient=None), "no readable Image Orientation"),
    "bad orientation": (
        lambda name: odd_one(name, ImageOrientationPatient=[1.0, 0.0, 0.0, 0.5, 1.0, 0.0]),
        "directions are not orthogonal unit vectors",
    ),
    "no pixel spacing": (lambda name: plain(name, PixelSpacing=None), "no readable Pixel Spacing"),
    "not axial": (lambda name: plain(name, ImageOrientationPatient=CORONAL), "the slices are not axial but sagittal"),
    "oblique": (lambda name: leaning(name, 10), "the slices are oblique, 10.0 degrees off axial"),
    "turned": (lambda name: plain(name, ImageOrientationPatient=turned(45)), "run 45 degrees off left-right"),
    "on the side": (lambda name: plain(name, ImageOrientationPatient=SIDE), "as of a patient who lies on the side"),
    "shifted": (shifted, "slices are shifted sideways against one another by up to 4.0 mm"),
    "no head and neck": (plain, "no head and neck was found"),
}
REAL: dict[str, tuple[str, str]] = {
    "gantry tilt": ("missing_tilted_duplicate/failing/gantrytilting/001", "the gantry was tilted by"),
    "no volume": ("missing_tilted_duplicate/failing/notavolume/001", "more than one slice lies at"),
    "secondary image": ("missing_tilted_duplicate/failing/sliceincrement/001", "secondary images"),
    "thorax in JPEG 2000": ("siemens_mct_j2k_20slices", "no head and neck was found"),
}


@pytest.fixture(scope="module")
def peer() -> Iterator[ReceivingPeer]:
    """Run a TPS."""
    with receiving_peer() as tps:
        yield tps


@pytest.fixture(scope="module")
def node(peer: ReceivingPeer, tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[Node]:
    """Run a node without a rule that ignores anything."""
    folder = tmp_path_factory.mktemp("held")
    rule = '[[rules]]\nname = "all CT"\naction = "contour"\nbundle = "tiny"\n'
    made = make_node(
        folder, peer.peer, bundle_dir=bundle_dir, rules=rule, more={"receiving": {"minimum_slices": SLICES - 2}}
    )
    with running(made):
        yield made


@pytest.fixture(scope="module")
def held(node: Node) -> dict[str, Any]:
    """Send a series for each reason; return what `status` says of each."""
    uids = {name: node.send_series(make(name)) for name, (make, _) in MADE.items()}
    node.wait_for_end(*uids.values())
    shown = {one["series_instance_uid"]: one for one in node.status()["series"]}
    return {name: shown[uid] for name, uid in uids.items()}


@pytest.mark.parametrize("name", MADE)
def test_status_says_in_words_why_a_series_is_held(held: dict[str, Any], name: str) -> None:
    """The series is held, and one of the reasons that `status` shows is the one that was made."""
    assert held[name]["state"] == "held"
    assert any(MADE[name][1] in reason for reason in held[name]["reasons"]), held[name]["reasons"]


def test_every_held_series_has_an_alarm(node: Node, held: dict[str, Any]) -> None:
    """The operator is told of each series that waits for a person."""
    about = {alarm["about"] for alarm in node.status()["alarms"] if alarm["kind"] == "held"}

    assert about >= {one["pseudonym"] for one in held.values()}


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_a_real_awkward_series_is_held_for_the_right_reason(node: Node, name: str) -> None:
    """A real CT that cannot be contoured honestly is held, and `series show` says why."""
    folder, words = REAL[name]
    series = real_series(DATA / folder)

    uid = node.send_series(series)
    states = node.wait_for_end(uid)

    assert states[uid] is State.HELD
    assert any(words in reason for reason in node.series(uid)["reasons"]), node.series(uid)["reasons"]


def test_a_series_with_a_missing_slice_is_contoured_once_it_is_released(
    node: Node, held: dict[str, Any], peer: ReceivingPeer
) -> None:
    """An operator who knows better has the series contoured and delivered."""
    uid = held["missing slice"]["series_instance_uid"]

    done = node.run("series", "release", uid)
    node.wait_for(lambda ledger: ledger.series(held["missing slice"]["id"]).state is State.SENT)

    assert (done.returncode, done.stdout) == (0, f"series {uid}: released: it will be contoured\n")
    assert node.series(uid)["results"][0]["sop_instance_uid"] in peer.asked


def test_a_released_series_without_a_head_and_neck_gets_what_was_found(node: Node, held: dict[str, Any]) -> None:
    """The operator may insist; what comes of it is a structure set, or a series that is held because there is none."""
    name = held["no head and neck"]
    done = node.run("series", "release", name["pseudonym"])

    def over(ledger: Ledger) -> bool:
        record = ledger.series(name["id"])
        return record.state is State.SENT or record.reasons == ("there is no organ to write",)

    node.wait_for(over)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["gantry tilt", "two patients", "duplicate position", "no patient ID"])
def test_nobody_can_release_what_cannot_be_contoured(node: Node, held: dict[str, Any], name: str) -> None:
    """The command refuses with a sentence that has the reason, exit code 1 and no traceback."""
    done = node.run("series", "release", held[name]["pseudonym"])

    assert done.returncode == 1
    assert done.stderr.startswith("dicomnode: the series cannot be contoured: ")
    assert MADE[name][1] in done.stderr
    assert node.series(held[name]["series_instance_uid"])["state"] == "held"


def test_a_model_for_phantoms_refuses_a_patient(tmp_path: Path, peer: ReceivingPeer) -> None:
    """A CT that is not the project's phantom is held where the model is for phantoms."""
    write_tiny_bundle(tmp_path / "bundles" / "tiny", purpose="phantom")
    node = make_node(tmp_path / "node", peer.peer, bundle_dir=tmp_path / "bundles")
    with running(node):
        uid = node.send_series(marked_series(1, slices=20, header={"Manufacturer": "Somebody"}))
        states = node.wait_for_end(uid)
        reasons = node.series(uid)["reasons"]

    assert states[uid] is State.HELD
    assert reasons == ["the model tiny was trained on phantoms and may not be used on a patient's CT"]


def real_series(folder: Path) -> Series:
    """Return a real series, with the UIDs that its data sets lack; skip without it."""
    if not folder.is_dir():
        pytest.skip("the public CT beside the checkout are absent")
    series = [dcmread(path, force=True) for path in sorted(folder.glob("*")) if path.is_file()]
    lacking = {"SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"}
    common = {
        keyword: generate_uid(entropy_srcs=[folder.name, keyword]) for keyword in lacking if not series[0].get(keyword)
    }
    if not series[0].get("SOPClassUID"):
        common |= {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "PatientID": "REAL-1"}
    filled = [with_header(ds, common) for ds in series]
    for index, ds in enumerate(filled):
        if not ds.get("SOPInstanceUID"):
            ds.SOPInstanceUID = generate_uid(entropy_srcs=[folder.name, str(index)])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    return filled
