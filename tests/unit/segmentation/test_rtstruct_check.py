from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from segmentation.errors import StructureSetError
from segmentation.organ_mask import OrganMask
from segmentation.profiles import CLINICAL
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_check import prove, verify_structure_set
from tests.support.structure_sets import GEOMETRIES, ct_headers, grid_of, identity, organs_of

HFS = GEOMETRIES["HFS"]
CONTOUR_DATA = Tag("ContourData")


def written(organs: dict[str, OrganMask]) -> bytes:
    return encode_structure_set(build_structure_set(organs, ct_headers(HFS), grid_of(HFS), identity()))


def verify(content: bytes, organs: dict[str, OrganMask]) -> None:
    verify_structure_set(dcmread(BytesIO(content)), organs, ct_headers(HFS), grid_of(HFS))


def test_a_structure_set_of_its_masks_passes() -> None:
    """What was written from the masks gives them back."""
    verify(written(organs_of(HFS)), organs_of(HFS))


def test_a_single_voxel_that_differs_is_told_with_its_organ() -> None:
    """One voxel is enough, and the message counts them."""
    organs = organs_of(HFS)
    mask = organs["Brainstem"].mask.copy()
    mask[4, 10, 10] ^= True

    with pytest.raises(StructureSetError, match=r"^Brainstem: 1 voxels differ$"):
        verify(written(organs), organs | {"Brainstem": replace(organs["Brainstem"], mask=mask)})


def test_a_mask_elsewhere_is_told_by_all_its_voxels() -> None:
    """Boxes that do not meet have nothing in common."""
    organs = organs_of(HFS)
    lens = organs["Lens_L"]
    moved = replace(lens, start=(0, 0, 0))

    with pytest.raises(StructureSetError, match=f"Lens_L: {2 * lens.mask.sum()} voxels differ"):
        verify(written(organs), organs | {"Lens_L": moved})


def test_a_missing_and_a_surplus_organ_are_told() -> None:
    """The structure set holds the organs that were found, and no other."""
    organs = organs_of(HFS)
    renamed = {"Lens_R" if name == "Lens_L" else name: organ for name, organ in organs.items()}

    with pytest.raises(StructureSetError, match=r"Lens_L is in the structure set .*; Lens_R is missing"):
        verify(written(organs), renamed)


def test_bytes_that_are_no_dicom_file_are_told() -> None:
    """A damaged file is not sent."""
    with pytest.raises(StructureSetError, match="no DICOM file"):
        prove(b"nothing", organs_of(HFS), ct_headers(HFS), grid_of(HFS), CLINICAL)


def test_what_the_reader_takes_and_a_rule_does_not_is_told() -> None:
    """A number of 17 characters is read by us and refused by Eclipse: the rules see it as it is in the file."""
    content = written(organs_of(HFS))
    ds = dcmread(BytesIO(content))
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    first, rest = contour.get_item(CONTOUR_DATA).value.split(b"\\", 1)
    longer = first.rjust(17, b" ") + b"\\" + rest
    contour[CONTOUR_DATA] = RawDataElement(CONTOUR_DATA, "DS", len(longer), longer, 0, True, True)
    file = BytesIO()
    dcmwrite(file, ds, implicit_vr=True, little_endian=True)

    prove(content, organs_of(HFS), ct_headers(HFS), grid_of(HFS), CLINICAL)
    with pytest.raises(
        StructureSetError, match=r"ds-length at ROIContourSequence\[0\].ContourSequence\[0\].ContourData"
    ):
        prove(file.getvalue(), organs_of(HFS), ct_headers(HFS), grid_of(HFS), CLINICAL)


def test_a_contour_that_was_moved_is_told() -> None:
    """A contour a millimetre to the left is found, though it is a contour like any other."""
    ds = dcmread(BytesIO(written(organs_of(HFS))))
    moved = ds.ROIContourSequence[0].ContourSequence[3]
    moved.ContourData = [f"{float(x) + (place % 3 == 0):.3f}" for place, x in enumerate(moved.ContourData)]

    with pytest.raises(StructureSetError, match=r"^Brainstem: [0-9]+ voxels differ$"):
        verify(encode_structure_set(ds), organs_of(HFS))


def test_a_refused_organ_is_told_with_the_reason() -> None:
    """What the reader says goes to the operator unchanged."""
    ds = dcmread(BytesIO(written(organs_of(HFS))))
    ds.ROIContourSequence[0].ContourSequence[3].ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"

    with pytest.raises(StructureSetError, match=r"^Brainstem: contour 4 of 9: it refers to an image"):
        verify(encode_structure_set(ds), organs_of(HFS))


def test_a_contour_that_refers_to_another_slice_is_told() -> None:
    """The mask is right, but a TPS that follows the reference would show the contour elsewhere."""
    ds = dcmread(BytesIO(written(organs_of(HFS))))
    one, other = ds.ROIContourSequence[0].ContourSequence[:2]
    one.ContourImageSequence = other.ContourImageSequence

    with pytest.raises(StructureSetError, match=r"^Brainstem: contour 1 of 9: it refers to another slice"):
        verify(encode_structure_set(ds), organs_of(HFS))


def test_an_organ_that_is_there_twice_is_told() -> None:
    """A TPS would show two ROIs of one name."""
    ds = dcmread(BytesIO(written(organs_of(HFS))))
    ds.StructureSetROISequence[1].ROIName = "Brainstem"

    with pytest.raises(StructureSetError, match="Brainstem is in the structure set more than once"):
        verify(encode_structure_set(ds), organs_of(HFS))
