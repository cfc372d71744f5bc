from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from benchmarks.structure_sets.analytic import Part, accuracy_of, organ_of
from segmentation.contours import CLINICAL, EXACT, MOST_POINTS, Profile, fill_contours, finer, keyhole, trace_organ
from segmentation.crossing import may_cross
from segmentation.organ_mask import OrganMask
from segmentation.rasterise import fill_planes
from tests.support.structure_sets import EDGE_CASES

SQUARE = np.array([[0.5, 0.5], [0.5, 6.5], [6.5, 6.5], [6.5, 0.5]])
HOLE = np.array([[2.5, 2.5], [4.5, 2.5], [4.5, 4.5], [2.5, 4.5]])
PROFILES = pytest.mark.parametrize("profile", [CLINICAL, EXACT], ids=lambda profile: profile.name)

small_masks = arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))).filter(np.any)
probabilities = st.floats(0, 1, width=32)


def union(rings: list[NDArray[np.float64]], rows: int, columns: int) -> NDArray[np.bool_]:
    """What a reader makes of rings that fills each by itself and adds them up."""
    return np.any([fill_contours([ring], rows, columns) for ring in rings], axis=0)


def filled(organ: OrganMask, profile: Profile) -> NDArray[np.bool_]:
    whole = np.zeros(organ.grid_shape, dtype=np.bool_)
    for index, rings in trace_organ(organ, profile).items():
        whole[index] = fill_contours(rings, *organ.grid_shape[1:])
    return whole


@PROFILES
@pytest.mark.parametrize("case", EDGE_CASES)
def test_an_awkward_mask_comes_back_whole(case: str, profile: Profile) -> None:
    """Filling the contours of a mask gives every voxel of it and no other."""
    mask = EDGE_CASES[case]((10, 40, 44))

    assert np.array_equal(filled(OrganMask.from_full(mask), profile), mask)


@PROFILES
@settings(max_examples=200, deadline=None)
@given(mask=small_masks)
def test_any_mask_comes_back_by_even_odd_and_by_union(profile: Profile, mask: NDArray[np.bool_]) -> None:
    """Readers that toggle and readers that add up see the same mask, from rings of three points or more."""
    for index, rings in trace_organ(OrganMask(mask.shape, (0, 0, 0), mask), profile).items():
        assert min(len(ring) for ring in rings) >= 3
        assert np.array_equal(fill_contours(rings, *mask.shape[1:]), mask[index])
        assert np.array_equal(union(rings, *mask.shape[1:]), mask[index])


@PROFILES
def test_six_thousand_random_masks_come_back_by_even_odd_and_by_union(profile: Profile) -> None:
    """Not a pixel is wrong in either way of filling, from sparse to dense, and no ring has fewer than three points."""
    random = np.random.default_rng(5)
    masks = random.random((6000, 8, 9)) < np.linspace(0.02, 0.98, 6000)[:, None, None]
    traced = trace_organ(OrganMask(masks.shape, (0, 0, 0), masks), profile)
    rings = [ring for drawn in traced.values() for ring in drawn]
    planes = [index for index, drawn in traced.items() for _ in drawn]
    each = fill_planes(rings, range(len(rings)), (len(rings), 8, 9))
    together = np.zeros_like(masks)
    np.logical_or.at(together, planes, each)

    assert min(map(len, rings)) >= 3
    assert np.array_equal(fill_planes(rings, planes, masks.shape), masks)
    assert np.array_equal(together, masks)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), mask=small_masks)
def test_no_probability_moves_a_voxel(data: st.DataObject, mask: NDArray[np.bool_]) -> None:
    """The mask decides which voxels are in, whatever the probabilities say."""
    probability = data.draw(arrays(np.float32, mask.shape, elements=probabilities))

    assert np.array_equal(filled(OrganMask(mask.shape, (0, 0, 0), mask, probability), CLINICAL), mask)


def test_a_probability_that_is_no_number_counts_as_the_mask_says() -> None:
    """NaN in a network's output does not break a contour."""
    mask = EDGE_CASES["ring in ring"]((10, 40, 40))
    probability = np.full(mask.shape, np.nan, dtype=np.float32)

    assert np.array_equal(filled(OrganMask.from_full(mask, probability), CLINICAL), mask)


def test_vertices_of_the_exact_profile_round_onto_the_mask() -> None:
    """Readers that round vertices to whole pixels find each one on a voxel of the mask."""
    mask = EDGE_CASES["ring in ring"]((10, 40, 40))
    rings = trace_organ(OrganMask.from_full(mask), EXACT)[5]
    rows, columns = np.round(np.concatenate(rings)).astype(int).T

    assert mask[5, rows, columns].all()


@pytest.mark.parametrize("case", ["one voxel", "diagonal pair", "line of a pixel", "image border", "checkerboard"])
def test_a_piece_of_one_pixel_width_has_a_vertex_on_each_of_its_pixels(case: str) -> None:
    """Of what is a line to a reader that rounds, the exact profile leaves out no pixel."""
    mask = EDGE_CASES[case]((10, 40, 40))
    block = np.lib.stride_tricks.sliding_window_view(np.pad(mask, ((0, 0), (1, 1), (1, 1))), (2, 2), (1, 2)).all((3, 4))
    thin = mask & ~(block[:, :-1, :-1] | block[:, :-1, 1:] | block[:, 1:, :-1] | block[:, 1:, 1:])
    touched = np.zeros_like(mask)
    for index, rings in trace_organ(OrganMask.from_full(mask), EXACT).items():
        touched[index][tuple(np.rint(np.concatenate(rings)).astype(int).T)] = True

    assert thin.any()
    assert touched[thin].all()


def test_an_organ_in_a_corner_of_the_ct_is_traced_where_it_lies() -> None:
    """Slice, row and column of the box are added to what is traced in it."""
    organ = OrganMask((9, 50, 60), (3, 20, 30), np.ones((1, 2, 4), dtype=np.bool_))

    (index, (ring,)) = trace_organ(organ, EXACT).popitem()

    assert index == 3
    assert np.allclose([ring.min(axis=0), ring.max(axis=0)], [(19.51, 29.51), (21.49, 33.49)])


def test_a_hole_is_reached_by_a_bridge_of_no_width() -> None:
    """The ring with its hole encloses the area between them, in one contour."""
    ring = keyhole(SQUARE, [HOLE])

    expected = fill_contours([SQUARE], 8, 8) & ~fill_contours([HOLE], 8, 8)
    assert np.array_equal(fill_contours([ring], 8, 8), expected)
    assert len(ring) == len(SQUARE) + len(HOLE) + 3


def test_a_hole_outside_its_ring_is_still_a_hole() -> None:
    """Where no edge lies to the right the nearest vertex carries the bridge, and even-odd is the same."""
    ring = keyhole(HOLE, [HOLE + 10.0])

    assert np.array_equal(fill_contours([ring], 20, 20), fill_contours([HOLE, HOLE + 10.0], 20, 20))


def test_a_contour_too_long_for_its_attribute_is_cut() -> None:
    """A ring with more points than an explicit VR can hold becomes several, which give the same mask."""
    mask = np.ones((1, 60, 70), dtype=np.bool_)
    mask[0, 1:-1:2, 1:-1:2] = False
    organ = OrganMask.from_full(mask)

    assert max(len(ring) for ring in trace_organ(organ, CLINICAL)[0]) <= MOST_POINTS
    assert np.array_equal(filled(organ, CLINICAL), mask)


@dataclass(frozen=True)
class Limits:
    """What the clinical contour of an organ may be off, mean over thirty places and angles of it.

    Args:
        radii: of an ellipse, pixels.
        distance_px: mean distance of the contour from it.
        area_bias: how much too small the contour's area is, of the true area.
    """

    radii: tuple[float, float]
    distance_px: float
    area_bias: float


LIMITS = {
    "brainstem": Limits((16.0, 17.0), 0.03, 0.001),
    "parotid": Limits((20.0, 14.0), 0.03, 0.001),
    "limb of the mandible": Limits((25.0, 5.0), 0.035, 0.002),
    "temporal lobe": Limits((22.0, 24.0), 0.03, 0.001),
    "spinal cord": Limits((6.0, 7.0), 0.035, 0.004),
    "optic nerve": Limits((2.3, 12.0), 0.04, 0.01),
    "pituitary": Limits((4.0, 5.0), 0.04, 0.01),
    "lens": Limits((2.2, 4.6), 0.045, 0.015),
    "optic nerve across the slice": Limits((2.0, 2.0), 0.05, 0.025),
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_the_clinical_contour_runs_along_the_organ(limits: Limits) -> None:
    """From probabilities it is some twentieth of a pixel from the true edge, and the area is hardly smaller."""
    random = np.random.default_rng(11)
    places = [
        Part((0.0, *(28.0 + random.random(2))), (1.0, *limits.radii), random.uniform(0, np.pi)) for _ in range(30)
    ]

    measured = [accuracy_of([ellipse], trace_organ(organ_of([ellipse]), CLINICAL)) for ellipse in places]

    assert np.mean([each.distance_px for each in measured]) <= limits.distance_px
    assert -limits.area_bias <= np.mean([each.area_bias for each in measured]) <= 0


@pytest.mark.parametrize("radii", [limits.radii for limits in LIMITS.values()], ids=LIMITS)
def test_the_contour_of_a_bare_mask_is_as_large_as_the_organ(radii: tuple[float, float]) -> None:
    """What the blur of the mask's steps takes from a small organ is given back, mean over thirty places of it."""
    random = np.random.default_rng(11)
    places = [Part((0.0, *(28.0 + random.random(2))), (1.0, *radii), random.uniform(0, np.pi)) for _ in range(30)]
    shape = (1, 64, 64)
    rows, columns = np.mgrid[:64, :64].astype(float)
    masks = [ellipse.covers(rows, columns)[None] for place in places if (ellipse := place.on(0))]

    traced = [trace_organ(OrganMask(shape, (0, 0, 0), mask), CLINICAL) for mask in masks]

    bias = np.mean([accuracy_of([place], drawn).area_bias for place, drawn in zip(places, traced, strict=True)])
    assert abs(bias) <= 0.01


def test_no_line_crosses_another() -> None:
    """Where pixels touch at a corner two lines are near each other; neither is moved over the other."""
    random = np.random.default_rng(3)
    mask = random.random((60, 12, 12)) < np.linspace(0.1, 0.9, 60)[:, None, None]
    organ = OrganMask(mask.shape, (0, 0, 0), mask)

    assert not any(may_cross(rings) for rings in trace_organ(organ, CLINICAL).values())


def test_finer_ends_with_the_profile_that_cannot_fail() -> None:
    """Each try simplifies less; the last follows the voxels' edges."""
    tolerances = [profile.of_mask.tolerance_px for profile in finer(CLINICAL)]

    assert tolerances == [0.05, 0.01, 0.0, 0.001]
    assert finer(CLINICAL)[-1] is EXACT
