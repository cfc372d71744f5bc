"""Our surface metrics beside those of DeepMind's package `surface-distance`, on masks that nobody chose."""

import numpy as np
import pytest
import surface_distance
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from adaptation.openkbp import axial_grid
from adaptation.surface import surface_distances
from segmentation.organ_mask import OrganMask

pytestmark = pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # the package is of 2023
SHAPE = (9, 16, 14)
SPACINGS = ((1.0, 1.0, 1.0), (2.5, 0.9765625, 0.9765625), (3.0, 1.2, 0.8), (5.0, 0.5, 0.5))


def blob(rng: np.random.Generator, smoothness: float) -> NDArray[np.bool_]:
    """Return a mask of several parts with holes, as rough as noise or as smooth as an organ."""
    values = ndimage.gaussian_filter(rng.standard_normal(SHAPE), smoothness)
    mask = values > np.quantile(values, rng.uniform(0.5, 0.98))
    mask[4, 7, 6] = True
    return np.asarray(mask)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.7, 1.5]), st.sampled_from(SPACINGS))
def test_surfaces_are_as_far_apart_as_by_surface_distance(
    seed: int, smoothness: float, spacing: tuple[float, float, float]
) -> None:
    """HD95, the largest and the mean distance, and surface DSC at 1, 2 and 3 mm, in 3-D and with the spacing."""
    rng = np.random.default_rng(seed)
    one, other = blob(rng, smoothness), blob(rng, smoothness)
    theirs = surface_distance.compute_surface_distances(one, other, spacing)

    ours = surface_distances(OrganMask.from_full(one), OrganMask.from_full(other), axial_grid(SHAPE, np.array(spacing)))

    for percent in (95, 100):
        assert ours.hausdorff_mm(percent) == pytest.approx(
            surface_distance.compute_robust_hausdorff(theirs, percent), abs=1e-4
        )
    for tolerance in (1, 2, 3):
        wanted = surface_distance.compute_surface_dice_at_tolerance(theirs, tolerance)
        assert ours.surface_dice(tolerance) == pytest.approx(wanted, abs=1e-4)
    there, back = surface_distance.compute_average_surface_distance(theirs)
    mean = (there * ours.one_mm2.sum() + back * ours.other_mm2.sum()) / (ours.one_mm2.sum() + ours.other_mm2.sum())
    assert ours.mean_mm() == pytest.approx(mean, abs=1e-4)
