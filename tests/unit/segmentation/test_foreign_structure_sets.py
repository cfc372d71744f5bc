from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from segmentation.geometry import Grid
from segmentation.lint import lint_structure_set
from segmentation.rtstruct_reader import StructureSetMasks, read_structure_set
from segmentation.rtstruct_summary import summarise

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "structure_sets"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the public structure sets are not beside the checkout"),
]


def loaded(folder: str) -> tuple[Dataset, list[Dataset]]:
    """Return a folder's structure set and the headers of its CT, in ascending order."""
    datasets = [dcmread(path, stop_before_pixels=True) for path in sorted((DATA / folder).rglob("*.dcm"))]
    headers = [ds for ds in datasets if ds.Modality == "CT"]
    (structure_set,) = (ds for ds in datasets if ds.Modality == "RTSTRUCT")
    return structure_set, sorted(headers, key=lambda ds: float(ds.ImagePositionPatient[2]))


def read(folder: str) -> tuple[StructureSetMasks, Grid]:
    structure_set, headers = loaded(folder)
    orientation = np.array(headers[0].ImageOrientationPatient, dtype=float)
    grid = Grid(
        origins=np.array([header.ImagePositionPatient for header in headers], dtype=float),
        row_direction=orientation[:3],
        column_direction=orientation[3:],
        row_spacing_mm=float(headers[0].PixelSpacing[0]),
        column_spacing_mm=float(headers[0].PixelSpacing[1]),
        rows=headers[0].Rows,
        columns=headers[0].Columns,
    )
    return read_structure_set(structure_set, headers, grid), grid


def test_a_structure_set_of_eclipse_becomes_masks() -> None:
    """Body and spinal cord of the four slices that are there, as large as they are."""
    masks, grid = read("eclipse_aria_16.1_visible_human")
    volumes = {name: float(mask.mask.sum()) * grid.voxel_cm3 for name, mask in masks.by_name.items()}

    assert masks.refused == ()
    assert volumes == pytest.approx({"BODY": 163.77, "SpinalCord": 0.654}, rel=0.001)


def test_a_structure_set_of_raystation_is_refused_where_its_slices_are_missing() -> None:
    """The outline is refused for planes that are not there; the isocentre is a point and encloses nothing."""
    masks, _ = read("raystation_9.2_rando_head")
    external, isocentre = masks.rois

    assert external.name == "External"
    assert all("off the nearest slice" in reason for reason in external.reasons)
    assert (isocentre.mask, isocentre.reasons, isocentre.ignored) == (None, (), 1)


def test_an_approved_structure_set_says_so() -> None:
    """Approved, reviewed by someone at some time; ten ROIs, of which one is empty."""
    structure_set, _ = loaded("approved_breast")
    summary = summarise(structure_set)

    assert (summary.approval_status, summary.is_signed, len(summary.rois)) == ("APPROVED", True, 10)
    assert [roi.name for roi in summary.rois if not roi.contours] == ["Areola"]


def test_an_approved_structure_set_is_refused_where_its_slices_are_missing() -> None:
    """Each ROI that was drawn says that its planes are not there; the empty one is no fault."""
    masks, _ = read("approved_breast")
    drawn = [roi for roi in masks.rois if roi.name != "Areola"]

    assert masks.by_name.keys() <= {roi.name for roi in drawn}
    assert all("off the nearest slice" in " ".join(roi.reasons) for roi in drawn)


@pytest.mark.parametrize("folder", ["eclipse_aria_16.1_visible_human", "raystation_9.2_rando_head", "approved_breast"])
def test_every_structure_set_is_listed_and_linted(folder: str) -> None:
    """With its slices and without; each finding has its attribute and its source, and none tells who the patient is."""
    structure_set, headers = loaded(folder)
    (path,) = (each for each in (DATA / folder).rglob("*.dcm") if dcmread(each).Modality == "RTSTRUCT")

    alone = lint_structure_set(path.read_bytes())
    findings = lint_structure_set(path.read_bytes(), headers)

    assert len(summarise(structure_set).rois) == len(structure_set.StructureSetROISequence)
    assert {finding.rule for finding in alone} <= {finding.rule for finding in findings}
    assert all(finding.path and finding.source and finding.text for finding in findings)
    assert not any(str(structure_set.PatientID) in finding.text for finding in findings if structure_set.PatientID)
