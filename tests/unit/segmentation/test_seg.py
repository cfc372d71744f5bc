"""The organs as a DICOM Segmentation."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import Segmentation, segread
from pydicom import Dataset

from segmentation.organ_mask import OrganMask
from segmentation.seg import build_segmentation, numbered
from tests.support.series import series_of, small_phantom
from tests.support.structure_sets import identity

NAMES = ("Bone_Mandible", "Parotid_L", "Parotid_R", "Brainstem")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmentation of four organs of a phantom, on disk."""
    path = tmp_path_factory.mktemp("seg") / "seg.dcm"
    masks = {name: OrganMask.from_full(small_phantom().masks[name]) for name in NAMES}
    build_segmentation(masks, headers(), identity()).save_as(path)
    return path


def headers() -> list[Dataset]:
    found = list(series_of(small_phantom()))
    for header in found:
        del header.PixelData
    return found


@pytest.fixture(scope="module")
def read(written: Path) -> Segmentation:
    return segread(written)


@pytest.mark.parametrize("name", NAMES)
def test_another_library_reads_every_voxel_where_it_was_drawn(read: Segmentation, name: str) -> None:
    """Slice by slice of the CT, by its SOP Instance UID."""
    number = read.get_segment_numbers(segment_label=name)[0]

    pixels = read.get_pixels_by_source_instance(
        [header.SOPInstanceUID for header in headers()],
        segment_numbers=[number],
        assert_missing_frames_are_empty=True,
    )

    assert np.array_equal(pixels[..., 0].astype(bool), small_phantom().masks[name])


def test_the_side_is_coded(read: Segmentation) -> None:
    """Left is left in the code too."""
    description = read.get_segment_description(read.get_segment_numbers(segment_label="Parotid_L")[0])

    [side] = description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence
    assert side.CodeMeaning == "Left"


def test_it_lies_in_the_frame_and_study_of_the_ct(read: Segmentation) -> None:
    """A viewer lays it over the right patient."""
    ct = headers()[0]

    assert read.FrameOfReferenceUID == ct.FrameOfReferenceUID
    assert (read.StudyInstanceUID, read.PatientID) == (ct.StudyInstanceUID, ct.PatientID)


def test_organs_are_numbered_in_their_order() -> None:
    """The first is 1, what is none is 0."""
    first, second = np.zeros((2, 1, 3), dtype=bool), np.zeros((2, 1, 3), dtype=bool)
    first[0, 0, 0], second[1, 0, 2] = True, True

    labels = numbered([OrganMask.from_full(first), OrganMask.from_full(second)])

    assert labels.tolist() == [[[1, 0, 0]], [[0, 0, 2]]]


@pytest.mark.peer
def test_dciodvfy_finds_no_error(written: Path) -> None:
    """As the Segmentation IOD demands."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")

    said = subprocess.run([program, str(written)], capture_output=True, text=True, check=False).stderr

    assert [line for line in said.splitlines() if line.startswith("Error")] == []
