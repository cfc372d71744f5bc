"""Which cases are learnt from, which choose between settings, and which are never seen (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adaptation.labelled_ct import Case


@dataclass(frozen=True)
class Split:
    """The cases of a training, each in one part."""

    learn: tuple[Case, ...]
    tune: tuple[Case, ...]
    unseen: tuple[Case, ...]


def split(cases: Sequence[Case], *, unseen: float, tune: float, seed: int) -> Split:
    """Return the cases parted at random, each group by itself, the same for the same names and seed.

    Args:
        cases: with unique names.
        unseen: share of each group that is never learnt from, rounded up.
        tune: share of each group for choices, rounded up.
        seed: of the choice.
    """
    parts: dict[str, list[Case]] = {"unseen": [], "tune": [], "learn": []}
    for group in sorted({case.group for case in cases}):
        members = sorted((case for case in cases if case.group == group), key=lambda case: case.name)
        order = np.random.default_rng(seed).permutation(len(members))
        first, second = int(np.ceil(unseen * len(members))), int(np.ceil(tune * len(members)))
        for place, index in enumerate(order):
            part = "unseen" if place < first else "tune" if place < first + second else "learn"
            parts[part].append(members[index])
    return Split(tuple(parts["learn"]), tuple(parts["tune"]), tuple(parts["unseen"]))
