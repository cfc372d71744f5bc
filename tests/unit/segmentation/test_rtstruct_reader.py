from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.config import disable_value_validation

from segmentation.errors import StructureSetError
from segmentation.even_odd import combine
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_reader import RoiReading, StructureSetMasks, read_structure_set, summarise
from tests.support.structure_sets import GEOMETRIES, ct_headers, grid_of, identity, organs_of

HFS = GEOMETRIES["HFS"]
GRID = grid_of(HFS)
BOX = np.array([[9.5, 9.5], [9.5, 19.5], [19.5, 19.5], [19.5, 9.5]])  # encloses 10 x 10 pixels


def structure_set() -> Dataset:
    """Return a structure set that is good, as a reader gets it."""
    ds = build_structure_set(organs_of(HFS), ct_headers(HFS), GRID, identity())
    return dcmread(BytesIO(encode_structure_set(ds)))


def read(ds: Dataset) -> StructureSetMasks:
    return read_structure_set(ds, ct_headers(HFS), GRID)


def contour(row_column: NDArray[np.float64], slice_index: int = 5, kind: str = "CLOSED_PLANAR") -> Dataset:
    """Return a contour item as some other vendor writes it."""
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(row_column)
    item.ContourData = [f"{x:.3f}" for x in GRID.to_patient(slice_index, row_column).ravel()]
    return item


def with_contours(*contours: Dataset) -> Dataset:
    """Return the structure set with the first ROI's contours replaced."""
    ds = structure_set()
    ds.ROIContourSequence[0].ContourSequence = list(contours)
    return ds


def first(*contours: Dataset) -> RoiReading:
    return read(with_contours(*contours)).rois[0]


def voxels(roi: RoiReading) -> int:
    assert roi.mask is not None
    return int(roi.mask.mask.sum())


def test_masks_are_read_by_name() -> None:
    """Every ROI of a good structure set has its mask."""
    masks = read(structure_set())

    assert masks.by_name.keys() == organs_of(HFS).keys()
    assert masks.refused == ()
    assert np.array_equal(masks.by_name["Lens_L"].full(), organs_of(HFS)["Lens_L"].full())


def test_a_contour_off_its_plane_refuses_its_roi_and_no_other() -> None:
    """A shift along z is never rounded away."""
    ds = structure_set()
    shifted = ds.ROIContourSequence[0].ContourSequence[0]
    shifted.ContourData[2::3] = [float(z) + 0.6 for z in shifted.ContourData[2::3]]
    shifted.ContourData = [str(x) for x in shifted.ContourData]
    masks = read(ds)

    assert [roi.name for roi in masks.refused] == ["Brainstem"]
    assert "0.60 mm off the nearest slice" in masks.refused[0].reasons[0]
    assert len(masks.by_name) == 3


def test_a_contour_that_leaves_its_plane_refuses_its_roi() -> None:
    """One point off the plane is enough."""
    oblique = contour(BOX)
    oblique.ContourData[2] = float(oblique.ContourData[2]) + 1.4

    assert "off the nearest slice" in first(oblique).reasons[0]


def test_a_reference_to_an_image_that_is_not_there_refuses_the_roi() -> None:
    """It was drawn on another CT, though in the same frame of reference."""
    ds = structure_set()
    ds.ROIContourSequence[1].ContourSequence[2].ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"
    masks = read(ds)

    assert [roi.name for roi in masks.refused] == ["Bone_Mandible"]
    assert masks.refused[0].reasons[0].endswith("it refers to an image that the CT does not have")


def test_a_contour_outside_the_image_refuses_its_roi() -> None:
    """A couch beyond the image is refused, and the organs are read."""
    roi = first(contour(BOX + np.array([0.0, 35.0])))

    assert roi.mask is None
    assert roi.reasons == ("contour 1 of 1: 2 of its 4 points lie outside the image",)


def test_a_contour_less_than_a_pixel_outside_is_cut_at_the_edge() -> None:
    """An organ at the edge of the image is drawn around its voxels and a little more."""
    roi = first(contour(np.array([[-1.2, 3.0], [-1.2, 5.0], [2.5, 5.0], [2.5, 3.0]])))

    assert roi.reasons == ()
    assert voxels(roi) == 6


def test_every_reason_is_given() -> None:
    """A ROI is refused with the reasons of all its contours."""
    roi = first(contour(BOX + 40.0), contour(BOX, kind="SPHERE"), contour(BOX))

    assert len(roi.reasons) == 2
    assert "'SPHERE' is unknown" in roi.reasons[1]


def test_no_common_frame_of_reference_refuses_the_file() -> None:
    """A structure set of another CT is not read at all."""
    ds = structure_set()
    for roi in ds.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = "1.2.3"

    with pytest.raises(StructureSetError, match="frame of reference"):
        read(ds)


def test_a_roi_of_another_frame_of_reference_is_refused_alone() -> None:
    """Several frames of reference in a structure set are legal."""
    ds = structure_set()
    ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"

    assert [roi.name for roi in read(ds).refused] == ["Bone_Mandible"]


def test_a_roi_that_names_no_frame_of_reference_is_in_the_only_one() -> None:
    """Some exporters leave the attribute empty."""
    ds = structure_set()
    ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = ""

    assert "Brainstem" in read(ds).by_name


def test_a_file_that_is_no_structure_set_is_refused() -> None:
    """The message names what it is."""
    ds = structure_set()
    ds.Modality = "RTPLAN"

    with pytest.raises(StructureSetError, match="RTPLAN"):
        read(ds)


def test_points_and_open_lines_are_ignored_and_counted() -> None:
    """They enclose nothing, nor do two points."""
    roi = first(contour(BOX[:1], kind="POINT"), contour(BOX, kind="OPEN_PLANAR"), contour(BOX[:2]), contour(BOX))

    assert (roi.ignored, roi.contours, voxels(roi)) == (3, 1, 100)


def test_a_contour_within_another_is_a_hole() -> None:
    """Nested contours are read even-odd, whichever comes first."""
    roi = first(contour(BOX), contour((BOX - 14.5) * 0.4 + 14.5))

    assert voxels(roi) == 100 - 16
    assert roi.notes == ()


def test_xor_contours_are_read_as_holes() -> None:
    """CLOSEDPLANAR_XOR of PS3.3 C.8.8.6.3."""
    inner = (BOX - 14.5) * 0.4 + 14.5

    assert voxels(first(contour(BOX, kind="CLOSEDPLANAR_XOR"), contour(inner, kind="CLOSEDPLANAR_XOR"))) == 84


def test_contours_that_overlap_in_part_are_united_and_noted() -> None:
    """Even-odd would drop what they share; the physicist is asked to look."""
    roi = first(contour(BOX), contour(BOX + 5.0))

    assert voxels(roi) == 100 + 100 - 25
    assert "overlap in part" in roi.notes[0]


def test_a_contour_that_is_there_twice_counts_once() -> None:
    """Even-odd would drop it altogether."""
    roi = first(contour(BOX), contour(BOX[::-1]), contour(BOX + 20.0))

    assert voxels(roi) == 200
    assert "more than once" in roi.notes[0]


def test_contours_of_a_slice_need_not_stand_together() -> None:
    """Slices may come in any order."""
    roi = first(contour(BOX, 5), contour(BOX, 9), contour(BOX + 20.0, 5), contour(BOX, 2))

    assert roi.mask is not None
    assert [int(plane.sum()) for plane in roi.mask.full() if plane.any()] == [100, 200, 100]


def test_a_reference_to_another_slice_than_the_plane_is_noted() -> None:
    """The plane is where the contour lies; the reference may be a vendor's mistake."""
    ds = structure_set()
    one, other = ds.ROIContourSequence[0].ContourSequence[:2]
    one.ContourImageSequence = other.ContourImageSequence
    roi = read(ds).rois[0]

    assert np.array_equal(read(ds).by_name["Brainstem"].full(), organs_of(HFS)["Brainstem"].full())
    assert "the plane was followed" in roi.notes[0]


def without_sequence(ds: Dataset) -> None:
    del ds.ROIContourSequence[0].ContourSequence


def with_empty_sequence(ds: Dataset) -> None:
    ds.ROIContourSequence[0].ContourSequence = []


def without_item(ds: Dataset) -> None:
    del ds.ROIContourSequence[0]


@pytest.mark.parametrize("strip", [without_sequence, with_empty_sequence, without_item])
def test_a_roi_without_contours_has_no_mask_and_no_fault(strip: Callable[[Dataset], None]) -> None:
    """A ROI that nobody has drawn is legal in each of its spellings."""
    ds = structure_set()
    strip(ds)
    masks = read(ds)

    assert masks.rois[0].mask is None
    assert masks.rois[0].notes == ("it has no voxel on the CT",)
    assert len(masks.by_name) == 3
    assert masks.refused == ()


@pytest.mark.parametrize(
    "data",
    [
        b"1\\2\\x\\4\\5\\6\\7\\8\\9",
        b"1\\2\\3\\4\\5\\6\\7\\8",
        b"1\\nan\\3\\4\\5\\6\\7\\8\\9",
        b"1\\2\\3\\\\4\\5\\6\\\\7\\8\\9\\\\10\\11\\12",
        b"1\\2\\3\\4_0\\5\\6\\7\\8\\9",
    ],
)
def test_contour_data_that_is_no_list_of_points_refuses_the_roi(data: bytes) -> None:
    """Words, halves of points, NaN, gaps between values and Python's way to join digits are not passed over."""
    ds = dcmread(BytesIO(encode_structure_set(with_contours(contour(BOX)))))
    item = ds.ROIContourSequence[0].ContourSequence[0]
    item["ContourData"] = item.get_item("ContourData")._replace(value=data)

    assert "Contour Data is not made of" in read(ds).rois[0].reasons[0]


def test_two_rois_of_one_number_are_refused() -> None:
    """Whose contours they are is not guessed."""
    ds = structure_set()
    ds.StructureSetROISequence[1].ROINumber = ds.StructureSetROISequence[0].ROINumber

    assert [roi.name for roi in read(ds).refused] == ["Brainstem", "Bone_Mandible"]


def test_two_rois_of_one_name_are_not_found_by_it() -> None:
    """Which is meant is not guessed; both are in the report."""
    ds = structure_set()
    ds.StructureSetROISequence[1].ROIName = "Brainstem"
    masks = read(ds)

    assert "Brainstem" not in masks.by_name
    assert len([roi for roi in masks.rois if roi.name == "Brainstem" and roi.mask]) == 2


def test_numbers_of_more_than_sixteen_characters_are_read() -> None:
    """Half of the world's research tools write them."""
    ds = dcmread(BytesIO(encode_structure_set(with_contours(contour(BOX)))))
    item = ds.ROIContourSequence[0].ContourSequence[0]
    raw = item.get_item("ContourData")
    long = b"\\".join(number + b"0000000000000" for number in raw.value.strip().split(b"\\"))
    item["ContourData"] = raw._replace(value=long, length=len(long))

    assert voxels(read(ds).rois[0]) == 100


def test_a_wrong_count_of_points_is_noted() -> None:
    """The data decides."""
    item = contour(BOX)
    item.NumberOfContourPoints = 5

    assert first(item).notes == ("contour 1 of 1: it has 4 points and says 5",)


def test_a_backslash_too_many_at_the_end_says_nothing() -> None:
    """Some writers end the list of numbers with one."""
    ds = dcmread(BytesIO(encode_structure_set(with_contours(contour(BOX)))))
    item = ds.ROIContourSequence[0].ContourSequence[0]
    item["ContourData"] = item.get_item("ContourData")._replace(value=item.get_item("ContourData").value + b"\\ ")

    assert voxels(read(ds).rois[0]) == 100


def test_a_backslash_in_a_name_stays_in_it() -> None:
    """It is not allowed, and comes from the second byte of letters in a character set that was not declared."""
    ds = structure_set()
    with disable_value_validation():
        ds.StructureSetROISequence[0].ROIName = "Brain\\stem"

    assert (read(ds).rois[0].name, summarise(ds).rois[0].name) == ("Brain\\stem", "Brain\\stem")


def test_thousands_of_holes_on_a_slice_are_read() -> None:
    """A threshold drew them; each is compared within its own box, so that a large image does not cost a plane each."""
    corners = [(10 + 3 * row, 10 + 3 * column) for row in range(50) for column in range(50)]
    rings = [np.array([(0, 0), (0, 1), (1, 1), (1, 0)]) + corner for corner in corners]
    outer = np.array([(2, 2), (2, 190), (190, 190), (190, 2)], dtype=np.float64)

    mask, notes = combine([outer, *rings], [0] * (1 + len(rings)), (1, 512, 512))

    assert mask is not None
    assert (int(mask.mask.sum()), notes) == (188 * 188 - 2500, [])
