"""The experiment's own parts: its cells, its second protocol, and the tables that it writes."""

import json

import numpy as np
import pytest

from adaptation.score_file import DEFINITION
from benchmarks.transfer.cells import CELLS, PAPER, SHORT, Cell
from benchmarks.transfer.document import BEGIN, END, write_document
from benchmarks.transfer.learn import is_done
from benchmarks.transfer.protocols import Change, redrawn
from benchmarks.transfer.results import mean, p_better

ORGANS = ("Brainstem", "SpinalCord")


def block():
    mask = np.zeros((8, 20, 20), dtype=np.bool_)
    mask[1:7, 5:15, 5:15] = True
    return mask


def test_every_cell_has_a_folder_of_its_own():
    """No two cells write to one file."""
    assert len({cell.name for cell in CELLS}) == len(CELLS)


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
