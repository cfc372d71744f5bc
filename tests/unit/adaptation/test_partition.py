from collections import Counter

import pytest

from adaptation.limits import PartLimits
from adaptation.partition import Part, part_for

PATIENTS = [f"patient {number}" for number in range(3000)]


def test_patients_are_parted_as_the_shares_say():
    """Of 3000 patients 60, 10 and 30 in a hundred, within what chance allows."""
    counts = Counter(part_for(patient, 0) for patient in PATIENTS)

    assert counts[Part.TRAIN] == pytest.approx(1800, abs=90)
    assert counts[Part.TUNE] == pytest.approx(300, abs=60)
    assert counts[Part.GATE] == pytest.approx(900, abs=90)


def test_same_pseudonym_has_the_same_part_for_ever():
    """The assignment is written down here: a release that changes it mixes the gate with what is learnt from."""
    assert [part_for(patient, 0).value for patient in PATIENTS[:8]] == [
        *("gate", "train", "train", "train", "gate", "gate", "train", "gate")
    ]


def test_newcomers_are_learnt_from_once_the_gate_is_full():
    """Nobody else changes sides."""
    before, after = ([part_for(patient, size) for patient in PATIENTS] for size in (29, 30))

    changed = {(one, other) for one, other in zip(before, after, strict=True) if one is not other}
    assert changed == {(Part.GATE, Part.TRAIN)}
    assert Part.GATE not in after


@pytest.mark.parametrize(("train", "tune"), [(0.0, 0.1), (0.6, 0.0), (0.9, 0.1)])
def test_shares_that_leave_a_part_nobody_are_refused(train, tune):
    """Each part needs patients."""
    with pytest.raises(ValueError, match="shares"):
        PartLimits(train=train, tune=tune)
