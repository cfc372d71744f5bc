"""Tests of where voxels lie."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.errors import GeometryError
from segmentation.geometry import Grid

ANGLES = st.floats(-math.pi, math.pi)
SPACINGS = st.floats(0.2, 6.0)
SIZES = st.integers(1, 40)


def turned(yaw, pitch, roll):
    """Return a rotation matrix; its columns are the directions of rows, of columns and of their normal."""
    about_z = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    about_y = np.array([[math.cos(roll), 0, math.sin(roll)], [0, 1, 0], [-math.sin(roll), 0, math.cos(roll)]])
    return about_z @ about_x @ about_y


@st.composite
def grids(draw):
    """Draw a grid of any orientation and spacing, its planes uneven and shifted in themselves."""
    row, column, across = turned(draw(ANGLES), draw(ANGLES), draw(ANGLES)).T
    normal = -across if across[2] < -1e-3 else across
    along = np.cumsum([draw(st.floats(-500, 500)), *draw(st.lists(st.floats(0.3, 10), max_size=5))])
    sideways = [draw(st.floats(-20, 20)) for _ in along]
    origins = along[:, None] * normal + np.array(sideways)[:, None] * row
    return Grid(origins, row, column, draw(SPACINGS), draw(SPACINGS), draw(SIZES), draw(SIZES))


def slow_to_patient(grid, slice_index, row_index, column_index):
    """Apply PS3.3 equation C.7.6.2.1-1 as it is printed, one pixel at a time."""
    x, y, delta_i, delta_j = grid.row_direction, grid.column_direction, grid.column_spacing_mm, grid.row_spacing_mm
    s = grid.origins[slice_index]
    affine = [[x[axis] * delta_i, y[axis] * delta_j, 0, s[axis]] for axis in range(3)] + [[0, 0, 0, 1]]
    return (np.array(affine) @ [column_index, row_index, 0, 1])[:3]


@given(grids(), st.lists(st.tuples(st.floats(-5, 600), st.floats(-5, 600)), min_size=1, max_size=8), st.data())
def test_points_lie_where_the_standard_puts_them(grid, points, data):
    """Places are those of the printed equation, for whole and broken indices, inside and outside the image."""
    index = data.draw(st.integers(0, grid.shape[0] - 1))

    places = grid.to_patient(index, np.array(points))

    np.testing.assert_allclose(places, [slow_to_patient(grid, index, *point) for point in points], atol=1e-9)


@given(grids(), st.lists(st.tuples(st.floats(-5, 600), st.floats(-5, 600)), min_size=1, max_size=8), st.data())
def test_there_and_back_is_the_same_point(grid, points, data):
    """A point goes to the patient and back to its row and column."""
    index = data.draw(st.integers(0, grid.shape[0] - 1))

    back = grid.to_row_column(index, grid.to_patient(index, np.array(points)))

    np.testing.assert_allclose(back, points, atol=1e-8)


@given(grids())
def test_places_ascend_along_a_normal_to_the_head(grid):
    """The normal is a unit vector across the planes and never points to the feet."""
    np.testing.assert_allclose(
        [grid.normal @ grid.row_direction, grid.normal @ grid.column_direction, grid.normal @ grid.normal],
        [0, 0, 1],
        atol=1e-9,
    )
    assert grid.normal[2] >= -1e-3
    assert (np.diff(grid.positions_mm) > 0).all()


@given(grids(), st.data())
def test_every_point_of_a_slice_lies_in_its_plane(grid, data):
    """All pixels of a slice share the slice's place along the normal."""
    index = data.draw(st.integers(0, grid.shape[0] - 1))

    corners = grid.to_patient(index, np.array([[0.0, 0.0], [grid.rows - 1.0, grid.columns - 1.0]]))

    np.testing.assert_allclose(corners @ grid.normal, grid.positions_mm[index], atol=1e-8)


def axial(origins, *, row=(1.0, 0.0, 0.0), column=(0.0, 1.0, 0.0), spacing=(2.0, 0.5), shape=(4, 3)):
    return Grid(np.array(origins, dtype=float), np.array(row), np.array(column), *spacing, *shape)


def test_the_first_pixel_is_at_the_origin_and_rows_lie_apart_by_the_first_spacing():
    """By hand: row 1, column 2 is one row spacing to the back and two column spacings to the left."""
    places = axial([[10, 20, 30]]).to_patient(0, np.array([[0.0, 0.0], [1.0, 2.0]]))

    np.testing.assert_array_equal(places, [[10, 20, 30], [11, 22, 30]])


@pytest.mark.parametrize(
    ("row", "column"),
    [((1, 0, 0), (0, 1, 0)), ((-1, 0, 0), (0, -1, 0)), ((-1, 0, 0), (0, 1, 0)), ((0, 1, 0), (1, 0, 0))],
    ids=["supine", "prone", "seen from the head", "transposed"],
)
def test_axial_planes_ascend_to_the_head(row, column):
    """Whichever way the pixels run, z grows from slice to slice."""
    grid = axial([[0, 0, -3], [0, 0, 0], [0, 0, 5]], row=map_float(row), column=map_float(column))

    np.testing.assert_array_equal(grid.normal, [0, 0, 1])
    assert grid.positions_mm.tolist() == [-3, 0, 5]
    assert (grid.slice_spacing_mm, grid.voxel_cm3) == (4.0, 0.004)


def map_float(vector):
    return tuple(map(float, vector))


def test_a_tilted_stack_keeps_the_origin_of_each_slice():
    """Slices of a tilted gantry are each placed by their own origin, not by the first and a spacing."""
    sin, cos = math.sin(0.2), math.cos(0.2)
    grid = axial([[0, 0, 0], [0, 0, 3]], column=(0.0, cos, -sin))

    np.testing.assert_allclose(grid.to_patient(1, np.array([[1.0, 0.0]])), [[0, 2 * cos, 3 - 2 * sin]])
    np.testing.assert_allclose(grid.slice_spacing_mm, 3 * cos)


def test_one_slice_has_a_spacing_of_one():
    """A single plane has no neighbour to measure to."""
    assert axial([[0, 0, 0]]).slice_spacing_mm == 1.0


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"spacing": (0.0, 1.0)}, "positive"),
        ({"spacing": (1.0, math.nan)}, "positive"),
        ({"shape": (0, 3)}, "rows and columns"),
        ({"row": (1.1, 0.0, 0.0)}, "row direction is not a unit vector"),
        ({"column": (0.0, math.nan, 0.0)}, "column direction is not a unit vector"),
        ({"column": (0.6, 0.8, 0.0)}, "not orthogonal"),
        ({"origins": [[0, 0, 3], [0, 0, 0]]}, "ascending"),
        ({"origins": [[0, 0, 0], [5, 0, 0]]}, "ascending"),
    ],
)
def test_a_grid_that_exists_is_valid(faults, words):
    """What cannot be placed in a patient is refused when the grid is made."""
    with pytest.raises(GeometryError, match=words):
        axial(**({"origins": [[0, 0, 0]]} | faults))
