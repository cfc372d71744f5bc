import numpy as np
import pytest

from segmentation.bundle import PostProcessing, Preprocessing
from segmentation.geometry import Grid
from segmentation.postprocess import draw_organs
from segmentation.preprocess import NetworkGrid

X, Y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
SHAPE = (12, 40, 48)
PLAIN = PostProcessing(smoothing_slices=0.0)


def grid_of(row_direction=X, column_direction=Y):
    origins = np.zeros((SHAPE[0], 3))
    origins[:, 2] = np.arange(SHAPE[0]) * 3.0
    return Grid(origins, row_direction, column_direction, 4.0, 4.0, *SHAPE[1:])


def draw(probabilities, grid=None, settings=PLAIN):
    """Draw on a CT that has the network's own grid."""
    grid = grid or grid_of()
    network = NetworkGrid.over(grid, tuple(slice(0, n) for n in SHAPE), Preprocessing(pixel_mm=4.0, slice_mm=3.0))
    values = {organ: value.astype(np.float16) for organ, value in probabilities.items()}
    return draw_organs(values, network, dict.fromkeys(values, settings), SHAPE, grid.voxel_cm3)


def block(slices, rows, columns, value=0.9):
    probability = np.zeros(SHAPE)
    probability[slices[0] : slices[1], rows[0] : rows[1], columns[0] : columns[1]] = value
    return probability


def test_block_is_drawn_where_it_is():
    """A certain block on the CT's own grid is drawn voxel by voxel."""
    probability = block((3, 8), (10, 20), (20, 30))

    assert np.array_equal(draw({"Brainstem": probability})["Brainstem"].full(), probability > 0.5)


def test_island_is_removed():
    """Of two parts the larger is the organ."""
    main, island = block((3, 8), (10, 20), (20, 30)), block((3, 5), (30, 33), (40, 43))

    assert np.array_equal(draw({"Brainstem": main + island})["Brainstem"].full(), main > 0.5)


def test_parts_that_weigh_enough_are_kept():
    """A mandible that a streak of metal has cut is still the whole mandible."""
    left, right = block((3, 8), (10, 20), (20, 24)), block((3, 8), (10, 20), (27, 30))

    drawn = draw({"Bone_Mandible": left + right}, settings=PostProcessing(smoothing_slices=0, part_share=0.1))

    assert np.array_equal(drawn["Bone_Mandible"].full(), left + right > 0.5)


def test_part_that_lies_far_off_is_something_else():
    """A piece of the skull's vault weighs enough and is no mandible; what follows part by part is.

    Of two far parts that weigh alike nobody knows which it is: both are drawn, and a physician sees them.
    """
    main, beside, after = (block((3, 8), (10, 20), columns) for columns in ((4, 12), (20, 24), (32, 35)))
    far, rival = block((3, 4), (34, 40), (4, 12)), block((3, 8), (34, 40), (4, 12))

    drawn = draw({"Bone_Mandible": main + beside + after}, settings=PostProcessing(smoothing_slices=0, part_share=0.1))
    assert np.array_equal(drawn["Bone_Mandible"].full(), main + beside + after > 0.5)

    drawn = draw({"Bone_Mandible": main + far}, settings=PostProcessing(smoothing_slices=0, part_share=0.1))
    assert np.array_equal(drawn["Bone_Mandible"].full(), main > 0.5)

    drawn = draw({"Bone_Mandible": main + rival}, settings=PostProcessing(smoothing_slices=0, part_share=0.1))
    assert np.array_equal(drawn["Bone_Mandible"].full(), main + rival > 0.5)


def test_hole_is_closed():
    """What is enclosed by an organ is the organ."""
    probability = block((3, 8), (10, 20), (20, 30))
    probability[5, 14:16, 24:26] = 0

    assert draw({"Brainstem": probability})["Brainstem"].full()[5, 14:16, 24:26].all()


def test_organ_that_is_too_small_is_not_found():
    """A few voxels are not a brainstem."""
    probability = block((3, 5), (10, 12), (20, 22))

    assert draw({"Brainstem": probability}, settings=PostProcessing(min_cm3=5)) == {}


def test_unsure_network_draws_nothing():
    """Below the threshold there is no organ."""
    assert draw({"Brainstem": block((3, 8), (10, 20), (20, 30), 0.4)}) == {}


@pytest.mark.parametrize(("organ", "columns"), [("Parotid_L", (36, 42)), ("Parotid_R", (6, 12))])
def test_gland_is_taken_from_its_own_side(organ, columns):
    """A larger part on the wrong side of the middle is not the gland; columns grow to the left."""
    own = block((3, 8), (10, 16), columns)
    wrong = block((2, 9), (10, 18), (48 - columns[1], 48 - columns[0]))
    middle = block((3, 8), (10, 20), (20, 28))

    drawn = draw({"Brainstem": middle, organ: own + wrong})

    assert np.array_equal(drawn[organ].full(), own > 0.5)


def test_no_voxel_is_in_two_organs():
    """What two organs claim is given to the more probable one."""
    one, other = block((2, 8), (10, 20), (20, 30), 0.9), block((5, 11), (10, 20), (20, 30), 0.7)

    drawn = draw({"Brainstem": one, "SpinalCord": other})

    assert not (drawn["Brainstem"].full() & drawn["SpinalCord"].full()).any()
    assert np.array_equal(drawn["Brainstem"].full(), one > 0.5)


@pytest.mark.parametrize(
    ("row_direction", "column_direction"), [(X, Y), (-X, Y), (X, -Y), (-X, -Y)], ids=["HFS", "FFS", "FFP", "HFP"]
)
def test_left_stays_left_however_the_patient_lies(row_direction, column_direction):
    """In all four positions the left gland's voxels lie at larger x than the right's, in the CT's own pixel order."""
    grid = grid_of(row_direction, column_direction)
    left, right = block((3, 8), (10, 16), (36, 42)), block((3, 8), (10, 16), (6, 12))

    drawn = draw({"Parotid_L": left, "Parotid_R": right}, grid)

    assert place(drawn["Parotid_L"], grid)[0] > place(drawn["Parotid_R"], grid)[0] + 80


def place(organ, grid):
    index = np.argwhere(organ.full()).mean(axis=0)
    return grid.to_patient(0, index[None, 1:])[0]
