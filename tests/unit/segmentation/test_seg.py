"""The organs as a DICOM Segmentation."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import Segmentation, segread
from pydicom import Dataset

from segmentation.errors import StructureSetError
from segmentation.organ_mask import OrganMask
from segmentation.seg import build_segmentation, encode_segmentation, numbered
from tests.support.series import series_of, small_phantom
from tests.support.structure_sets import GEOMETRIES, ct_headers, identity, organs_of

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


def made(geometry: str, **attributes: object) -> Segmentation:
    """Return the segmentation of an organ on a CT with other attributes; None takes one away."""
    organs = {"Bone_Mandible": organs_of(GEOMETRIES[geometry])["Bone_Mandible"]}
    ct = ct_headers(GEOMETRIES[geometry])
    for header in ct:
        for keyword, value in attributes.items():
            if value is None:
                del header[keyword]
            else:
                setattr(header, keyword, value)
    return segread(BytesIO(encode_segmentation(organs, ct, identity())))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_every_voxel_comes_back_in_every_geometry(geometry: str) -> None:
    """Tilted, unevenly spaced, lying on the face: `encode_segmentation` compares, and a difference would be raised."""
    assert made(geometry).FrameOfReferenceUID == ct_headers(GEOMETRIES[geometry])[0].FrameOfReferenceUID


def test_what_a_ct_lacks_is_empty() -> None:
    """A scanner that leaves attributes of type 2 out is no reason to have no segmentation."""
    gone = ("StudyID", "AccessionNumber", "PatientSex", "PatientBirthDate", "StudyDate", "PositionReferenceIndicator")

    assert made("HFS", **dict.fromkeys(gone)).StudyID == ""


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 100", "Müller^Jürg"),
    ],
)
def test_a_name_in_any_character_set_is_the_same_name(charset: object, name: str) -> None:
    """It is written in UTF-8."""
    assert str(made("HFS", SpecificCharacterSet=charset, PatientName=name).PatientName) == name


def test_a_ct_that_highdicom_cannot_work_with_is_refused_in_words() -> None:
    """Without a value of the patient's."""
    with pytest.raises(StructureSetError, match="no segmentation can be made of this CT: AttributeError"):
        made("HFS", SOPClassUID=None)


@pytest.mark.peer
def test_dciodvfy_finds_no_error(written: Path) -> None:
    """As the Segmentation IOD demands."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")

    said = subprocess.run([program, str(written)], capture_output=True, text=True, check=False).stderr

    assert [line for line in said.splitlines() if line.startswith("Error")] == []
