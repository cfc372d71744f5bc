import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from segmentation.errors import StructureSetError
from segmentation.phantom import Phantom
from segmentation.phantom_series import build_series, is_phantom, write_series
from segmentation.volume import Volume
from tests.support.series import POSITIONS, lying, series_of, small_phantom

TINY = {"rows": 40, "columns": 56, "pixel_mm": 8.0, "slice_mm": 20.0}


def test_files_give_back_the_voxels(tmp_path: Path) -> None:
    """Stored values, slope and intercept of the files are the phantom's HU."""
    phantom = small_phantom(1, **TINY)

    paths = write_series(build_series(phantom, seed=1), tmp_path / "ct")

    read = [pydicom.dcmread(path) for path in paths]
    hu = np.stack([ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in read])
    assert np.array_equal(hu, phantom.volume.hu)


def test_files_give_back_the_grid(tmp_path: Path) -> None:
    """Position, orientation and spacing of the files are the grid's."""
    grid = small_phantom(1, **TINY).volume.grid

    read = [pydicom.dcmread(path) for path in write_series(build_series(small_phantom(1, **TINY), seed=1), tmp_path)]

    assert np.allclose([[float(v) for v in ds.ImagePositionPatient] for ds in read], grid.origins, atol=1e-6)
    assert list(read[0].ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
    assert list(read[0].PixelSpacing) == [grid.row_spacing_mm, grid.column_spacing_mm]


def test_same_phantom_is_the_same_instances() -> None:
    """UIDs and content are derived, not drawn."""
    first, second = (build_series(small_phantom(1, **TINY), seed=1) for _ in range(2))

    assert first == second


def test_other_voxels_have_other_uids() -> None:
    """The series of another patient, or of the same one in another position, shares no UID."""
    uids = [
        {str(ds.SOPInstanceUID) for ds in series} | {str(series[0].SeriesInstanceUID), str(series[0].StudyInstanceUID)}
        for series in (
            series_of(small_phantom(1, **TINY)),
            series_of(small_phantom(2, **TINY), seed=2),
            series_of(small_phantom(1, **TINY), position="FFP"),
        )
    ]

    assert sum(len(group) for group in uids) == len(set.union(*uids))


def test_phantom_is_recognised() -> None:
    """The header says that the CT is a phantom's; another maker's does not."""
    ours = build_series(small_phantom(1, **TINY), seed=1)[0]
    theirs = series_of(small_phantom(1, **TINY), header={"Manufacturer": "ACME"})[0]

    assert is_phantom(ours)
    assert not is_phantom(theirs)
    assert not is_phantom(pydicom.Dataset())


def test_voxels_that_do_not_fit_are_refused() -> None:
    """HU beyond what 12 bits hold are not cut off silently."""
    phantom = small_phantom(1, **TINY)
    bright = Phantom(Volume(np.full_like(phantom.volume.hu, 3072), phantom.volume.grid), phantom.masks)

    with pytest.raises(StructureSetError, match="3071"):
        build_series(bright, seed=1)


@pytest.mark.parametrize("position", POSITIONS)
def test_left_stays_left_in_every_position(position: str) -> None:
    """However the patient lies, an organ's voxels are at the same place in patient coordinates."""
    straight, turned = small_phantom(1), lying(small_phantom(1), position)

    first, second = (
        np.concatenate(
            [
                phantom.volume.grid.to_patient(k, np.argwhere(plane).astype(float))
                for k, plane in enumerate(phantom.masks["Parotid_L"])
            ]
        )
        for phantom in (straight, turned)
    )

    assert {tuple(point) for point in first.round(3)} == {tuple(point) for point in second.round(3)}


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize("position", POSITIONS)
def test_dciodvfy_finds_no_error(position: str, tmp_path: Path) -> None:
    """A slice is a valid CT Image instance in the eyes of dicom3tools."""
    path = write_series(series_of(small_phantom(1, **TINY), position=position)[:1], tmp_path)[0]

    verdict = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=True)

    assert "Error" not in verdict.stderr
    assert "Warning" not in verdict.stderr
