"""How much a contour teaches by where it comes from: drawn, edited, or left as the model drew it (pure).

A contour that a physician left untouched says little: it may be right, or nobody looked. A model that learns from its
own contours learns to repeat itself, so such a contour counts a quarter, and all of them together no more than a
quarter of what a batch has.
"""

import numpy as np
from torch import Tensor


def bounded(was_drawn: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Return what counts in a batch, with the surplus of untouched contours masked.

    Args:
        was_drawn: (B, organs), 1 for what was drawn or edited, between 0 and 1 for what was left untouched.
        share: most of the contours that count that may be untouched, below 1.
        rng: chooses which are masked.
    """
    untouched = ((was_drawn > 0) & (was_drawn < 1)).flatten().nonzero().flatten()
    drawn = int((was_drawn >= 1).sum())
    surplus = len(untouched) - int(drawn * share / (1 - share))
    if surplus <= 0:
        return was_drawn
    kept = was_drawn.clone()
    kept.view(-1)[untouched[rng.permutation(len(untouched))[:surplus]]] = 0
    return kept
