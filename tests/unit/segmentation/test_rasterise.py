import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from segmentation.rasterise import fill_contours, fill_planes

quarter_steps = st.integers(-12, 48).map(lambda step: step / 4)
rings = st.lists(st.tuples(quarter_steps, quarter_steps), min_size=3, max_size=8).map(np.array)


def is_inside(ring: NDArray[np.float64], row: float, column: float) -> bool:
    """Shoot a ray to the left and count the edges that it crosses: slow and obvious."""
    crossings = 0
    for (row_0, column_0), (row_1, column_1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if (row_0 <= row) != (row_1 <= row):
            at = column_0 + (row - row_0) / (row_1 - row_0) * (column_1 - column_0)
            crossings += at <= column
    return crossings % 2 == 1


@settings(max_examples=200, deadline=None)
@given(rings=st.lists(rings, min_size=1, max_size=3))
def test_filling_agrees_with_counting_crossings(rings: list[NDArray[np.float64]]) -> None:
    """The scan-line gives for any polygons, crossing themselves or leaving the image, what a ray would."""
    slow = [[sum(is_inside(ring, row, column) for ring in rings) % 2 == 1 for column in range(9)] for row in range(8)]

    assert np.array_equal(fill_contours(rings, 8, 9), slow)


def test_contours_that_share_an_edge_share_no_pixel() -> None:
    """A pixel centre on a common edge belongs to one of the two."""
    left = np.array([[0.0, 0.0], [0.0, 3.0], [5.0, 3.0], [5.0, 0.0]])
    right = left + np.array([0.0, 3.0])

    both = fill_contours([left], 8, 8).astype(int) + fill_contours([right], 8, 8)

    assert both.max() == 1
    assert both.sum() == 5 * 6


def test_planes_are_filled_apart() -> None:
    """Rings on different planes of a stack do not meet."""
    ring = np.array([[0.5, 0.5], [0.5, 3.5], [3.5, 3.5], [3.5, 0.5]])

    stack = fill_planes([ring, ring], [0, 2], (3, 5, 5))

    assert [int(plane.sum()) for plane in stack] == [9, 0, 9]


def test_no_contour_fills_nothing() -> None:
    """An empty list is an empty image."""
    assert not fill_contours([], 4, 4).any()
