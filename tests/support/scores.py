"""Scores of two models as the gate is told them, made from the gains that a test wants."""

import math
from dataclasses import replace

import numpy as np

from adaptation.comparison import OrganComparison
from adaptation.evaluate import NOT_FOUND, Score
from adaptation.evidence import Evidence, Flags, Integrity, Pair, Shadow
from segmentation.structures import ORGANS

NAMES = tuple(organ.name for organ in ORGANS)
SOUND = Integrity((), 1.0)
SEEN = Shadow(10, 3.0, (0.8,) * 10, (0.8,) * 10, ())


def score(case, organ, dsc, hd95_mm=4.0):
    """Return the score of one organ of one case; its surface DSC is its DSC."""
    surface = dict.fromkeys((1.0, 2.0, 3.0), dsc)
    return Score(case, organ, OrganComparison(organ, (organ, organ), dsc, hd95_mm, surface, 0.0, (10.0, 10.0)))


def not_found(case, organ):
    """Return the score of an organ that was drawn and not found."""
    lost = score(case, organ, 0.0, math.nan)
    return replace(lost, comparison=replace(lost.comparison, note=NOT_FOUND))


def pair_of_gains(gains, organs=NAMES, start=0.8, prefix="case"):
    """Return the scores of both models on cases in which the candidate gains so much.

    Args:
        gains: DSC, (cases, organs).
        organs: names.
        start: DSC of the model in service.
        prefix: of the cases' names.
    """
    keys = [
        (f"{prefix} {row}", organ, gain) for row, of in enumerate(gains) for organ, gain in zip(organs, of, strict=True)
    ]
    return Pair(
        tuple(score(case, organ, start) for case, organ, _ in keys),
        tuple(score(case, organ, start + gain) for case, organ, gain in keys),
    )


def even(cases, mean, organs=NAMES):
    """Return gains that differ a little from case to case, with just this mean."""
    ramp = np.linspace(-0.002, 0.002, cases)
    return mean + np.tile(ramp[:, None], (1, len(organs)))


def evidence(gains, organs=NAMES, **changes):
    """Return what the gate is told where everything but the gains is as it should be."""
    base = pair_of_gains(even(10, 0.0, organs), organs, prefix="base")
    told = Evidence(
        alpha=0.0139,
        integrity=SOUND,
        gate=pair_of_gains(gains, organs),
        base=base,
        flags=Flags(20, 2, 2),
        shadow=SEEN,
    )
    return replace(told, **changes)
