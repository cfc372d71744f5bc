"""`structures show`, `mask` and `from-mask`: what they return, print and refuse."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from typer.testing import CliRunner

from dicomnode.cli import app
from dicomnode.commands.lint import lint
from dicomnode.commands.structure_masks import write_masks, write_structure_set_of_masks
from dicomnode.commands.structures import show_structure_set
from dicomnode.errors import NodeError, NotFound
from dicomnode.structure_settings import StructureSettings
from segmentation.errors import StructureSetError
from segmentation.organ_mask import OrganMask
from segmentation.phantom_series import write_series
from segmentation.rtstruct import build_structure_set, encode_structure_set
from tests.support.series import series_of, small_phantom
from tests.support.structure_sets import identity

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "structure_sets"
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public structure sets are not beside the checkout")
ECLIPSE = DATA / "eclipse_aria_16.1_visible_human" / "AnonDICOM"
CANARY = "CANARY-4711"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return a folder with a phantom's CT, and a structure set of three of its organs."""
    folder = tmp_path_factory.mktemp("structures")
    phantom = small_phantom(rows=64, columns=72, pixel_mm=4.0)
    datasets = series_of(phantom, patient_id=CANARY)
    write_series(datasets, folder / "ct")
    names = ("Brainstem", "Bone_Mandible", "Parotid_L")
    organs = {name: OrganMask.from_full(phantom.masks[name]) for name in names}
    ds = build_structure_set(organs, datasets, phantom.volume.grid, identity())
    (folder / "rs.dcm").write_bytes(encode_structure_set(ds))
    return folder


def run(*arguments: object):
    """Run the command line; a fault of ours is the exception that it would print."""
    return CliRunner().invoke(app, ["structures", *map(str, arguments)])


def changed(drawn, to, change):
    """Write a copy of the structure set that was changed."""
    ds = dcmread(drawn / "rs.dcm")
    change(ds)
    ds.save_as(to)
    return to


def test_show_tells_rois_organs_volumes_and_approval(drawn):
    """The volumes are near those of the voxels, though no CT is looked at."""
    view = show_structure_set(drawn / "rs.dcm", StructureSettings())
    masks = {one.name: one for one in write_masks(drawn / "rs.dcm", drawn / "ct", drawn / "x.npz").rois}

    assert [(roi.number, roi.organ, roi.interpreted_type) for roi in view.rois] == [
        (1, "Brainstem", "ORGAN"),
        (3, "Bone_Mandible", "ORGAN"),
        (5, "Parotid_L", "ORGAN"),
    ]
    assert all(roi.volume_cm3 == pytest.approx(masks[roi.name].volume_cm3, rel=0.12) for roi in view.rois)
    assert (view.approval_status, view.approval.is_approved) == ("UNAPPROVED", False)


def test_show_prints_no_patient(drawn):
    """Neither on the terminal nor in JSON."""
    for option in ([], ["--json"]):
        result = run("show", drawn / "rs.dcm", *option)
        assert result.exit_code == 0
        assert "Brainstem" in result.stdout
        assert CANARY not in result.output


def test_an_empty_roi_takes_no_organ_from_one_with_contours(drawn, tmp_path):
    """Two with contours are both unclear."""

    def rename(ds: Dataset) -> None:
        ds.StructureSetROISequence[1].ROIName = "L Parotid"
        del ds.ROIContourSequence[1].ContourSequence

    view = show_structure_set(changed(drawn, tmp_path / "rs.dcm", rename), StructureSettings())

    assert [roi.organ for roi in view.rois] == ["Brainstem", "Parotid_L", "Parotid_L"]
    assert view.rois[1].why_no_volume == "it has no contours"


def test_two_rois_of_one_number_have_no_volume(drawn, tmp_path):
    """Whose contours they are nobody knows; the third ROI has its own."""

    def renumber(ds: Dataset) -> None:
        ds.StructureSetROISequence[1].ROINumber = ds.StructureSetROISequence[0].ROINumber

    rois = show_structure_set(changed(drawn, tmp_path / "rs.dcm", renumber), StructureSettings()).rois

    assert [roi.volume_cm3 is None for roi in rois] == [True, True, False]
    assert all("its ROI Number is another ROI's too" in roi.why_no_volume for roi in rois[:2])


def test_the_same_masks_give_the_same_file(drawn, tmp_path):
    """The time inside is the CT's; another one may be given, and is another instance."""
    write_masks(drawn / "rs.dcm", drawn / "ct", tmp_path / "masks.npz")
    arguments = ("from-mask", tmp_path / "masks.npz", "--ct", drawn / "ct")
    for name, more in {"one": (), "again": (), "later": ("--time", "2031-02-03T04:05")}.items():
        assert run(*arguments, "-o", tmp_path / name, *more).exit_code == 0
    one, later = dcmread(tmp_path / "one"), dcmread(tmp_path / "later")
    image = dcmread(next((drawn / "ct").iterdir()))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "again").read_bytes()
    assert (one.StructureSetDate, one.StructureSetTime) == (image.ContentDate, image.ContentTime)
    assert (later.StructureSetDate, later.StructureSetTime) == ("20310203", "040500")
    assert one.SOPInstanceUID != later.SOPInstanceUID
    assert isinstance(run(*arguments, "-o", tmp_path / "x", "--time", "noon").exception, NodeError)


def test_masks_and_back_are_the_same(drawn, tmp_path):
    """What `mask` writes, `from-mask` draws, and `mask` reads voxel by voxel."""
    ct, masks = drawn / "ct", tmp_path / "masks.npz"
    assert run("mask", drawn / "rs.dcm", "--ct", ct, "-o", masks).exit_code == 0
    for profile in ("exact", "clinical"):
        back = tmp_path / f"{profile}.dcm"
        assert run("from-mask", masks, "--ct", ct, "-o", back, "--profile", profile).exit_code == 0
        again = write_masks(back, ct, tmp_path / "again.npz")
        assert not any(roi.reasons or roi.notes for roi in again.rois)
        with np.load(masks) as one, np.load(tmp_path / "again.npz") as other:
            assert one.files == other.files
            assert all(np.array_equal(one[key], other[key]) for key in one.files)


def test_one_roi_may_be_chosen(drawn, tmp_path):
    """A name that is not there is a fault, and the message says which there are."""
    write_masks(drawn / "rs.dcm", drawn / "ct", tmp_path / "one.npz", names=["Brainstem"])

    with np.load(tmp_path / "one.npz") as arrays:
        assert [key for key in arrays.files if key.endswith(".mask")] == ["Brainstem.mask"]
    with pytest.raises(NotFound, match=r"no ROI Tronc .* there are Brainstem, Bone_Mandible, Parotid_L"):
        write_masks(drawn / "rs.dcm", drawn / "ct", tmp_path / "one.npz", names=["Tronc"])


def test_refused_rois_are_listed_with_all_reasons_in_json_and_some_on_the_terminal(drawn, tmp_path):
    """The other ROIs are written."""

    def lift(ds: Dataset) -> None:
        for contour in ds.ROIContourSequence[0].ContourSequence:
            contour.ContourData = [value + 1.1 for value in contour.ContourData]

    path = changed(drawn, tmp_path / "rs.dcm", lift)
    count = len(dcmread(path).ROIContourSequence[0].ContourSequence)
    arguments = ("mask", path, "--ct", drawn / "ct", "-o", tmp_path / "masks.npz")
    rois = json.loads(run(*arguments, "--json").stdout)["rois"]

    assert len(rois[0]["reasons"]) == count > 4
    assert [roi["voxels"] > 0 for roi in rois] == [False, True, True]
    shown = " ".join(run(*arguments).stdout.replace("│", " ").split())
    assert f"and {count - 3}" in shown


def test_nothing_is_written_where_no_roi_is_left(drawn, tmp_path):
    """The exit code is not 0, and there is no file."""

    def double(ds: Dataset) -> None:
        for roi in ds.StructureSetROISequence:
            roi.ROIName = "twin"

    path = changed(drawn, tmp_path / "rs.dcm", double)
    result = run("mask", path, "--ct", drawn / "ct", "-o", tmp_path / "masks.npz", "--json")

    assert isinstance(result.exception, NodeError)
    assert "3 ROIs have this name" in result.stdout
    assert not (tmp_path / "masks.npz").exists()


def test_masks_of_other_things_are_left_out(drawn, tmp_path):
    """Only what is one of the organs becomes a ROI of ours."""

    def rename(ds: Dataset) -> None:
        ds.StructureSetROISequence[0].ROIName = "Tronc cerebral"
        ds.StructureSetROISequence[2].ROIName = "Parotid_L_PRV"

    write_masks(changed(drawn, tmp_path / "rs.dcm", rename), drawn / "ct", tmp_path / "masks.npz")
    outcome = write_structure_set_of_masks(
        tmp_path / "masks.npz", drawn / "ct", tmp_path / "back.dcm", StructureSettings()
    )

    assert {roi.name: roi.organ for roi in outcome.rois} == {
        "Tronc cerebral": "Brainstem",
        "Bone_Mandible": "Bone_Mandible",
        "Parotid_L_PRV": "",
    }
    assert [roi.ROIName for roi in dcmread(tmp_path / "back.dcm").StructureSetROISequence] == [
        "Brainstem",
        "Bone_Mandible",
    ]


def test_bad_files_are_faults_in_a_sentence(drawn, tmp_path):
    """No DICOM, cut off, another object, absent, or no masks."""
    settings = StructureSettings()
    (tmp_path / "text").write_text("no DICOM")
    whole = (drawn / "rs.dcm").read_bytes()
    for length in (len(whole) // 3, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(NodeError, match="is damaged or cut off"):
            show_structure_set(tmp_path / "cut", settings)
    with pytest.raises(NodeError, match="is no DICOM file"):
        show_structure_set(tmp_path / "text", settings)
    with pytest.raises(NotFound, match="is no file"):
        show_structure_set(tmp_path / "absent", settings)
    with pytest.raises(StructureSetError, match="not RTSTRUCT"):
        show_structure_set(next((drawn / "ct").iterdir()), settings)
    with pytest.raises(StructureSetError, match="no file of masks"):
        write_structure_set_of_masks(tmp_path / "text", drawn / "ct", tmp_path / "out", settings)
    with pytest.raises(StructureSetError, match="no profile 'smooth'"):
        write_structure_set_of_masks(tmp_path / "text", drawn / "ct", tmp_path / "out", settings, profile="smooth")
    with pytest.raises(NodeError, match="cannot be written"):
        write_masks(drawn / "rs.dcm", drawn / "ct", tmp_path / "absent" / "out.npz")


@pytest.mark.parametrize("length", [3, 6, 387])
def test_a_damaged_head_is_a_fault_in_a_sentence(drawn, tmp_path, length):
    """A group length that is no number: found by the fuzzer, in which pydicom raises what it raises nowhere else."""
    whole = (drawn / "rs.dcm").read_bytes()
    (tmp_path / "damaged").write_bytes(whole[:138] + length.to_bytes(2, "little") + whole[140:])

    with pytest.raises(NodeError, match="is damaged"):
        show_structure_set(tmp_path / "damaged", StructureSettings())
    with pytest.raises(StructureSetError, match="is damaged"):
        lint(tmp_path / "damaged")


@real_data
@pytest.mark.real_data
def test_a_structure_set_of_eclipse_is_shown_filled_and_drawn_again(tmp_path):
    """The volume from the contours is that of the voxels; the cord comes back, the outline is none of ours."""
    view = show_structure_set(ECLIPSE / "RS_Body_SpinalCord.dcm", StructureSettings())
    masks = write_masks(ECLIPSE / "RS_Body_SpinalCord.dcm", ECLIPSE, tmp_path / "masks.npz")
    back = write_structure_set_of_masks(tmp_path / "masks.npz", ECLIPSE, tmp_path / "rs.dcm", StructureSettings())

    assert [roi.organ for roi in view.rois] == [None, "SpinalCord"]
    assert [roi.volume_cm3 for roi in view.rois] == pytest.approx([roi.volume_cm3 for roi in masks.rois], rel=0.02)
    assert [bool(roi.organ) for roi in back.rois] == [False, True]


@real_data
@pytest.mark.real_data
def test_an_approved_structure_set_is_approved():
    """And its empty ROI has no volume."""
    view = show_structure_set(DATA / "approved_breast" / "example_data" / "rtss.dcm", StructureSettings())

    assert view.approval.is_approved
    assert [roi.name for roi in view.rois if roi.volume_cm3 is None] == ["Areola"]
