import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.bundle import Preprocessing
from segmentation.geometry import Grid
from segmentation.preprocess import (
    BOX_MARGIN_MM,
    COUCH_SEARCH_MM,
    NetworkGrid,
    body_box,
    evenly_over,
    to_values,
    with_context,
)
from segmentation.volume import Volume

X, Y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])


def axial(shape, slice_mm=3.0, pixel_mm=1.0):
    origins = np.zeros((shape[0], 3))
    origins[:, 2] = np.arange(shape[0]) * slice_mm
    return Grid(origins, X, Y, pixel_mm, pixel_mm, shape[1], shape[2])


def ball(shape, centre, radius):
    place = np.indices(shape) - np.array(centre)[:, None, None, None]
    return (place**2).sum(axis=0) <= radius**2


def test_air_is_zero_and_knots_are_met():
    """The network sees the value of each knot at its HU, and the ends beyond."""
    knots = ((-1000.0, 0.0), (0.0, 0.5), (1000.0, 1.0))

    assert np.allclose(to_values(np.array([-2000, -1000, 0, 500, 3000]), knots), [0, 0, 0.5, 0.75, 1])


@given(st.integers(1, 9), st.lists(st.integers(-4, 4), min_size=1, max_size=5))
def test_context_repeats_the_end_slices(count, context):
    """A slice beyond the ends is the end slice; each channel is the slice that its offset says."""
    values = np.arange(count, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), dtype=np.float32)

    stacked = with_context(values, range(count), context)

    expected = [[min(max(index + step, 0), count - 1) for step in context] for index in range(count)]
    assert np.array_equal(stacked[:, :, 0, 0], expected)


def test_body_box_leaves_the_couch_out():
    """A couch below the body, and a bright spot beside it, do not widen the box by more than the margin."""
    hu = np.full((6, 120, 120), -1000, dtype=np.int16)
    hu[1:5, 30:70, 40:80] = 40
    hu[:, 90:92, 10:110] = 200

    box = body_box(Volume(hu, axial(hu.shape)))

    assert box[1].start <= 30
    assert 70 <= box[1].stop <= 88
    assert box[2].start >= 24
    assert box[2].stop <= 96


@settings(max_examples=40, deadline=None)
@given(
    first=st.tuples(st.integers(0, 2), st.integers(0, 50), st.integers(0, 50)),
    size=st.tuples(st.integers(1, 4), st.integers(24, 60), st.integers(24, 60)),
    couch_row=st.integers(112, 116),
)
def test_body_box_holds_the_whole_body_and_little_more(first, size, couch_row):
    """The slow way: look at every voxel of the body, and at nothing else."""
    hu = np.full((7, 120, 120), -1000, dtype=np.int16)
    body = tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))
    hu[body] = 40
    hu[:, couch_row : couch_row + 2, 5:115] = 200
    occupied = [np.unique(axis) for axis in np.nonzero(hu == 40)]

    box = body_box(Volume(hu, axial(hu.shape)))

    assert all(
        one.start <= places[0] and places[-1] < one.stop for one, places in zip(box[1:], occupied[1:], strict=True)
    )
    most = BOX_MARGIN_MM + 2 * COUCH_SEARCH_MM
    assert all(
        places[0] - one.start <= most and one.stop - places[-1] <= most + 1
        for one, places in zip(box[1:], occupied[1:], strict=True)
        if places[-1] < couch_row - most
    )


def test_empty_ct_is_its_own_box():
    """Where there is no body, everything is looked at."""
    hu = np.full((3, 40, 50), -1000, dtype=np.int16)

    assert body_box(Volume(hu, axial(hu.shape))) == (slice(0, 3), slice(0, 40), slice(0, 50))


@given(st.lists(st.floats(0.5, 4), min_size=1, max_size=30), st.floats(0.5, 6))
def test_even_places_are_centred_and_cover(steps, step_mm):
    """New places have the wanted step, and the same centre as the old ones."""
    of = np.concatenate([[0.0], np.cumsum(steps)])

    at = evenly_over(of, step_mm)

    assert np.allclose(np.diff(at), step_mm)
    assert (at[0] + at[-1]) / 2 == pytest.approx((of[0] + of[-1]) / 2)


def test_own_grid_is_left_as_it_is():
    """A CT that has the network's grid already reaches it unchanged."""
    hu = np.random.default_rng(3).integers(-1000, 1000, (5, 12, 14)).astype(np.int16)
    grid = axial(hu.shape, 2.5, 4.0)
    whole = (slice(0, 5), slice(0, 12), slice(0, 14))

    down = NetworkGrid.over(grid, whole, Preprocessing(pixel_mm=4.0, slice_mm=2.5)).down(hu)

    assert np.allclose(down, hu)


@settings(max_examples=15, deadline=None)
@given(st.floats(1.5, 3.5), st.floats(2, 4), st.floats(12, 18))
def test_ball_survives_the_way_down_and_up(pixel_mm, slice_mm, radius):
    """What is averaged down and enlarged again has the volume that it had, and does not move."""
    mask = ball((24, 64, 64), (12, 30, 33), radius * 0.6)
    grid = NetworkGrid.over(
        axial(mask.shape, 3.0, 1.0),
        (slice(0, 24), slice(0, 64), slice(0, 64)),
        Preprocessing(pixel_mm=pixel_mm, slice_mm=slice_mm),
    )

    place, up = grid.up(grid.down(mask), tuple(slice(0, size) for size in grid.shape))
    again = np.zeros(mask.shape, dtype=bool)
    again[place] = up >= 0.5

    assert again.sum() == pytest.approx(mask.sum(), rel=0.1)
    assert np.allclose(np.argwhere(again).mean(axis=0), np.argwhere(mask).mean(axis=0), atol=0.2)


def test_transposed_ct_reaches_the_same_grid():
    """A CT whose rows run from side to side is the same body to the network."""
    hu = np.random.default_rng(4).integers(-1000, 1000, (3, 10, 16)).astype(np.int16)
    whole = (slice(0, 3), slice(0, 10), slice(0, 16))
    settings_ = Preprocessing(pixel_mm=2.0, slice_mm=3.0)
    turned = Grid(axial(hu.shape).origins, Y, X, 1.0, 1.0, 16, 10)

    as_sent = NetworkGrid.over(turned, whole, settings_).down(hu.transpose(0, 2, 1))

    assert np.allclose(as_sent, NetworkGrid.over(axial(hu.shape), whole, settings_).down(hu), atol=1e-3)
