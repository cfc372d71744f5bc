"""The experiment's own parts: its cells, its second protocol, and the tables that it writes."""

import json

import numpy as np
import pytest

from adaptation.labelled_ct import LabelledCt
from adaptation.openkbp import axial_grid
from adaptation.score_file import DEFINITION
from benchmarks.transfer.cells import CELLS, NNUNET, PAPER, SHORT, Cell
from benchmarks.transfer.document import BEGIN, END, write_document
from benchmarks.transfer.learn import is_done
from benchmarks.transfer.nnunet import drawn
from benchmarks.transfer.nnunet_cases import one_label, spacing_of
from benchmarks.transfer.protocols import Change, redrawn
from benchmarks.transfer.results import mean, p_better
from benchmarks.transfer.worlds import recipe_of
from segmentation.volume import Volume

ORGANS = ("Brainstem", "SpinalCord")


def block():
    mask = np.zeros((8, 20, 20), dtype=np.bool_)
    mask[1:7, 5:15, 5:15] = True
    return mask


def test_every_cell_has_a_folder_of_its_own():
    """No two cells write to one file."""
    assert len({cell.name for cell in CELLS + NNUNET}) == len(CELLS + NNUNET)


def test_a_transferred_cell_begins_with_the_source_model_of_its_own_network():
    """ST is made of the S that has the same network."""
    for cell in CELLS:
        if cell.model == "ST":
            assert cell.source in CELLS
            assert cell.source.network == cell.network


@pytest.mark.parametrize(("grown_mm", "side"), [(-2.0, 6.8), (0.0, 10), (2.0, 13.2)])
def test_the_other_protocol_moves_the_surface_within_the_slice(grown_mm, side):
    """An organ's surface moves in its slices by what the protocol says, to the half pixel; its slices stay."""
    changed = redrawn(block(), Change(grown_mm=grown_mm), slice_mm=3.0, pixel_mm=1.25)

    assert changed.any(axis=(1, 2)).tolist() == block().any(axis=(1, 2)).tolist()
    assert changed[3, 10].sum() == pytest.approx(side, abs=1)


def test_the_other_protocol_ends_an_organ_elsewhere():
    """What is left out at either end is slices."""
    changed = redrawn(block(), Change(top_mm=6.0, bottom_mm=3.0), slice_mm=3.0, pixel_mm=1.25)

    assert np.flatnonzero(changed.any(axis=(1, 2))).tolist() == [2, 3, 4]


def test_an_organ_does_not_vanish_in_the_other_protocol():
    """An organ that is smaller than what would be taken away stays as it is."""
    lens = np.zeros((3, 9, 9), dtype=np.bool_)
    lens[1, 4, 4] = True

    assert np.array_equal(redrawn(lens, Change(grown_mm=-3.0), slice_mm=3.0, pixel_mm=1.0), lens)


def result(folder, cell, dice):
    """Write a result in which every organ of 17 patients has about that Dice."""
    dices = {f"pt_{n}": dict.fromkeys(ORGANS, dice + n / 1000) for n in range(17)}
    content = {
        "steps": 10,
        "cpu_seconds": 120.0,
        "curve": {},
        "dice": dices,
        "dice_at_home": {},
        "cpu_seconds_a_slice": 0.01,
        "parameters": 1,
    }
    (folder / cell.name).mkdir()
    (folder / cell.name / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return dices


def test_a_result_that_was_judged_otherwise_is_not_done(tmp_path):
    """Its weights are judged as the node draws now; the training is not repeated."""
    cell = Cell("real", "S")
    result(tmp_path, cell, 0.6)
    assert not is_done(tmp_path, cell)
    path = tmp_path / cell.name / "result.json"

    path.write_text(json.dumps({**json.loads(path.read_text()), "definition": DEFINITION}))

    assert is_done(tmp_path, cell)


def test_the_document_says_what_the_results_say(tmp_path):
    """The answer follows from the figures, no case is named, and what was not run is said."""
    result(tmp_path, Cell("real", "S"), 0.6)
    result(tmp_path, Cell("real", "T", SHORT), 0.8)
    result(tmp_path, Cell("real", "ST", SHORT, PAPER), 0.7)
    document = tmp_path / "experiment.md"
    document.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n", encoding="utf-8")

    write_document(tmp_path, document)

    text = document.read_text(encoding="utf-8")
    assert "S < T < ST does **not** hold" in text
    assert "40 target patients: not all three models have a result" in text
    assert "pt_" not in text
    assert "stale" not in text
    assert text.startswith("before")
    assert text.endswith("after\n")


def test_a_model_that_is_better_on_all_patients_is_better(tmp_path):
    """The p-value is that of the first model's being better."""
    good, bad = result(tmp_path, Cell("real", "S"), 0.8), result(tmp_path, Cell("real", "T", 5), 0.6)

    assert mean(good) > mean(bad)
    assert p_better(good, bad, "Brainstem") < 0.001
    assert p_better(bad, good, "Brainstem") > 0.99


def labelled(**masks):
    """Return a case of 8 slices, 3 mm apart, of 20 x 20 pixels of 4.5 mm, on which these organs were drawn."""
    grid = axial_grid((8, 20, 20), np.array([3.0, 4.5, 4.5]))
    return LabelledCt(Volume(np.zeros(grid.shape, dtype=np.int16), grid), masks)


def test_a_voxel_in_two_organs_is_the_first_ones():
    """nnU-Net takes one label a voxel: the organ that is named first keeps what two share, the rest is nothing."""
    first, second = np.zeros((2, 8, 20, 20), dtype=np.bool_)
    first[3, 4, 4:6] = True
    second[3, 4, 5:8] = True

    labels = one_label(labelled(Brainstem=first, SpinalCord=second), ORGANS)

    assert labels[3, 4, 3:9].tolist() == [0, 1, 1, 2, 2, 0]


@pytest.mark.parametrize("empty", [{}, {"SpinalCord": np.zeros((8, 20, 20), dtype=np.bool_)}])
def test_what_was_not_drawn_may_be_anywhere(empty):
    """Where an organ was not drawn, or nowhere on the CT, nothing is learnt from voxels that have no label."""
    labels = one_label(labelled(Brainstem=block(), **empty), ORGANS)

    assert np.unique(labels[block()]).tolist() == [1]
    assert np.unique(labels[~block()]).tolist() == [len(ORGANS) + 1]


def test_the_peers_probabilities_are_drawn_where_they_lie():
    """nnU-Net's probabilities lie on the CT's own grid: post-processing takes away what is apart, and moves nothing."""
    recipe = recipe_of(NNUNET[0])
    case = labelled()
    probabilities = np.zeros((len(recipe.organs), 8, 20, 20))
    probabilities[0] = block()
    probabilities[0, 3, 0, 0] = 1.0

    organs = drawn(probabilities, case.volume, recipe)

    assert spacing_of(case.volume) == (3.0, 4.5, 4.5)
    assert list(organs) == [recipe.organs[0]]
    found = organs[recipe.organs[0]].full()
    assert not found[3, 0, 0]
    assert (found[2:6] == block()[2:6]).mean() > 0.98


def test_the_document_has_every_peer_beside_ours(tmp_path):
    """nnU-Net has its rows, and who wins is said of it too."""
    for cell in (NNUNET[0], Cell("real", "T", SHORT, network="nnunet")):
        result(tmp_path, cell.ours, 0.7)
        result(tmp_path, cell, 0.6)
    document = tmp_path / "experiment.md"
    document.write_text(f"{BEGIN}\n{END}", encoding="utf-8")

    write_document(tmp_path, document)

    text = document.read_text(encoding="utf-8")
    assert "- S: nnU-Net 2d 0.608, ResNet-SPP 0.708 in the same processor time: **the ResNet-SPP wins**" in text
    assert "| nnU-Net 2d, S | .608 | .608 | **.608** | 0 | 2.0 |" in text
    assert "| nnU-Net 2d, T 40 | not run |" in text
    assert "| nnU-Net 2d, T 10 | .608 |" in text
