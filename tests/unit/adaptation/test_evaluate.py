"""What an organ scores, on hand-made masks: found, shifted, twice as large, not found."""

import math

import numpy as np
import pytest

from adaptation.evaluate import judge_case, judge_organ
from adaptation.labelled_ct import LabelledCt
from adaptation.openkbp import axial_grid
from segmentation.organ_mask import OrganMask
from segmentation.volume import Volume

SHAPE = (12, 30, 30)
GRID = axial_grid(SHAPE, np.array([3.0, 1.0, 1.0]))


def cuboid(*ranges):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(slice(*each) for each in ranges)] = True
    return mask


DRAWN = cuboid((4, 8), (10, 20), (10, 20))


def judged(mask):
    return judge_organ("Brainstem", OrganMask.from_full(mask), DRAWN, GRID)


def test_organ_that_is_found_exactly():
    """Every metric at its best."""
    same = judged(DRAWN)

    assert (same.dsc, same.hd95_mm, same.added_path_mm, same.volume_ratio) == (1.0, 0.0, 0.0, 1.0)
    assert set(same.surface_dsc.values()) == {1.0}


def test_organ_that_is_shifted():
    """By two columns of 1 mm: 8 of 10 columns overlap, no surface is further off, 20 of 36 pixels are to be added."""
    moved = judged(cuboid((4, 8), (10, 20), (12, 22)))

    assert (moved.dsc, moved.hd95_mm) == (0.8, pytest.approx(2.0))
    assert moved.surface_dsc[1.0] < moved.surface_dsc[2.0] == pytest.approx(1.0)
    assert (moved.added_path_mm, moved.volume_ratio) == (4 * 20.0, 1.0)


def test_organ_that_is_too_tall():
    """Twice as many slices of 3 mm: all that was drawn is in it, its top is four slices too high."""
    tall = judged(cuboid((4, 12), (10, 20), (10, 20)))

    assert (tall.dsc, tall.added_path_mm, tall.volume_ratio) == (pytest.approx(2 / 3), 0.0, pytest.approx(2.0))
    assert tall.hd95_mm == pytest.approx(12.0)


@pytest.mark.parametrize(("organ", "dsc", "hd95_mm"), [("SpinalCord", 1.0, 0.0), ("Brainstem", 2 / 3, 12.0)])
def test_cord_is_not_judged_below_where_somebody_stopped_to_draw(organ, dsc, hd95_mm):
    """It goes on there; four slices below the lowest contour of any other organ are too many."""
    long = judge_organ(organ, OrganMask.from_full(cuboid((0, 8), (10, 20), (10, 20))), DRAWN, GRID)

    assert (long.dsc, long.hd95_mm) == (pytest.approx(dsc), pytest.approx(hd95_mm))


def test_cord_is_judged_above_its_highest_contour():
    """There it would be drawn."""
    tall = judge_organ("SpinalCord", OrganMask.from_full(cuboid((4, 12), (10, 20), (10, 20))), DRAWN, GRID)

    assert (tall.dsc, tall.hd95_mm) == (pytest.approx(2 / 3), pytest.approx(12.0))


def test_cord_that_lies_below_its_lowest_contour_alone_is_not_found():
    """Nothing of it is where it was drawn."""
    below = judge_organ("SpinalCord", OrganMask.from_full(cuboid((0, 3), (10, 20), (10, 20))), DRAWN, GRID)

    assert (below.dsc, below.note) == (0.0, "not found")


@pytest.mark.parametrize("found", [None, OrganMask(SHAPE, (0, 0, 0), np.zeros((2, 2, 2), dtype=bool))])
def test_organ_that_is_not_found(found):
    """It counts with 0, all of its contour is to be added, and no distance is made up."""
    missed = judge_organ("Brainstem", found, DRAWN, GRID)

    assert (missed.dsc, missed.note, missed.volumes_cm3[0]) == (0.0, "not found", 0.0)
    assert set(missed.surface_dsc.values()) == {0.0}
    assert math.isnan(missed.hd95_mm)
    assert missed.added_path_mm == 4 * 36.0


def test_only_what_was_drawn_and_is_known_is_scored():
    """An organ without a voxel on the CT, one that nobody drew and one that the model does not know are not."""
    masks = {"Brainstem": DRAWN, "SpinalCord": np.zeros(SHAPE, dtype=bool), "Lens_L": DRAWN}
    case = LabelledCt(Volume(np.zeros(SHAPE, dtype=np.int16), GRID), masks)

    scores = judge_case(
        "one", {"Parotid_L": OrganMask.from_full(DRAWN)}, case, ["Brainstem", "SpinalCord", "Parotid_L"]
    )

    assert [(score.organ, score.is_found) for score in scores] == [("Brainstem", False)]
