import math

import pytest

from adaptation.presets import Wish, recipe_of
from adaptation.whole_slices import WholeSlices
from segmentation.network.places import places, places_from
from segmentation.network.variant import Variant
from segmentation.structures import ORGANS
from tests.support.small_bundle import SMALL, small_manifest

ALL = tuple(organ.name for organ in ORGANS)
CT_MM = (3.0, 0.98, 0.98)


def wish(**changes):
    return Wish(**({"name": "made", "preset": "site", "organs": ALL, "voxel_mm": CT_MM} | changes))


def test_paper_is_section_2_3_to_the_letter():
    """Its network and every number that it names; nothing that it does not name."""
    recipe = recipe_of(wish(preset="paper"))
    training = recipe.training

    assert recipe.variant == Variant()
    assert recipe.variation == WholeSlices(crop=417, slices=1, scales=(0.5, 0.75, 1.0, 1.25, 1.5), degrees=10.0)
    assert (training.optimiser, training.momentum, training.weight_decay) == ("sgd", 0.9, 0.0005)
    assert (training.schedule, training.learning_rate, training.power) == ("poly", 0.00025, 0.9)
    assert (training.steps, training.loss, training.trained) == (200_000, "cross-entropy", set(places(Variant())))
    assert (training.warm_up, training.head_factor, training.average, training.towards_start) == (0, 1.0, 0.0, 0.0)
    assert (training.max_grad_norm, training.patience, training.precision) == (math.inf, 0, "float32")


def test_adaptation_as_in_the_paper_trains_the_last_ten_layers():
    """With a base, Conv1 to Conv4 are locked; network, grid and organs are the base's."""
    base = small_manifest()

    recipe = recipe_of(wish(preset="paper", organs=base.organs), base)

    assert recipe.training.trained == places_from(SMALL, "conv5-b1")
    assert (recipe.variant, recipe.preprocessing, recipe.organs) == (SMALL, base.preprocessing, base.organs)
    assert recipe.training.frozen_statistics


def test_what_is_frozen_may_be_chosen():
    """By place, with either preset and with any beginning."""
    assert recipe_of(wish(frozen="conv5")).training.trained == {"spp"}
    assert recipe_of(wish(frozen="nothing"), small_manifest(organs=ALL)).training.trained == set(places(SMALL))


def test_batch_norm_learns_its_statistics_only_where_there_are_none():
    """From nothing it must; photographs' and a bundle's are kept by `paper`, whose batch is one slice."""
    assert not recipe_of(wish(preset="paper")).training.frozen_statistics
    assert recipe_of(wish(preset="paper"), pretrained=True).training.frozen_statistics
    assert recipe_of(wish(), small_manifest(organs=ALL)).training.frozen_statistics


@pytest.mark.parametrize(("voxel", "grid"), [(CT_MM, (1.0, 3.0)), ((2.5, 3.9, 3.9), (3.9, 2.5))])
def test_network_s_grid_is_no_finer_than_the_cases(voxel, grid):
    """Planning CT is brought to 1 mm; what is coarser stays coarse."""
    preprocessing = recipe_of(wish(voxel_mm=voxel)).preprocessing

    assert (preprocessing.pixel_mm, preprocessing.slice_mm) == grid
