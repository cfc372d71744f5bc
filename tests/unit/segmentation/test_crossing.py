import numpy as np
import pytest

from segmentation.crossing import MOST_EDGES, may_cross, pinched
from segmentation.keyhole import keyhole

SQUARE = np.array([[0.0, 0.0], [0.0, 8.0], [8.0, 8.0], [8.0, 0.0]])
WITHIN = SQUARE / 4 + 3


def test_a_ring_that_crosses_itself_is_found() -> None:
    """Two corners in the wrong order."""
    assert may_cross([SQUARE[[0, 2, 1, 3]]])
    assert not may_cross([SQUARE])


def test_rings_that_cross_each_other_are_found() -> None:
    """One within the other does not, nor one beside it."""
    assert may_cross([SQUARE, SQUARE + 3.5])
    assert not may_cross([SQUARE, WITHIN, SQUARE + 20])


def test_a_bridge_that_is_walked_there_and_back_crosses_nothing() -> None:
    """A keyhole is one ring."""
    assert not may_cross([keyhole(SQUARE, [WITHIN])])


def test_of_too_many_edges_nothing_is_said() -> None:
    """The caller draws them as they were traced."""
    turn = np.linspace(0, 2 * np.pi, MOST_EDGES + 1, endpoint=False)

    assert may_cross([np.stack([np.cos(turn), np.sin(turn)], axis=1)])


@pytest.mark.parametrize(("rows", "is_so"), [("10/01", True), ("01/10", True), ("11/01", False), ("10/10", False)])
def test_pixels_that_touch_at_a_corner_are_found(rows: str, is_so: bool) -> None:
    """Of the mask or beside it, either way."""
    mask = np.array([[pixel == "1" for pixel in row] for row in rows.split("/")])

    assert pinched(mask[None]).tolist() == [is_so]
