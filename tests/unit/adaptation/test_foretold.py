"""What a model's own words of its contours are worth, on made scores."""

import math

import pytest

from adaptation.foretold import ALL, Group, Said, foretold
from tests.support.scores import not_found, score

STEM = [("a", 0.9, 0.85), ("b", 0.6, 0.65), ("c", 0.8, 0.75)]  # case, expected, reached
SCORES = [score(case, "Brainstem", reached) for case, _, reached in STEM]
SAID = {(case, "Brainstem"): Said(expected, doubted=case == "b") for case, expected, _ in STEM}


def test_what_was_expected_is_held_against_what_came():
    """Each case is .05 off, the two lie nearly on a line; of one less was expected, and it was doubted."""
    stem, together = foretold(SCORES, SAID, 0.7)

    assert (stem.organ, stem.expected, stem.error) == ("Brainstem", 3, pytest.approx(0.05))
    assert stem.correlation == pytest.approx(0.98, abs=0.01)
    assert (stem.below, stem.above) == (Group(1, 0.65), Group(2, pytest.approx(0.8)))
    assert (stem.doubted, stem.undoubted) == (Group(1, 0.65), Group(2, pytest.approx(0.8)))
    assert (together.organ, together.expected) == (ALL, 3)


def test_the_same_expectation_of_all_has_no_correlation():
    """Where the calibration has no slope there is an error, and nothing that varies."""
    stem, _ = foretold(SCORES, dict.fromkeys(SAID, Said(0.75, doubted=False)), 0.7)

    assert stem.error == pytest.approx(0.2 / 3)
    assert math.isnan(stem.correlation)
    assert (stem.below.count, stem.doubted.count) == (0, 0)


def test_an_organ_without_a_calibration_is_in_neither_group():
    """Only whether it looked plausible was said of it."""
    stem, _ = foretold(SCORES, dict.fromkeys(SAID, Said(math.nan, doubted=True)), 0.7)

    assert (stem.expected, stem.below.count, stem.above.count, stem.doubted.count) == (0, 0, 0, 3)
    assert math.isnan(stem.error)


def test_an_organ_that_was_not_found_had_nothing_said_of_it():
    """It is counted elsewhere, and would else make the words better than they are."""
    assert foretold([not_found("a", "Brainstem")], {}, 0.7) == ()
