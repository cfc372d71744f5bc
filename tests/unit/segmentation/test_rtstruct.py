import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from segmentation.contours import CLINICAL, EXACT, Profile
from segmentation.errors import StructureSetError
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_check import verify_structure_set
from segmentation.structures import BY_NAME, ORGANS
from tests.support.structure_sets import (
    GEOMETRIES,
    Geometry,
    awkward_masks,
    ct_headers,
    grid_of,
    identity,
    organs_of,
)

HFS = GEOMETRIES["HFS"]
PROFILES = pytest.mark.parametrize("profile", [CLINICAL, EXACT], ids=lambda profile: profile.name)
ALL_GEOMETRIES = pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
PLAIN = re.compile(rb"(?!-0\.0+$)-?\d+\.\d+")
JAPANESE = (  # PS3.5 H.3.1, as it stands in a file
    b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
)


def written(
    organs: dict[str, OrganMask], geometry: Geometry = HFS, profile: Profile = CLINICAL
) -> tuple[bytes, Dataset]:
    """Return the file of the organs, and its dataset as a reader parses it."""
    ds = build_structure_set(organs, ct_headers(geometry), grid_of(geometry), identity(), profile=profile)
    content = encode_structure_set(ds)
    return content, dcmread(BytesIO(content))


def contours_of(ds: Dataset) -> list[Dataset]:
    return [contour for roi in ds.ROIContourSequence for contour in roi.ContourSequence]


def test_a_structure_set_without_organs_is_not_written() -> None:
    """There is nothing to send."""
    with pytest.raises(StructureSetError, match="no organ"):
        written({})


@ALL_GEOMETRIES
@PROFILES
def test_every_voxel_comes_back_in_every_geometry(geometry: Geometry, profile: Profile) -> None:
    """Masks to bytes to masks is the identity however the patient lies and however the slices are spaced."""
    organs = organs_of(geometry)
    content, _ = written(organs, geometry, profile)

    verify_structure_set(dcmread(BytesIO(content)), organs, ct_headers(geometry), grid_of(geometry))


@ALL_GEOMETRIES
@PROFILES
def test_every_voxel_of_awkward_masks_comes_back(geometry: Geometry, profile: Profile) -> None:
    """Single voxels, diagonals, holes, rings in rings and noise survive the rounding to text."""
    organs = awkward_masks(geometry)
    content, _ = written(organs, geometry, profile)

    verify_structure_set(dcmread(BytesIO(content)), organs, ct_headers(geometry), grid_of(geometry))


@settings(max_examples=60, deadline=None)
@given(
    mask=arrays(np.bool_, (2, 7, 8)).filter(np.any),
    geometry=st.sampled_from(list(GEOMETRIES.values())),
    with_probability=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_mask_comes_back_in_any_geometry(
    mask: NDArray[np.bool_], geometry: Geometry, with_probability: bool, seed: int
) -> None:
    """Random masks with random probabilities: no voxel differs."""
    small = replace(geometry, shape=(7, 8), z=geometry.z[3:5])
    probability = np.random.default_rng(seed).random(mask.shape, dtype=np.float32) if with_probability else None
    organs = {"Lens_L": OrganMask(mask.shape, (0, 0, 0), mask, probability)}
    content, _ = written(organs, small)

    verify_structure_set(dcmread(BytesIO(content)), organs, ct_headers(small), grid_of(small))


@pytest.mark.slow
@ALL_GEOMETRIES
def test_six_thousand_random_slices_come_back(geometry: Geometry) -> None:
    """Twelve organs of 64 slices in nine geometries, sparse to dense, with and without probabilities."""
    random = np.random.default_rng(3)
    many = replace(geometry, shape=(9, 11), z=tuple(3.0 * k for k in range(64)))
    density = np.linspace(0.02, 0.98, 64)[:, None, None]
    noise = {organ.name: random.random((64, 9, 11), dtype=np.float32) for organ in ORGANS}
    organs = {
        name: OrganMask.from_full(values < density, values if name.endswith("_L") else None)
        for name, values in noise.items()
    }
    content, _ = written(organs, many)

    verify_structure_set(dcmread(BytesIO(content)), organs, ct_headers(many), grid_of(many))


def test_the_same_input_gives_the_same_bytes() -> None:
    """Nothing in the file comes from a clock, a random number or the order of the mapping."""
    organs = organs_of(HFS)

    first, _ = written(organs)
    second, _ = written(dict(reversed(organs.items())))

    assert first == second


def test_the_file_says_where_it_comes_from() -> None:
    """Unreviewed, unapproved, automatic, and by which model."""
    _, ds = written(organs_of(HFS))
    roi = ds.StructureSetROISequence[0]
    algorithm = roi.ROIDerivationAlgorithmIdentificationSequence[0]

    assert (ds.SeriesDescription, ds.ApprovalStatus) == ("AI OAR - UNREVIEWED", "UNAPPROVED")
    assert "ReviewDate" not in ds
    assert (roi.ROIGenerationAlgorithm, roi.ROIGenerationDescription) == ("AUTOMATIC", "made 2026.01.02")
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("made", "2026.01.02")
    assert algorithm.AlgorithmParameters == "SHA-256 " + "ab" * 32
    assert list(ds.SoftwareVersions) == ["0.1.0", "made 2026.01.02"]


def test_the_ct_is_referred_to_slice_by_slice() -> None:
    """The referenced series lists every slice, and each contour the one that it lies on."""
    _, ds = written(organs_of(HFS))
    headers = ct_headers(HFS)
    (frame,) = ds.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    place_of = {header.SOPInstanceUID: header.ImagePositionPatient[2] for header in headers}

    assert frame.FrameOfReferenceUID == ds.FrameOfReferenceUID == headers[0].FrameOfReferenceUID
    assert study.ReferencedSOPInstanceUID == ds.StudyInstanceUID
    assert series.SeriesInstanceUID == headers[0].SeriesInstanceUID != ds.SeriesInstanceUID
    assert [image.ReferencedSOPInstanceUID for image in series.ContourImageSequence] == list(place_of)
    for contour in contours_of(ds):
        (image,) = contour.ContourImageSequence
        assert float(contour.ContourData[2]) == place_of[image.ReferencedSOPInstanceUID]


def test_an_axial_contour_bears_the_z_text_of_its_slice() -> None:
    """The third coordinate is the slice's own text, so that no reader has to round."""
    _, ds = written(organs_of(HFS))
    texts = {str(header.ImagePositionPatient[2]) for header in ct_headers(HFS)}

    for contour in contours_of(ds):
        raw = contour.get_item("ContourData").value.decode("ascii").strip().split("\\")
        assert set(raw[2::3]) <= texts


def test_a_z_with_an_exponent_is_written_in_plain_digits() -> None:
    """Readers that cut numbers by position do not meet an E."""
    headers = ct_headers(HFS)
    headers[7].ImagePositionPatient[2] = "-1.65E+01"
    ds = build_structure_set(organs_of(HFS), headers, grid_of(HFS), identity())
    contours = contours_of(dcmread(BytesIO(encode_structure_set(ds))))

    assert b"\\-16.50000" in b"".join(contour.get_item("ContourData").value for contour in contours)
    assert not any(b"E" in contour.get_item("ContourData").value for contour in contours)


@ALL_GEOMETRIES
def test_every_number_and_length_stays_within_its_limit(geometry: Geometry) -> None:
    """DS of 16 characters without exponent or negative zero, values of even length below 64 kB, points as counted."""
    _, ds = written(organs_of(geometry), geometry)

    for contour in contours_of(ds):
        value = contour.get_item("ContourData").value
        numbers = value.strip().split(b"\\")
        assert max(map(len, numbers)) <= 16
        assert len(value) % 2 == 0
        assert len(value) < 65534
        assert all(PLAIN.fullmatch(number) for number in numbers)
        assert len(numbers) == 3 * contour.NumberOfContourPoints >= 9
        assert contour.ContourGeometricType == "CLOSED_PLANAR"


def test_numbers_and_names_are_unique_and_short() -> None:
    """ROI, observation and contour numbers are each used once; names and label have 16 characters at most."""
    _, ds = written(organs_of(HFS))
    roi_numbers = [roi.ROINumber for roi in ds.StructureSetROISequence]

    assert len(set(roi_numbers)) == len(roi_numbers)
    assert [roi.ReferencedROINumber for roi in ds.ROIContourSequence] == roi_numbers
    assert [item.ReferencedROINumber for item in ds.RTROIObservationsSequence] == roi_numbers
    assert len({item.ObservationNumber for item in ds.RTROIObservationsSequence}) == len(roi_numbers)
    for roi in ds.ROIContourSequence:
        assert [c.ContourNumber for c in roi.ContourSequence] == list(range(1, len(roi.ContourSequence) + 1))
    assert max(len(text) for text in (ds.StructureSetLabel, *BY_NAME)) <= 16
    assert len({name.lower() for name in BY_NAME}) == len(ORGANS)


def test_organs_are_coded_with_their_side() -> None:
    """An observation says which organ and which side, in SNOMED CT, and that it is one."""
    _, ds = written(organs_of(HFS))
    coded = {item.ROIObservationLabel: item.RTROIIdentificationCodeSequence[0] for item in ds.RTROIObservationsSequence}

    assert coded["Parotid_R"].CodeValue == "45289007"
    assert coded["Parotid_R"].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert "SegmentedPropertyTypeModifierCodeSequence" not in coded["Brainstem"]
    assert {item.RTROIInterpretedType for item in ds.RTROIObservationsSequence} == {"ORGAN"}


def test_an_organ_that_was_not_found_is_in_no_sequence() -> None:
    """Readers crash on a ROI without contours, so there is none."""
    _, ds = written({"Lens_L": organs_of(HFS)["Lens_L"]})

    assert [roi.ROIName for roi in ds.StructureSetROISequence] == ["Lens_L"]
    assert len(ds.ROIContourSequence) == len(ds.RTROIObservationsSequence) == 1


def test_the_volume_counts_slices_as_thick_as_they_lie_apart() -> None:
    """Where spacing changes from 3 to 5 mm a voxel there is 4 mm thick."""
    geometry = GEOMETRIES["uneven slices"]
    mask = np.zeros((len(geometry.z), *geometry.shape), dtype=np.bool_)
    mask[2:5, 10:20, 10:20] = True
    _, ds = written({"Brainstem": OrganMask.from_full(mask)}, geometry)

    area_cm2 = 100 * geometry.spacing[0] * geometry.spacing[1] / 100
    assert float(ds.StructureSetROISequence[0].ROIVolume) == pytest.approx(area_cm2 * (0.3 + 0.4 + 0.5), abs=0.001)


@pytest.mark.parametrize("was_decoded", [False, True], ids=["raw", "decoded"])
def test_a_japanese_name_is_copied_byte_for_byte(was_decoded: bool) -> None:
    """A name in ISO 2022 leaves as it came, whether or not someone has looked at it on the way."""
    headers = []
    for header in ct_headers(HFS):
        header.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
        header.PatientName = JAPANESE
        file = BytesIO()
        dcmwrite(file, header, implicit_vr=False, little_endian=True)
        headers.append(dcmread(BytesIO(file.getvalue()), force=True))
    if was_decoded:
        assert "Yamada" in str(headers[0].PatientName)
    ds = build_structure_set(organs_of(HFS), headers, grid_of(HFS), identity())
    content = encode_structure_set(ds)
    copied = dcmread(BytesIO(content))

    assert copied.get_item("PatientName").value.rstrip(b" ") == JAPANESE
    assert list(copied.SpecificCharacterSet) == ["", "ISO 2022 IR 87"]
    assert copied.StudyID == "77"


def test_what_the_ct_lacks_is_empty_and_not_invented() -> None:
    """Type 2 attributes that are not in the CT are there without a value, type 3 ones are not."""
    headers = ct_headers(HFS)
    for header in headers:
        del header.PatientBirthDate, header.AccessionNumber, header.StudyDescription, header.PositionReferenceIndicator
    ds = dcmread(BytesIO(encode_structure_set(build_structure_set(organs_of(HFS), headers, grid_of(HFS), identity()))))

    assert ds["PatientBirthDate"].is_empty
    assert ds["AccessionNumber"].is_empty
    assert ds["PositionReferenceIndicator"].is_empty
    assert "StudyDescription" not in ds


def test_contour_data_stays_a_decimal_string_in_an_explicit_vr() -> None:
    """A TPS that asks for Explicit VR gets DS, not UN."""
    _, ds = written(organs_of(HFS))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = BytesIO()
    for contour in contours_of(ds):
        assert contour["ContourData"].VR == "DS"
    ds.file_meta = meta
    dcmwrite(file, ds, implicit_vr=False, little_endian=True, enforce_file_format=True)

    assert {contour["ContourData"].VR for contour in contours_of(dcmread(BytesIO(file.getvalue())))} == {"DS"}


def test_the_file_begins_with_an_empty_preamble_and_is_implicit() -> None:
    """Part 10 with our implementation's name, in the transfer syntax that no reader gets wrong."""
    content, ds = written(organs_of(HFS))

    assert content[:132] == bytes(128) + b"DICM"
    assert ds.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert ds.file_meta.ImplementationVersionName == "DICOMNODE"
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID == identity().sop_instance_uid


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": "AI_0102_1112_1314"}, "label .* at most 16 characters"),
        ({"label": " "}, "label must not be empty"),
        ({"label": "AI\\1"}, "without a backslash"),
        ({"institution_name": "Universitätsklinik"}, "institution_name .* printable ASCII"),
        ({"series_description": "x" * 65}, "series_description .* at most 64"),
        ({"description": "two\nlines"}, "description .* printable"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(changes: dict[str, str], reason: str) -> None:
    """Texts are never cut or changed on the way into a file."""
    with pytest.raises(StructureSetError, match=reason):
        identity(**changes)


def test_every_text_that_does_not_fit_is_named_at_once() -> None:
    """An operator mends a configuration in one go."""
    with pytest.raises(StructureSetError, match=r"label .*; .*model_name"):
        identity(label="x" * 17, model_name="")


def test_an_organ_that_cannot_be_written_is_named_with_the_others() -> None:
    """Unknown, empty and misplaced organs are refused, all in one message."""
    organs = organs_of(HFS)
    empty = np.zeros_like(organs["Lens_L"].mask)
    wrong = {
        "Thyroid": organs["Lens_L"],
        "Lens_R": replace(organs["Lens_L"], mask=empty),
        "Lens_L": replace(organs["Lens_L"], grid_shape=(1, 2, 3)),
    }

    with pytest.raises(StructureSetError, match=r"Lens_L lies on .* Lens_R has no voxel; Thyroid is not an organ"):
        written(wrong)


def test_headers_in_another_order_than_the_grid_are_refused() -> None:
    """A contour must not land on the mirror image of its slice."""
    with pytest.raises(StructureSetError, match="order of the grid"):
        build_structure_set(organs_of(HFS), ct_headers(HFS)[::-1], grid_of(HFS), identity())


def test_too_few_headers_are_refused() -> None:
    """Each slice of the grid has a header."""
    with pytest.raises(StructureSetError, match="13 headers for a grid of 14"):
        build_structure_set(organs_of(HFS), ct_headers(HFS)[1:], grid_of(HFS), identity())


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_slices_that_disagree_are_refused(keyword: str) -> None:
    """One study, one series, one frame of reference; and it is never invented."""
    headers = ct_headers(HFS)
    setattr(headers[3], keyword, "1.2.3")

    with pytest.raises(StructureSetError, match=keyword):
        build_structure_set(organs_of(HFS), headers, grid_of(HFS), identity())


def test_two_slices_of_one_uid_are_refused() -> None:
    """A contour could not say which of them it lies on."""
    headers = ct_headers(HFS)
    headers[3].SOPInstanceUID = headers[4].SOPInstanceUID

    with pytest.raises(StructureSetError, match="same SOP Instance UID"):
        build_structure_set(organs_of(HFS), headers, grid_of(HFS), identity())
