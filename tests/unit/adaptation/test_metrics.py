import numpy as np

from adaptation.metrics import dice


def test_dice_of_halves_is_known_by_hand():
    """Two of three voxels shared by masks of two and three: 2 x 2 / 5."""
    assert dice(np.array([1, 1, 0, 0], dtype=bool), np.array([1, 1, 1, 0], dtype=bool)) == 0.8


def test_two_empty_masks_agree():
    """Nothing drawn and nothing found is right."""
    empty = np.zeros(3, dtype=bool)

    assert dice(empty, empty) == 1
    assert dice(empty, ~empty) == 0
