"""What a training has been through: the loss of every step, and the Dice of the tuning cases now and then (pure)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

Dice = Mapping[str, float]
MOST_ROWS = 2000  # of a curve: more are not seen


def mean_of(dice: Dice) -> float:
    """Return the mean over the organs."""
    return float(np.mean(list(dice.values())))


@dataclass
class History:
    """A training so far; grows with it.

    Args:
        losses: of each step, the first first.
        tuning: step to Dice by organ.
    """

    losses: list[float] = field(default_factory=list)
    tuning: dict[int, Dice] = field(default_factory=dict)

    @property
    def best_step(self) -> int | None:
        """The step whose weights did best on the tuning cases, the first of equals; None where nobody looked."""
        return max(self.tuning, key=lambda step: (mean_of(self.tuning[step]), -step), default=None)

    @property
    def looks_since_best(self) -> int:
        """How many looks at the tuning cases were no better than the best before them."""
        best = self.best_step
        return sum(step > best for step in self.tuning) if best is not None else 0

    def loss_curve(self) -> Iterator[tuple[int, float]]:
        """Yield steps and the mean loss of those since the one before."""
        length = max(1, -(-len(self.losses) // MOST_ROWS))
        for start in range(0, len(self.losses), length):
            some = self.losses[start : start + length]
            yield start + len(some), float(np.mean(some))
