"""What a score means: lines through made pairs, and a real network that is calibrated on phantoms."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from adaptation.calibration import calibrate, line_through, pairs_of
from adaptation.errors import CaseError
from adaptation.labelled_ct import Case, LabelledCt
from segmentation.predict import Predictor, load_predictor
from tests.support.tiny import ORGAN_HU, marked_phantom, write_tiny_bundle


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_bundle(folder)
    return load_predictor(folder, "cpu")


def shifted(slices: int) -> LabelledCt:
    """Return a phantom whose physician drew all organs some slices too high."""
    phantom = marked_phantom()
    masks = {organ: np.roll(phantom.masks[organ], slices, axis=0) for organ in ORGAN_HU}
    return LabelledCt(phantom.volume, masks)


def case_of(name: str, load: Callable[[], LabelledCt]) -> Case:
    return Case(name, "phantom", load, tuple(ORGAN_HU))


def unreadable() -> LabelledCt:
    raise CaseError("the file is no array")


def test_a_score_that_tells_is_believed() -> None:
    """Where every case lies on a line, the line is what is expected, also of a lower score than was seen."""
    line = line_through([(score, 2 * score - 1) for score in (0.8, 0.84, 0.88, 0.9, 0.95)])

    assert line is not None
    assert (line.slope, line.error) == (pytest.approx(2), pytest.approx(0, abs=1e-9))
    assert line.at(0.86) == pytest.approx(0.72, abs=1e-3)
    assert line.at(0.7) == pytest.approx(0.4, abs=1e-3)


def test_nothing_better_is_expected_than_of_the_highest_score() -> None:
    """Nor anything that is no Dice coefficient."""
    line = line_through([(0.8, 0.6), (0.85, 0.7), (0.9, 0.8)])

    assert line is not None
    assert line.at(1.0) == line.at(0.9) == pytest.approx(0.8)
    assert line.at(0.0) == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_score_that_tells_nothing_moves_the_expectation_by_little(seed: int) -> None:
    """Ten cases of noise: what is expected stays nearer to the mean than the cases are."""
    random = np.random.default_rng(seed)
    dice = 0.75 + 0.06 * random.standard_normal(10)
    line = line_through(list(zip(random.uniform(0.85, 0.95, 10), dice, strict=True)))

    assert line is not None
    spread = np.std([line.at(score) for score in np.linspace(0.85, 0.95, 11)])
    assert line.at(line.score) == pytest.approx(dice.mean(), abs=1e-3)
    assert spread < 0.75 * dice.std()


def test_a_score_that_misleads_is_not_believed() -> None:
    """Where surer masks were worse, every case is expected to be as good as all are."""
    line = line_through([(0.9, 0.5), (0.88, 0.6), (0.86, 0.7), (0.84, 0.8)])

    assert line is not None
    assert (line.slope, line.at(0.5), line.at(0.99)) == (0, pytest.approx(0.65), pytest.approx(0.65))


def test_two_cases_say_nothing() -> None:
    """There is always a line through two points."""
    assert line_through([(0.8, 0.7), (0.9, 0.8)]) is None


def test_a_network_is_calibrated_to_what_physicians_drew(predictor: Predictor) -> None:
    """It is as sure of each, so that their mean is expected, and the result says so."""
    cases = [case_of(f"{slices}", partial(shifted, slices)) for slices in (0, 1, 2, 3)]
    dice = [pairs_of(predictor, case)["Parotid_L"][1] for case in cases]

    lines = calibrate(predictor, cases)
    manifest = predictor.manifest.model_copy(update={"calibration": lines})
    found = replace(predictor, manifest=manifest).predict(marked_phantom().volume)

    assert set(lines) == set(ORGAN_HU)
    assert dice == sorted(dice, reverse=True)
    assert found.expected_dice["Parotid_L"] == pytest.approx(np.mean(dice), abs=2e-3)
    assert f"Parotid_L {found.expected_dice['Parotid_L']:.2f}" in found.notes[-1]


def test_what_cannot_be_read_is_left_out_and_said(predictor: Predictor) -> None:
    """Two cases are left, which is too few for a line."""
    said: list[str] = []
    cases = [case_of("broken", unreadable), *(case_of(f"{n}", partial(shifted, n)) for n in (0, 1))]

    assert calibrate(predictor, cases, said.append) == {}
    assert said == ["broken is left out: the file is no array"]


def test_a_model_without_calibration_expects_nothing(predictor: Predictor, tmp_path: Path) -> None:
    """A manifest of an earlier release is one of these."""
    write_tiny_bundle(tmp_path)
    text = (tmp_path / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(text.replace('  "calibration": {},\n', ""))

    found = load_predictor(tmp_path, "cpu").predict(marked_phantom().volume)

    assert '"calibration"' not in (tmp_path / "manifest.json").read_text()
    assert (found.expected_dice, found.model_digest) == ({}, predictor.digest)
