import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.errors import GeometryError
from segmentation.geometry import Grid
from segmentation.orientation import turn_of

X, Y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
SIGNS = st.sampled_from([-1.0, 1.0])


def grid_of(row_direction, column_direction, shape=(4, 5, 6)):
    origins = np.zeros((shape[0], 3))
    origins[:, 2] = np.arange(shape[0]) * 3.0
    return Grid(origins, row_direction, column_direction, 1.0, 1.0, shape[1], shape[2])


@given(SIGNS, SIGNS, st.booleans())
def test_turned_voxels_grow_to_back_and_left(x_sign, y_sign, transposed):
    """In all eight ways a slice can lie, patient axes are where the grid says that the voxels are."""
    first, second = (y_sign * Y, x_sign * X) if transposed else (x_sign * X, y_sign * Y)
    grid = grid_of(first, second)
    rows, columns = np.meshgrid(np.arange(5), np.arange(6), indexing="ij")
    points = grid.to_patient(0, np.stack([rows.ravel(), columns.ravel()], axis=1).astype(float))
    left = np.broadcast_to(points[:, 0].reshape(5, 6), grid.shape)
    back = np.broadcast_to(points[:, 1].reshape(5, 6), grid.shape)

    turn = turn_of(grid)

    assert np.all(np.diff(turn.to_patient(left), axis=2) > 0)
    assert np.all(np.diff(turn.to_patient(back), axis=1) > 0)


@given(SIGNS, SIGNS, st.booleans(), st.integers(0, 99))
def test_turning_back_gives_the_voxels_again(x_sign, y_sign, transposed, seed):
    """Masks return to the CT's own pixel order."""
    first, second = (y_sign * Y, x_sign * X) if transposed else (x_sign * X, y_sign * Y)
    turn = turn_of(grid_of(first, second))
    voxels = np.random.default_rng(seed).integers(0, 99, (4, 5, 6))

    assert np.array_equal(turn.to_pixels(turn.to_patient(voxels)), voxels)


def test_sagittal_planes_are_refused():
    """What is not axial has no rows from front to back."""
    origins = np.zeros((2, 3))
    origins[:, 0] = [0.0, 3.0]
    sagittal = Grid(origins, Y, np.array([0, 0, 1.0]), 1.0, 1.0, 4, 4)

    with pytest.raises(GeometryError, match="not axial"):
        turn_of(sagittal)
