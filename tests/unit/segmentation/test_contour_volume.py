"""Volumes from contours alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from segmentation.contour_volume import VolumeError, contour_volume_cm3


def contour(points, kind="CLOSED_PLANAR"):
    """Return an item of a Contour Sequence; points are (n, 3), mm."""
    item = Dataset()
    item.ContourGeometricType = kind
    item.ContourData = [f"{value:.3f}" for value in np.ravel(points)]
    return item


def square(side, z, corner=(0.0, 0.0)):
    x, y = corner
    return contour([(x, y, z), (x + side, y, z), (x + side, y + side, z), (x, y + side, z)])


@given(st.floats(1, 80), st.floats(0.5, 8), st.integers(2, 12), st.floats(-500, 500), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_prism_has_its_volume(side, step, planes, first, random):
    """Area times height, in whatever order the contours stand."""
    contours = [square(side, first + step * index) for index in range(planes)]
    random.shuffle(contours)

    assert contour_volume_cm3(contours) == pytest.approx(side**2 * step * planes / 1000, rel=0.01)


def test_planes_may_lie_obliquely():
    """The planes' own normal counts, not the patient's axis."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    contours = [contour(np.array(square(20, z).ContourData, dtype=float).reshape(-1, 3) @ turn) for z in (0, 3, 6)]

    assert contour_volume_cm3(contours) == pytest.approx(3.6, rel=0.001)


def test_a_contour_within_another_is_a_hole_and_one_within_that_is_not():
    """Rings in rings count by turns."""
    contours = [square(side, z, ((30 - side) / 2,) * 2) for z in (0, 3) for side in (30, 20, 10)]

    assert contour_volume_cm3(contours) == pytest.approx((900 - 400 + 100) * 6 / 1000)


def test_a_keyhole_is_a_hole():
    """A bridge of no width adds no area."""
    outer, inner = [(0, 0), (9, 0), (9, 5), (9, 9), (0, 9)], [(6, 5), (6, 3), (3, 3), (3, 6), (6, 6), (6, 5)]
    ring = [*outer[:3], *inner, *outer[2:]]
    contours = [contour([(x, y, z) for x, y in ring]) for z in (0.0, 1.0)]

    assert contour_volume_cm3(contours) == pytest.approx((81 - 9) * 2 / 1000)


def test_two_parts_far_from_each_other_do_not_fill_what_is_between():
    """A step that is much longer than the usual one is the end of a part."""
    contours = [square(10, z) for z in (0, 2, 4, 6, 60, 62, 64, 66)]

    assert contour_volume_cm3(contours) == pytest.approx(8 * 100 * 2 / 1000)


@pytest.mark.parametrize(
    ("contours", "reason"),
    [
        ([], "encloses anything"),
        ([contour([(0, 0, 0)], "POINT")], "encloses anything"),
        ([contour([(0, 0, 0), (1, 1, 0), (2, 2, 0)])], "encloses anything"),
        ([square(9, 0)], "one plane"),
        ([square(9, 0), contour([(0, 0, 2), (9, 0, 3), (9, 9, 3)])], "parallel"),
        ([square(9, 0), square(9, 0, (4, 4)), square(9, 1)], "touch or overlap"),
    ],
)
def test_what_tells_no_volume_says_why(contours, reason):
    """A number that means nothing is not shown."""
    with pytest.raises(VolumeError, match=reason):
        contour_volume_cm3(contours)
