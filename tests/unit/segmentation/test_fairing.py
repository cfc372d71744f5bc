import numpy as np
import pytest
from numpy.typing import NDArray

from segmentation.fairing import LARGEST_MOVE_PX, corners_of, fair

EITHER_WAY = pytest.mark.parametrize("way", [1, -1], ids=["one way round", "the other way round"])


def circle(radius: float, points: int = 60, *, waver: float = 0.0) -> NDArray[np.float64]:
    """A ring whose points lie in and out of a circle in turn."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    reach = radius + waver * np.where(np.arange(points) % 2, 1.0, -1.0)
    return np.stack([20 + reach * np.cos(turn), 30 + reach * np.sin(turn)], axis=1)


def area(ring: NDArray[np.float64]) -> float:
    row, column = ring.T
    return abs(float(np.sum(row * np.roll(column, -1) - column * np.roll(row, -1)))) / 2


@EITHER_WAY
def test_a_ring_with_fewer_points_encloses_as_much(way: int) -> None:
    """What thinning out cuts off a curve is given back."""
    ring = circle(8.0)[::way]

    (thin,) = fair([ring], 0.1, 0.0)

    assert len(thin) < len(ring) / 2
    assert area(thin) == pytest.approx(area(ring), rel=1e-3)
    assert area(ring[corners_of(ring, 0.1)]) < 0.995 * area(ring)


@EITHER_WAY
@pytest.mark.parametrize("radius", [3.0, 30.0])
def test_what_a_level_line_lost_is_the_same_for_every_size(radius: float, way: int) -> None:
    """A ring wins two pi times the inset of a curve of radius one."""
    ring = circle(radius, 120)[::way]

    (fairer,) = fair([ring], 0.01, 0.1)

    assert area(fairer) - area(ring) == pytest.approx(2 * np.pi * 0.1, rel=0.05)


def test_a_wavering_line_is_smoothed() -> None:
    """From point to point it goes in and out by a tenth of a pixel; then it hardly does."""
    (fairer,) = fair([circle(8.0, waver=0.1)], 0.02, 0.0)

    off = np.abs(np.hypot(*(fairer - (20, 30)).T) - 8.0)

    assert off.max() < 0.03


def test_rings_do_not_mind_one_another() -> None:
    """Several at a time are what each is alone."""
    rings = [circle(8.0), circle(3.0, 24)[::-1], circle(5.0, 40, waver=0.05)]

    together = fair(rings, 0.05, 0.06)

    assert all(np.allclose(one, fair([ring], 0.05, 0.06)[0]) for one, ring in zip(together, rings, strict=True))


def test_of_no_rings_there_are_none() -> None:
    """Nothing in, nothing out."""
    assert fair([], 0.05, 0.06) == []


def test_no_corner_goes_far() -> None:
    """A line that goes there and back leaves no length to divide what is owed by."""
    spike = np.array([[0.0, 0.0], [0.0, 5.0], [0.0, 10.0], [0.0, 5.0], [0.0, 0.0], [0.0, -5.0]])

    (moved,) = fair([spike], 0.05, 1.0)

    assert np.all(np.abs(moved[:, 0]) <= LARGEST_MOVE_PX)


def test_a_ring_of_no_extent_keeps_its_points() -> None:
    """Where nothing would be left, nothing is taken."""
    assert len(corners_of(np.full((5, 2), 3.0), 0.05)) == 5
