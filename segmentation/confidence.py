"""How sure a model is of an organ, and what Dice coefficient that meant on cases that it was calibrated on (pure).

The score is the Dice coefficient that the mask would have on average if each voxel were the organ with the probability
that the network says, independently of the others. A network's probabilities are no such thing, so the score by itself
means nothing: a line through the tuning cases, of each organ by itself, makes an expected Dice coefficient of it.
"""

from collections.abc import Mapping

import numpy as np

from segmentation.bundle import ExpectedDice
from segmentation.organ_mask import OrganMask


def overlap_score(organ: OrganMask) -> float | None:
    """Return 2 sum(p m) / (sum(p) + sum(m)) over the organ's box, 0 to 1.

    Args:
        organ: mask m and probabilities p of the network after post-processing.

    Returns:
        None for a mask without probabilities or without a voxel.
    """
    if organ.probability is None or not organ.mask.any():
        return None
    inside = float(organ.probability[organ.mask].sum(dtype=np.float64))
    return 2 * inside / float(organ.probability.sum(dtype=np.float64) + organ.mask.sum())


def expected_dice(organs: Mapping[str, OrganMask], calibration: Mapping[str, ExpectedDice]) -> dict[str, float]:
    """Return the Dice coefficient that each organ is expected to have with what a physician would draw.

    Args:
        organs: that a model found.
        calibration: of that model; an organ that is not in it has no expectation.
    """
    scores = {name: overlap_score(organ) for name, organ in organs.items() if name in calibration}
    return {name: round(calibration[name].at(score), 3) for name, score in scores.items() if score is not None}
