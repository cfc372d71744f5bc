"""Masks that two observers drew: through write and read without a voxel wrong, and as alike as they are known to be."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from adaptation.comparison import OrganComparison, compare_masks
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_check import verify_structure_set
from segmentation.rtstruct_reader import read_structure_set
from tests.support.structure_sets import identity
from tests.support.two_observers import DATA, FILES, SCANS, Scan, load

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the public masks of two observers are not beside the checkout"),
]
KNOWN_MEAN_DSC = (
    0.893,
    0.840,
    0.949,
    0.861,
    0.864,
    0.876,
    0.841,
    0.784,
    0.791,
)  # over the 25 scans, of the data's README
KNOWN_MEAN_CM3 = (27.2, 21.5, 61.9, 28.1, 29.3, 0.20, 0.20, 0.76, 0.77)  # the oncologist's


def written_and_read(scan: Scan, masks: dict[str, OrganMask]) -> dict[str, OrganMask]:
    """Return the masks after write and read; a single voxel that differs is an error."""
    content = encode_structure_set(build_structure_set(masks, scan.headers, scan.grid, identity()))
    verify_structure_set(dcmread(BytesIO(content)), masks, scan.headers, scan.grid)
    return read_structure_set(dcmread(BytesIO(content)), scan.headers, scan.grid).by_name


def compare(scan: Scan) -> list[OrganComparison]:
    """Return the comparison of what was read back of both observers, A the oncologist's."""
    one, other = (written_and_read(scan, masks) for masks in scan.masks)
    return compare_masks(one, other, scan.grid)


@pytest.mark.parametrize("folder", SCANS[::10], ids=lambda folder: folder.name)
def test_a_scan_of_two_observers_goes_through_write_and_read(folder: Path) -> None:
    """Not a voxel is wrong, and every organ of the two observers can be compared."""
    rows = compare(load(folder))

    assert [row.organ for row in rows] == list(FILES)
    assert all(0.4 < row.dsc <= 1 and row.hd95_mm < 35 and row.note == "" for row in rows)
    assert all(row.surface_dsc[1.0] <= row.surface_dsc[2.0] <= row.surface_dsc[3.0] <= 1 for row in rows)


@pytest.mark.slow
def test_all_scans_have_the_mean_dsc_that_is_known() -> None:
    """Within rounding, over the 25 scans; and the oncologist's volumes."""
    scans = [compare(load(folder)) for folder in SCANS]

    mean_dsc = np.mean([[row.dsc for row in rows] for rows in scans], axis=0)
    mean_cm3 = np.mean([[row.volumes_cm3[0] for row in rows] for rows in scans], axis=0)
    assert len(scans) == 25
    assert mean_dsc == pytest.approx(KNOWN_MEAN_DSC, abs=0.00051)
    assert np.all(np.abs(mean_cm3 - KNOWN_MEAN_CM3) <= [0.05] * 5 + [0.005] * 4)
