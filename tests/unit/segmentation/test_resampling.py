import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.resampling import averaging_matrix, cubic_matrix, resample

STEPS = st.lists(st.floats(0.5, 5), min_size=1, max_size=12)


def places(steps):
    return np.concatenate([[0.0], np.cumsum(steps)])


def slow_mean(of, values, at, width):
    """The mean of the broken line around a place, sampled a thousand times."""
    samples = at + (np.arange(1000) + 0.5) / 1000 * width - width / 2
    return np.interp(samples, of, values).mean()


@settings(max_examples=40, deadline=None)
@given(STEPS, st.floats(0.3, 8), st.integers(0, 99))
def test_averaging_is_the_mean_of_the_broken_line(steps, width, seed):
    """The matrix gives what sampling the line densely gives, within the coarseness of its own samples."""
    of = places(steps)
    values = np.random.default_rng(seed).uniform(0, 1, len(of))
    at = np.linspace(of[0], of[-1], 5)

    means = averaging_matrix(of, at, width) @ values.astype(np.float32)

    # Samples lie closer than the narrowest step, so that each is within a fraction of a step's change of the mean.
    assert np.allclose(means, [slow_mean(of, values, one, width) for one in at], atol=0.5)
    assert np.all(means <= values.max() + 1e-5)
    assert np.all(means >= values.min() - 1e-5)


@given(STEPS, st.floats(0.3, 8))
def test_constant_stays_constant(steps, width):
    """Rows of the matrix sum to 1, also beyond the ends and for uneven places."""
    of = places(steps)

    matrix = averaging_matrix(of, np.linspace(of[0] - 3, of[-1] + 3, 7), width)

    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-5)


def test_same_grid_changes_nothing():
    """A CT that is on the network's grid already is not blurred."""
    of = np.arange(6) * 2.5

    assert np.allclose(averaging_matrix(of, of, 2.5), np.eye(6))


def test_single_plane_is_repeated():
    """A single slice has no neighbours to interpolate with."""
    assert np.array_equal(averaging_matrix(np.array([3.0]), np.array([1.0, 9.0]), 2.0), [[1], [1]])


@given(st.integers(2, 9), st.integers(0, 99))
def test_cubic_passes_through_the_values(size, seed):
    """At the grid's own places the values are those of the grid."""
    values = np.random.default_rng(seed).uniform(0, 1, size).astype(np.float32)

    assert np.allclose(cubic_matrix(size, np.arange(size, dtype=float)) @ values, values, atol=1e-6)


@given(st.integers(4, 9), st.floats(-2, 2), st.floats(-2, 2))
def test_cubic_follows_straight_lines(size, slope, offset):
    """Between grid places a straight line stays straight, where all four neighbours exist."""
    at = np.linspace(1, size - 2, 11)

    values = cubic_matrix(size, at) @ (slope * np.arange(size) + offset).astype(np.float32)

    assert np.allclose(values, slope * at + offset, atol=1e-4)


def test_box_is_resampled_along_each_axis():
    """The three matrices act on slices, rows and columns in this order."""
    rng = np.random.default_rng(1)
    box = rng.uniform(size=(3, 4, 5)).astype(np.float32)
    along = tuple(rng.uniform(size=(2 + axis, size)).astype(np.float32) for axis, size in enumerate(box.shape))

    expected = np.einsum("zyx,az,by,cx->abc", box, *along)

    assert np.allclose(resample(box, along), expected, rtol=1e-4)
