"""How long a step takes, each way, one after the other in the same minutes.

Shares are of processor seconds: on a machine that does something else too, a clock on the wall measures that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time

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
        seconds: on the wall, of each step but the first of a turn.
        processor_s: of all threads, likewise.
        share: of the median step that trains all places, in processor seconds.
        ideal: share of the arithmetic.
    """

    way: Way
    seconds: tuple[float, ...]
    processor_s: tuple[float, ...]
    share: float
    ideal: float

    @property
    def median(self) -> float:
        """The median on the wall."""
        return float(np.median(self.seconds))

    @property
    def processor_median(self) -> float:
        """The median of processor seconds."""
        return float(np.median(self.processor_s))


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
    seconds: dict[Way, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way, lessons in ways.items():
            seconds[way] += _turn(network, lessons, steps + 1)[1:]
        middle = {way: np.median([each[1] for each in some]) for way, some in seconds.items()}
        print(
            f"turn {number + 1} of {rounds}: " + ", ".join(f"{way} {s:.3f} s" for way, s in middle.items()), flush=True
        )
    work = work_of(recipe, recipe.variation.crop)
    whole = float(np.median([each[1] for each in seconds["all places"]]))
    timings = []
    for way, some in seconds.items():
        wall, processor = zip(*some, strict=True)
        timings.append(Timing(way, wall, processor, float(np.median(processor)) / whole, work.ideal(way)))
    return timings


def _turn(network: Segmenter, lessons: Lessons, steps: int) -> list[tuple[float, float]]:
    """Return wall and processor seconds of each step: the batch, forward, backward, the optimiser, the average."""
    marks = [(perf_counter(), process_time())]
    train(
        network,
        lessons.batch_of,
        lessons.recipe.preprocessing,
        replace(lessons.recipe.training, steps=steps, patience=0),
        through=lessons.through,
        report=lambda _state: marks.append((perf_counter(), process_time())),
    )
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(marks)]
