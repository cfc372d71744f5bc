"""How well weights do on the tuning cases: Dice on the network's own grid, before post-processing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from adaptation.metrics import dice
from adaptation.samples import Prepared
from segmentation.predict import Predictor
from segmentation.preprocess import to_values


@dataclass(frozen=True, eq=False)
class Tuner:
    """Looks at the tuning cases.

    Args:
        predictor: with a network of its own, which takes the weights that are looked at.
        cases: with an organ that was drawn, one at least.
    """

    predictor: Predictor
    cases: Sequence[Prepared]

    def __call__(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the mean Dice of each organ that was drawn in a tuning case."""
        self.predictor.network.load_state_dict(dict(weights))
        return dice_of(self.predictor, self.cases)


def dice_of(predictor: Predictor, cases: Sequence[Prepared]) -> dict[str, float]:
    """Return a model's mean Dice of each organ that was drawn in one of some cases."""
    manifest = predictor.manifest
    found = defaultdict(list)
    for case in cases:
        said = predictor.probabilities(to_values(case.hu, manifest.preprocessing.hu_knots))
        for bit, organ in enumerate(manifest.organs):
            drawn = case.was_drawn[:, bit]
            mask = (case.labels[drawn] >> np.uint16(bit) & np.uint16(1)).astype(np.bool_)
            if mask.any():
                found[organ].append(dice(said[bit][drawn] >= 0.5, mask))
    return {organ: float(np.mean(values)) for organ, values in found.items()}
