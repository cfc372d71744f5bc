"""Surface distances, against hand-made cases and a slow obvious version.

The numbers with "as surface-distance 0.1" were computed with DeepMind's package of that name for the same masks: it
agrees in every digit that is written here.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adaptation.surface import added_path_mm, surface_distances, surface_of
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask

SHAPE = (20, 40, 44)
TILT = math.radians(15)


def grid_of(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    z = np.arange(shape[0]) * spacing[0]
    return Grid(
        origins=np.stack([0 * z - 3.0, 0 * z + 5.0, z - 40.0], axis=1),
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        row_spacing_mm=spacing[1],
        column_spacing_mm=spacing[2],
        rows=shape[1],
        columns=shape[2],
    )


def box(*ranges: tuple[int, int], shape: tuple[int, int, int] = SHAPE) -> OrganMask:
    mask = np.zeros(shape, dtype=np.bool_)
    mask[tuple(slice(*each) for each in ranges)] = True
    return OrganMask.from_full(mask)


def ball(centre: tuple[float, float, float], radius_mm: float, spacing: tuple[float, float, float]) -> OrganMask:
    axes = zip(np.ogrid[tuple(map(slice, SHAPE))], centre, spacing, strict=True)
    return OrganMask.from_full(sum(((axis - middle) * mm) ** 2 for axis, middle, mm in axes) < radius_mm**2)


BOX = box((5, 10), (10, 20), (10, 20))


@pytest.mark.parametrize(
    ("other", "hd95", "at_0", "at_1", "at_2"),
    [
        (box((5, 10), (10, 20), (12, 22)), 2.0, 0.581936, 0.678867, 1.0),
        (box((6, 11), (10, 20), (10, 20)), 3.0, 0.703675, 0.746562, 0.778728),
    ],
    ids=["two columns on", "one slice up"],
)
def test_shifted_boxes_are_as_far_apart_as_they_were_shifted(
    other: OrganMask, hd95: float, at_0: float, at_1: float, at_2: float
) -> None:
    """At 3 x 1 x 1 mm, as surface-distance 0.1."""
    distances = surface_distances(BOX, other, grid_of(SHAPE, (3.0, 1.0, 1.0)))

    assert distances.hausdorff_mm() == pytest.approx(hd95)
    assert [distances.surface_dice(mm) for mm in (0, 1, 2, 3)] == pytest.approx([at_0, at_1, at_2, 1.0], abs=1e-6)
    assert distances.one_mm2.sum() == pytest.approx(746.1420202065565)


@pytest.mark.parametrize(
    ("spacing", "hd95", "hd100", "surface_dice"),
    [
        ((1.0, 1.0, 1.0), 3.0, 3.7416573867739413, (0.273333, 0.566320, 0.780543, 0.970837)),
        ((2.5, 0.9765625, 0.9765625), 3.8513723330335448, 5.187229379236328, (0.321956, 0.513374, 0.675932, 0.893813)),
        ((3.0, 1.2, 0.8), 3.8418745424597094, 5.0, (0.298051, 0.417093, 0.615648, 0.868734)),
    ],
)
def test_balls_are_as_far_apart_as_by_the_package_of_the_paper(
    spacing: tuple[float, float, float], hd95: float, hd100: float, surface_dice: tuple[float, ...]
) -> None:
    """Isotropic, planning CT and pixels that are not square, as surface-distance 0.1."""
    one, other = ball((9, 20, 20), 9, spacing), ball((10, 21.5, 22), 8, spacing)

    distances = surface_distances(one, other, grid_of(SHAPE, spacing))

    assert (distances.hausdorff_mm(), distances.hausdorff_mm(100)) == pytest.approx((hd95, hd100))
    assert [distances.surface_dice(mm) for mm in (0, 1, 2, 3)] == pytest.approx(surface_dice, abs=1e-6)


def test_two_neighbouring_voxels_touch() -> None:
    """Half of their corners are shared; the area of a voxel alone, 4.3589 mm2, as surface-distance 0.1."""
    grid = grid_of((5, 5, 5), (3.0, 1.0, 1.0))
    one, other = (box((2, 3), (2, 3), (column, column + 1), shape=(5, 5, 5)) for column in (2, 3))

    distances = surface_distances(one, other, grid)

    assert distances.one_mm2.sum() == pytest.approx(4.358898943540674)
    assert (distances.surface_dice(0), distances.surface_dice(1), distances.mean_mm()) == pytest.approx((0.5, 1, 0.5))


def test_a_mask_that_fills_the_image_has_a_surface() -> None:
    """The image's edge closes it, as surface-distance 0.1."""
    grid = grid_of((6, 8, 8), (2.0, 1.0, 1.0))
    whole, less = box((0, 6), (0, 8), (0, 8), shape=(6, 8, 8)), box((0, 6), (0, 8), (0, 7), shape=(6, 8, 8))

    assert surface_distances(whole, less, grid).surface_dice(0) == pytest.approx(0.81079, abs=1e-5)


def test_uneven_slices_count_where_they_are() -> None:
    """A box that ends one slice higher is 5 mm taller where the slices lie 5 mm apart, and 2.5 mm where 2.5 mm."""
    places = np.array([0.0, 3.0, 6.0, 9.0, 14.0, 19.0, 24.0, 27.0, 29.5, 32.0])
    shape = (10, 12, 12)
    grid = replace(grid_of(shape, (1.0, 1.0, 1.0)), origins=np.stack([0 * places, 0 * places, places], axis=1))
    low, middle, high = (box((1, top), (2, 10), (2, 10), shape=shape) for top in (5, 6, 8))
    higher = box((1, 9), (2, 10), (2, 10), shape=shape)

    assert surface_distances(low, middle, grid).hausdorff_mm(100) == pytest.approx(5.0)
    assert surface_distances(high, higher, grid).hausdorff_mm(100) == pytest.approx(2.5)


def test_a_tilted_gantry_moves_surfaces_and_not_their_distances() -> None:
    """Two columns on are two columns on."""
    tilted = replace(grid_of(SHAPE, (3.0, 1.0, 1.0)), column_direction=np.array([0.0, math.cos(TILT), math.sin(TILT)]))

    distances = surface_distances(BOX, box((5, 10), (10, 20), (12, 22)), tilted)

    assert distances.hausdorff_mm() == pytest.approx(2.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.6))
def test_distances_are_those_of_every_element_to_every_other(seed: int, share: float) -> None:
    """The nearest by a tree is the nearest by looking at all; a mask is at no distance from itself."""
    rng = np.random.default_rng(seed)
    masks = rng.random((2, 4, 6, 5)) < share
    masks[:, 1, 2, 3] = True
    grid = grid_of((4, 6, 5), (2.5, 0.9, 1.1))
    one, other = (OrganMask.from_full(mask, margin=0) for mask in masks)

    distances = surface_distances(one, other, grid)

    first, second = surface_of(one, grid).points_mm, surface_of(other, grid).points_mm
    apart = np.linalg.norm(first[:, None] - second[None], axis=2)
    assert np.allclose(distances.one_mm, apart.min(axis=1))
    assert np.allclose(distances.other_mm, apart.min(axis=0))
    assert surface_distances(one, one, grid).surface_dice(0) == pytest.approx(1.0)


def test_the_added_path_is_what_the_wanted_contour_has_and_the_drawn_one_has_not() -> None:
    """A square of 10 pixels has 36 in its contour; moved by two columns it keeps 16 of them, in each of five slices."""
    grid = grid_of(SHAPE, (3.0, 1.0, 1.0))

    added = added_path_mm(BOX, box((5, 10), (10, 20), (12, 22)), grid)

    assert added.tolist() == [0.0] * 5 + [20.0] * 5 + [0.0] * 10
    assert added_path_mm(BOX, BOX, grid).sum() == 0


def test_a_slice_that_nobody_drew_is_added_whole() -> None:
    """36 pixels of 0.98 x 0.98 mm above what was drawn, and nothing for the slice that was drawn too much."""
    added = added_path_mm(BOX, box((6, 11), (10, 20), (10, 20)), grid_of(SHAPE, (3.0, 0.98, 0.98)))

    assert added.sum() == added[10] == pytest.approx(36 * 0.98)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_added_path_is_that_of_full_size_masks(seed: int) -> None:
    """Where the boxes of two masks lie makes no difference."""

    def edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        wide = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
        return mask & ~(wide[:, :-2, 1:-1] & wide[:, 2:, 1:-1] & wide[:, 1:-1, :-2] & wide[:, 1:-1, 2:])

    masks = np.random.default_rng(seed).random((2, 4, 7, 6)) < np.random.default_rng(seed + 1).random((2, 4, 1, 1))
    masks[:, 1, 2, 3] = True
    drawn, wanted = (OrganMask.from_full(mask, margin=0) for mask in masks)

    added = added_path_mm(drawn, wanted, grid_of((4, 7, 6), (3.0, 1.0, 1.0)))

    assert added.tolist() == (edge(masks[1]) & ~edge(masks[0])).sum(axis=(1, 2)).tolist()
