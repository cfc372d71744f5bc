"""What is kept of a model on a case: whole in its file, and under a name that says how it was judged."""

import math

import numpy as np

from adaptation.evaluate import judge_case
from adaptation.evidence import Harm
from adaptation.harms import harms_of
from adaptation.labelled_ct import LabelledCt
from adaptation.openkbp import axial_grid
from adaptation.score_file import DEFINITION, CaseOutcome, encode_outcome, ending_of, parse_outcome
from segmentation.organ_mask import OrganMask
from segmentation.plausibility import implausible
from segmentation.volume import Volume

SHAPE = (12, 30, 30)
GRID = axial_grid(SHAPE, np.array([3.0, 1.0, 1.0]))


def block(*ranges):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(slice(*each) for each in ranges)] = True
    return mask


DRAWN = {
    "Brainstem": block((6, 10), (10, 20), (10, 20)),
    "SpinalCord": block((2, 6), (12, 18), (12, 18)),
    "Parotid_L": block((4, 8), (10, 16), (22, 28)),
    "Parotid_R": block((4, 8), (10, 16), (2, 8)),
    "Lens_L": block((10, 11), (4, 7), (20, 23)),
}
FOUND = {
    "Brainstem": block((6, 10), (10, 20), (12, 22)) | block((0, 1), (2, 5), (2, 5)),
    "SpinalCord": block((0, 7), (12, 18), (12, 18)),
    "Parotid_L": block((4, 8), (10, 16), (2, 9)),
    "Parotid_R": block((4, 7), (10, 16), (2, 8)),
}


def outcome():
    """Return what is found of models' usual faults: shifted, in two parts, too long, on the wrong side, missing."""
    case = LabelledCt(Volume(np.zeros(SHAPE, dtype=np.int16), GRID), DRAWN)
    found = {organ: OrganMask.from_full(mask) for organ, mask in FOUND.items()}
    scores = judge_case("one", found, case, list(DRAWN))
    return CaseOutcome(tuple(scores), harms_of("one", found, case), bool(implausible(found, GRID)))


def test_numbers_are_those_of_their_definition():
    """Whoever changes one of these numbers, or what else a bundle draws on a case, raises `DEFINITION`."""
    judged = outcome()

    numbers = {
        one.organ: (
            one.comparison.dsc,
            one.comparison.hd95_mm,
            one.comparison.surface_dsc[2.0],
            one.comparison.added_path_mm,
        )
        for one in judged.scores
    }
    rounded = {organ: tuple(round(each, 4) for each in of if not math.isnan(each)) for organ, of in numbers.items()}
    assert (DEFINITION, rounded, judged.harms, judged.is_flagged) == (
        4,
        {
            "Brainstem": (0.7911, 17.2337, 0.971, 80.0),
            "SpinalCord": (0.8889, 3.0, 0.9163, 0.0),
            "Parotid_L": (0.0, 20.0, 0.0, 80.0),
            "Parotid_R": (0.8571, 3.0, 0.8965, 20.0),
            "Lens_L": (0.0, 0.0, 8.0),
        },
        (Harm("one", "Parotid_L", "lies on the wrong side"),),
        True,
    )


def test_outcome_comes_back_from_its_file():
    """A distance that is no number too."""
    judged = outcome()

    back = parse_outcome(encode_outcome(judged))

    assert (back.harms, back.is_flagged, len(back.scores)) == (judged.harms, judged.is_flagged, len(DRAWN))
    assert encode_outcome(back) == encode_outcome(judged)


def test_other_definitions_and_models_have_other_files(monkeypatch):
    """What was kept before is not read by a release that judges otherwise."""
    before, other = ending_of("a" * 64), ending_of("b" * 64)
    monkeypatch.setattr("adaptation.score_file.DEFINITION", DEFINITION + 1)

    assert len({before, other, ending_of("a" * 64)}) == 3
