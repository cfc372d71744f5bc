"""How long a step takes, each way, one after the other in the same minutes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from adaptation.features import CacheSettings
from adaptation.recipes import Recipe
from adaptation.samples import Prepared
from adaptation.train import train
from benchmarks.adaptation.ways import WAYS, Lessons, Way, lessons_of, work_of
from segmentation.network.beginning import new_segmenter
from segmentation.network.segmenter import Segmenter


@dataclass(frozen=True)
class Timing:
    """Seconds of a step.

    Args:
        way: of learning.
        seconds: of each step, but of the first ones.
        share: of the median step that trains all places.
        ideal: share of the arithmetic.
    """

    way: Way
    seconds: tuple[float, ...]
    share: float
    ideal: float

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return float(np.median(self.seconds))


def time_steps(recipe: Recipe, cases: Sequence[Prepared], cache: Path, *, rounds: int, steps: int) -> list[Timing]:
    """Return the timings; the ways take turns, so that what else the machine does falls on all alike.

    Args:
        recipe: with the network and the samples.
        cases: to learn from.
        cache: folder for features.
        rounds: turns of each way.
        steps: of a turn; one more is taken before and not counted.
    """
    settings = CacheSettings(views=1, samples=max(16, getattr(recipe.variation, "slices", 1)))
    network = new_segmenter(recipe.variant, recipe.organs, recipe.training.seed)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    ways = {way: lessons_of(way, recipe, network, cases, cache=cache, settings=settings) for way in WAYS}
    seconds: dict[Way, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way, lessons in ways.items():
            seconds[way] += _turn(network, lessons, steps + 1)[1:]
        print(
            f"turn {number + 1} of {rounds}: " + ", ".join(f"{way} {np.median(s):.3f} s" for way, s in seconds.items())
        )
    work = work_of(recipe, recipe.variation.crop)
    whole = float(np.median(seconds["all places"]))
    return [Timing(way, tuple(s), float(np.median(s)) / whole, work.ideal(way)) for way, s in seconds.items()]


def _turn(network: Segmenter, lessons: Lessons, steps: int) -> list[float]:
    """Return the seconds of each step: the batch, forward, backward, the optimiser, the average."""
    marks = [perf_counter()]
    train(
        network,
        lessons.batch_of,
        lessons.recipe.preprocessing,
        replace(lessons.recipe.training, steps=steps, patience=0),
        through=lessons.through,
        report=lambda _state: marks.append(perf_counter()),
    )
    return [after - before for before, after in pairwise(marks)]
