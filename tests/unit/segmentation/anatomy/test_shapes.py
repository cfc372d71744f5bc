import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.anatomy.shapes import Ellipsoid, Loft, Mirrored, Shape, Tube, rotation

POINTS = np.random.default_rng(0).uniform(-40, 40, (3, 8000)).astype(np.float32)
ANGLES = st.floats(-90, 90)
LENGTHS = st.floats(2, 30)
PLACES = st.floats(-15, 15)
SHAPES: tuple[Shape, ...] = (
    Ellipsoid((3, -4, 5), (20, 9, 6), tilt_deg=30, lean_deg=-20, turn_deg=50),
    Ellipsoid((3, -4, 5), (20, 9, 6), tilt_deg=30, lean_deg=-20, turn_deg=50, boxy=True),
    Tube(((-20, 0, 0), (5, 10, 5), (10, -20, 10)), (3, 6, 4), 2.0),
    Loft((-20, 0, 15), (2, 0, -3), (1, 5, 9), (10, 14, 6), (6, 12, 9)),
    Mirrored(Ellipsoid((12, 0, 0), (8, 6, 5), turn_deg=30)),
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.tuples(PLACES, PLACES, PLACES), st.tuples(LENGTHS, LENGTHS, LENGTHS), ANGLES, ANGLES, st.booleans())
def test_ellipsoid_is_negative_where_the_equation_says_inside(
    centre: tuple[float, float, float], semi: tuple[float, float, float], tilt: float, turn: float, boxy: bool
) -> None:
    """The sign agrees with the sum of powers of the coordinates over the semi-axes."""
    own = rotation(tilt, 0, turn).T @ (POINTS.astype(float) - np.array(centre)[:, None])
    level = (np.abs(own / np.array(semi)[:, None]) ** (4 if boxy else 2)).sum(axis=0)
    clear = np.abs(level - 1) > 1e-3  # float32 may be in doubt on the surface itself

    distance = Ellipsoid(centre, semi, tilt_deg=tilt, turn_deg=turn, boxy=boxy).distance(*POINTS)

    assert np.array_equal((distance < 0)[clear], (level < 1)[clear])


def test_sphere_knows_its_distance() -> None:
    """For a sphere the distance is exact, inside and outside."""
    distance = Ellipsoid((1, 2, 3), (10, 10, 10)).distance(*POINTS)

    assert distance == pytest.approx(np.linalg.norm(POINTS - np.array([[1], [2], [3]]), axis=0) - 10, abs=1e-3)


def test_straight_tube_knows_its_distance() -> None:
    """For a round tube the distance is that from its axis, less the radius."""
    distance = Tube(((0, 0, -10), (0, 0, 10)), (4, 4)).distance(*POINTS)

    beyond = np.maximum(np.abs(POINTS[2]) - 10, 0)
    assert distance == pytest.approx(np.sqrt(POINTS[0] ** 2 + POINTS[1] ** 2 + beyond**2) - 4, abs=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_box_holds_the_solid(shape: Shape) -> None:
    """No point inside the solid lies outside its box."""
    low, high = (np.array(corner)[:, None] for corner in shape.box)

    inside = POINTS[:, shape.distance(*POINTS) < 0]

    assert inside.shape[1] > 10
    assert np.all((inside >= low - 1e-3) & (inside <= high + 1e-3))


@pytest.mark.parametrize("shape", SHAPES)
def test_mirrored_twice_is_the_same(shape: Shape) -> None:
    """A solid's mirror image has at -x what the solid has at x."""
    x, y, z = POINTS

    assert np.array_equal(Mirrored(shape).distance(-x, y, z), shape.distance(x, y, z))
