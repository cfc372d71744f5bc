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

    Patients are parted, not cases: of a patient with several, no case is learnt from while another is kept apart.

    Args:
        cases: with unique names.
        unseen: share of each group that is never learnt from, rounded up.
        tune: share of each group for choices, rounded up.
        seed: of the choice.
    """
    parts: dict[str, list[Case]] = {"unseen": [], "tune": [], "learn": []}
    for group in sorted({case.group for case in cases}):
        members = sorted((case for case in cases if case.group == group), key=lambda case: case.name)
        patients = list(dict.fromkeys(case.patient or case.name for case in members))
        order = np.random.default_rng(seed).permutation(len(patients))
        first, second = int(np.ceil(unseen * len(patients))), int(np.ceil(tune * len(patients)))
        for place, index in enumerate(order):
            part = "unseen" if place < first else "tune" if place < first + second else "learn"
            parts[part] += [case for case in members if (case.patient or case.name) == patients[index]]
    return Split(tuple(parts["learn"]), tuple(parts["tune"]), tuple(parts["unseen"]))
