from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from segmentation.errors import StructureSetError
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_summary import RoiSummary, summarise
from tests.support.structure_sets import GEOMETRIES, ct_headers, grid_of, identity, organs_of

HFS = GEOMETRIES["HFS"]


def structure_set() -> Dataset:
    ds = build_structure_set(organs_of(HFS), ct_headers(HFS), grid_of(HFS), identity())
    return dcmread(BytesIO(encode_structure_set(ds)))


def test_our_own_structure_set_is_unapproved_and_unsigned() -> None:
    """Label, approval and the series that was drawn on are there at a glance."""
    summary = summarise(structure_set())

    assert (summary.label, summary.approval_status, summary.is_signed) == ("AI_0102_1112", "UNAPPROVED", False)
    assert summary.referenced_series_uids == (ct_headers(HFS)[0].SeriesInstanceUID,)


def test_rois_are_listed_with_type_and_contours() -> None:
    """A ROI says what it is and how much of it was drawn."""
    rois = summarise(structure_set()).rois

    assert [roi.name for roi in rois] == ["Brainstem", "Bone_Mandible", "Parotid_R", "Lens_L"]
    assert rois[0] == RoiSummary(number=1, name="Brainstem", interpreted_type="ORGAN", contours=9)


def test_an_approved_and_signed_structure_set_says_so() -> None:
    """Signed is what bears review date, time and reviewer."""
    ds = structure_set()
    ds.ApprovalStatus, ds.ReviewDate, ds.ReviewTime, ds.ReviewerName = "APPROVED", "20260103", "120000", "X^Y"

    assert summarise(ds).is_signed


@pytest.mark.filterwarnings("ignore:.*VR.* IS")
@pytest.mark.parametrize("value", [b"x1", b"1.5 ", b""])
def test_a_roi_number_that_is_none_loses_its_roi_alone(value: bytes) -> None:
    """The other ROIs are listed with what was drawn of them."""
    ds = structure_set()
    for sequence, keyword in (
        ("StructureSetROISequence", "ROINumber"),
        ("ROIContourSequence", "ReferencedROINumber"),
        ("RTROIObservationsSequence", "ReferencedROINumber"),
    ):
        item = ds[sequence].value[0]
        item[keyword] = item.get_item(keyword)._replace(value=value)

    rois = summarise(ds).rois

    assert rois[0] == RoiSummary(number=0, name="Brainstem", interpreted_type="", contours=0)
    assert rois[1] == RoiSummary(number=3, name="Bone_Mandible", interpreted_type="ORGAN", contours=9)


def test_a_bare_structure_set_has_a_summary() -> None:
    """Nothing but the modality is taken for granted."""
    ds = Dataset()
    ds.Modality = "RTSTRUCT"

    assert summarise(ds).rois == ()


def test_a_file_that_is_no_structure_set_has_none() -> None:
    """The message names what it is."""
    ds = Dataset()
    ds.Modality = "CT"

    with pytest.raises(StructureSetError, match="CT"):
        summarise(ds)
