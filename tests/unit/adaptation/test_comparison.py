import math

import numpy as np
import pytest

from adaptation.comparison import compare_masks, pair_names
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from tests.support.structure_sets import GEOMETRIES, grid_of, organs_of

GRID: Grid = grid_of(GEOMETRIES["HFS"])
ORGANS = organs_of(GEOMETRIES["HFS"])


def moved(organ: OrganMask, columns: int) -> OrganMask:
    return OrganMask.from_full(np.roll(organ.full(), columns, axis=2))


def test_a_structure_set_is_itself() -> None:
    """DSC 1, no distance, nothing to add, the volumes of the writer."""
    rows = compare_masks(ORGANS, ORGANS, GRID)

    assert [row.organ for row in rows] == list(ORGANS)
    assert {(row.dsc, row.hd95_mm, row.added_path_mm, row.volume_ratio) for row in rows} == {(1.0, 0.0, 0.0, 1.0)}
    assert [value for row in rows for value in row.surface_dsc.values()] == pytest.approx([1.0] * 3 * len(ORGANS))


def test_a_moved_organ_is_as_far_as_it_was_moved() -> None:
    """Two columns of 0.98 mm."""
    (row,) = compare_masks({"Brainstem": ORGANS["Brainstem"]}, {"Brainstem": moved(ORGANS["Brainstem"], 2)}, GRID)

    assert row.hd95_mm == pytest.approx(2 * 0.9765625)
    assert 0.5 < row.dsc < 0.95
    assert row.surface_dsc[1.0] < row.surface_dsc[2.0] == pytest.approx(1.0)


def test_an_organ_that_only_one_has_is_told() -> None:
    """Its values are NaN, its one volume is there, and a note says why."""
    rows = compare_masks({"Lens_L": ORGANS["Lens_L"]}, {"Parotid_R": ORGANS["Parotid_R"]}, GRID)

    assert [(row.names, row.note) for row in rows] == [(("Lens_L", ""), "not in B"), (("", "Parotid_R"), "not in A")]
    assert all(math.isnan(row.dsc) and math.isnan(row.hd95_mm) and math.isnan(row.volume_ratio) for row in rows)
    assert rows[0].volumes_cm3[0] > 0
    assert math.isnan(rows[0].volumes_cm3[1])


def test_an_empty_organ_has_no_surface() -> None:
    """Against one that is not empty the DSC is 0; of two empty ones it is unknown."""
    against_some, against_none = compare_masks(
        {"Lens_L": None, "Lens_R": None}, {"Lens_L": ORGANS["Lens_L"], "Lens_R": None}, GRID
    )

    assert (against_some.dsc, against_some.note) == (0.0, "no voxel in A")
    assert math.isnan(against_some.hd95_mm)
    assert math.isnan(against_none.dsc)
    assert against_none.note == "no voxel in A; no voxel in B"


def test_names_that_mean_the_same_organ_are_a_pair() -> None:
    """Where each side has just one such name; the same name needs no table."""
    meant = {"Parotis li": "Parotid_L", "L_Parotid": "Parotid_L", "Cord": "SpinalCord", "Cord2": "SpinalCord"}

    pairs = pair_names(["Parotis li", "Cord", "Cord2", "PTV"], ["PTV", "L_Parotid", "SC"], meant.get)

    assert pairs == [
        ("Parotid_L", "Parotis li", "L_Parotid"),
        ("Cord", "Cord", ""),
        ("Cord2", "Cord2", ""),
        ("PTV", "PTV", "PTV"),
        ("SC", "", "SC"),
    ]
