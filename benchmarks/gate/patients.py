"""What candidates gain on the cases of the gate, as real patients spread (pure).

The spread of each patient's mean over twelve organs is .015 DSC, that of a large organ .02 and of a small one .06, as
docs/adaptation.md says: a part that a patient's organs have in common, and a part of each organ's own. Candidates of
several nights are alike: they share the cases of the gate and most of what they learnt from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from adaptation.limits import SMALL_ORGANS
from segmentation.structures import ORGANS

NAMES = tuple(organ.name for organ in ORGANS)
MEAN_SD, LARGE_SD, SMALL_SD = 0.015, 0.02, 0.06  # of the difference of two models' DSC


@dataclass(frozen=True)
class Population:
    """How candidates differ from the model in service.

    Args:
        gain: true mean DSC of every organ.
        alike: correlation of the gains of two nights on the same case and organ; 0: each night is drawn anew.
        shape: of the spread. `failing`: each model fails now and then, by as much as an exponential says, on cases of
            its own. `skewed`: only the candidate does, and makes up for it by a little on every other case.
    """

    gain: float = 0.0
    alike: float = 0.0
    shape: Literal["normal", "failing", "skewed"] = "normal"


def spreads(organs: Sequence[str] = NAMES) -> tuple[float, NDArray[np.float64]]:
    """Return the standard deviation that a patient's organs share, and that of each organ's own part."""
    of_all = np.array([SMALL_SD if name in SMALL_ORGANS else LARGE_SD for name in NAMES])
    n = len(of_all)
    # var(mean) = common + sum(of_all^2 - common) / n^2
    common = (MEAN_SD**2 - (of_all**2).sum() / n**2) / (1 - 1 / n)
    own = np.array([SMALL_SD if name in SMALL_ORGANS else LARGE_SD for name in organs])
    return float(np.sqrt(common)), np.sqrt(own**2 - common)


def gains_of(
    nights: int, cases: int, population: Population, rng: np.random.Generator, organs: Sequence[str] = NAMES
) -> NDArray[np.float64]:
    """Return gains in DSC, (nights, cases, organs)."""
    common, own = spreads(organs)

    def drawn(count: int) -> NDArray[np.float64]:
        of_patients = _unit((count, cases, 1), population, rng) * common
        return of_patients + _unit((count, cases, len(organs)), population, rng) * own

    share = population.alike
    return population.gain + np.sqrt(share) * drawn(1) + np.sqrt(1 - share) * drawn(nights)


def _unit(shape: tuple[int, ...], population: Population, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return values of mean 0 and standard deviation 1."""
    if population.shape == "normal":
        return rng.standard_normal(shape)
    losses = rng.exponential(1, shape)
    return 1 - losses if population.shape == "skewed" else (rng.exponential(1, shape) - losses) / np.sqrt(2)
