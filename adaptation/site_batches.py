"""Batches of slices of the site's cases and the source's, joined, with what was left untouched bounded (pure)."""

from collections.abc import Sequence

import numpy as np
import torch

from adaptation.limits import UNTOUCHED_SHARE
from adaptation.losses import Drawn
from adaptation.origins import bounded
from adaptation.samples import Batch


def mixed(parts: Sequence[Batch], seed: int, number: int) -> Batch:
    """Return one batch of several; the same for the same seed and number.

    Args:
        parts: with organs and samples alike.
        seed: of the training.
        number: of the batch.
    """
    rng = np.random.default_rng((seed, number))
    counts = torch.cat([part.drawn.was_drawn for part in parts])
    drawn = Drawn(torch.cat([part.drawn.masks for part in parts]), bounded(counts, UNTOUCHED_SHARE, rng))
    return Batch(torch.cat([part.slices for part in parts]), drawn)
