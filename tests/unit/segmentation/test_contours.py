import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from segmentation.contours import CLINICAL, EXACT, MOST_POINTS, Profile, fill_contours, finer, keyhole, trace_organ
from segmentation.organ_mask import OrganMask
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


def ellipse_seen_by_pixels(centre: NDArray[np.float64], radii: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Return how much of each pixel an ellipse covers, by eight samples along each axis."""
    samples = (np.arange(size * 8) + 0.5) / 8 - 0.5
    row, column = np.meshgrid(*((samples - middle) / radius for middle, radius in zip(centre, radii, strict=True)))
    is_inside = (row**2 + column**2 <= 1).T
    return is_inside.reshape(size, 8, size, 8).mean(axis=(1, 3)).astype(np.float32)


def area_px(ring: NDArray[np.float64]) -> float:
    row, column = ring.T
    return abs(float(np.sum(row * np.roll(column, -1) - column * np.roll(row, -1)))) / 2


@pytest.mark.parametrize(
    ("radii", "area_bias"),
    [((17.0, 16.0), 0.005), ((20.0, 14.0), 0.005), ((7.0, 6.0), 0.025), ((3.0, 5.0), 0.07)],
    ids=["brainstem", "parotid", "cord", "lens"],
)
def test_the_clinical_contour_runs_along_the_organ(radii: tuple[float, float], area_bias: float) -> None:
    """From probabilities it is some twentieth of a pixel from the true edge, and the area is hardly smaller."""
    centre, axes = np.array([30.3, 29.6]), np.array(radii)
    covered = ellipse_seen_by_pixels(centre, axes, 61)[None]
    (ring,) = trace_organ(OrganMask(covered.shape, (0, 0, 0), covered > 0.5, covered), CLINICAL)[0]

    steps = np.linspace(0, 1, 10, endpoint=False)[:, None, None]
    along = (ring + steps * (np.roll(ring, -1, axis=0) - ring)).reshape(-1, 2) - centre
    radius = np.hypot(*(along / axes).T)
    slope = np.hypot(*(along / axes**2).T) / radius

    assert np.mean(np.abs(radius - 1) / slope) <= 0.055
    assert area_px(ring) == pytest.approx(np.pi * axes.prod(), rel=area_bias)


def test_finer_ends_with_the_profile_that_cannot_fail() -> None:
    """Each try simplifies less; the last follows the voxels' edges."""
    tolerances = [profile.of_mask.tolerance_px for profile in finer(CLINICAL)]

    assert tolerances == [0.05, 0.001, 0.0, 0.001]
    assert finer(CLINICAL)[-1] is EXACT
