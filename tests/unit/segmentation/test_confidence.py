"""The score of an organ on hand-made probabilities, and what is held for review."""

import numpy as np
import pytest

from segmentation.bundle import ExpectedDice
from segmentation.confidence import expected_dice, overlap_score
from segmentation.contouring import Contouring
from segmentation.organ_mask import OrganMask
from segmentation.review import ReviewLimits, reasons_to_hold

LINE = ExpectedDice(cases=10, score=0.9, dice=0.8, slope=2.0, highest=0.95, error=0.05)


def organ(inside: float, outside: float = 0.0) -> OrganMask:
    """Return a cube in a box of eight times its volume, with a probability in it and one around it."""
    mask = np.zeros((8, 8, 8), dtype=np.bool_)
    mask[2:6, 2:6, 2:6] = True
    return OrganMask(mask.shape, (0, 0, 0), mask, np.where(mask, inside, outside).astype(np.float32))


@pytest.mark.parametrize(
    ("inside", "outside", "score"), [(1.0, 0.0, 1.0), (0.5, 0.0, 2 / 3), (1.0, 1.0, 2 / 9), (1.0, 1 / 7, 2 / 3)]
)
def test_the_score_is_the_overlap_that_the_probabilities_mean(inside: float, outside: float, score: float) -> None:
    """Doubt within the mask costs as much as belief outside of it."""
    assert overlap_score(organ(inside, outside)) == pytest.approx(score)


def test_a_mask_that_was_drawn_has_no_score() -> None:
    """Nor has one without a voxel."""
    mask = np.zeros((2, 2, 2), dtype=np.bool_)

    assert overlap_score(OrganMask(mask.shape, (0, 0, 0), ~mask)) is None
    assert overlap_score(OrganMask(mask.shape, (0, 0, 0), mask, mask.astype(np.float32))) is None


def test_only_what_is_calibrated_is_expected() -> None:
    """By the line of its organ."""
    organs = {"Brainstem": organ(1.0, 1 / 63), "Lens_L": organ(1.0)}
    wanted = LINE.at(128 / (128 + 448 / 63))

    assert expected_dice(organs, {"Brainstem": LINE}) == {"Brainstem": pytest.approx(wanted, abs=1e-3)}


def contouring(*, expected: float, doubts: dict[str, tuple[str, ...]] | None = None) -> Contouring:
    return Contouring(
        {"Brainstem": organ(1.0), "Lens_L": organ(1.0)},
        (),
        (),
        "small",
        "1",
        "0" * 64,
        expected_dice={"Brainstem": expected},
        doubts=doubts or {},
    )


def test_what_is_unsure_is_held_where_the_site_wants_it() -> None:
    """The reason names organ, figure, limit and key; an organ without an expectation holds nothing."""
    [reason] = reasons_to_hold(contouring(expected=0.55), ReviewLimits(below_dsc=0.6))

    assert reason.startswith("Brainstem: a DSC of 0.55 is expected, less than the 0.60")
    assert "contouring.hold_below_dsc" in reason
    assert reasons_to_hold(contouring(expected=0.6), ReviewLimits(below_dsc=0.6)) == ()
    assert reasons_to_hold(contouring(expected=0.0), ReviewLimits()) == ()


def test_what_is_implausible_is_held_where_the_site_wants_it() -> None:
    """With the sentence that says why."""
    odd = contouring(expected=0.9, doubts={"Lens_L": ("Lens_L has 2 cm3, expected are 0.04 to 0.5.",)})

    assert reasons_to_hold(odd, ReviewLimits()) == ()
    [reason] = reasons_to_hold(odd, ReviewLimits(implausible=True))
    assert reason.startswith("Lens_L has 2 cm3")


def test_the_reviewer_reads_what_to_look_at_first() -> None:
    """In the description of the set, and of each ROI."""
    odd = contouring(expected=0.9, doubts={"Lens_L": ("Lens_L has 2 cm3, expected are 0.04 to 0.5.",)})

    assert odd.summary == "Implausible: Lens_L. Expected DSC: Brainstem 0.90."
    assert odd.remarks == {
        "Brainstem": "Expected DSC 0.90.",
        "Lens_L": "Lens_L has 2 cm3, expected are 0.04 to 0.5.",
    }
