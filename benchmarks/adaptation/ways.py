"""The three ways to adapt a network: all of it, its last places on slices, its last places on kept features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from adaptation.feature_batches import FeatureSampler, View
from adaptation.features import CacheSettings, FeatureMaker, Source
from adaptation.lesson import Lesson
from adaptation.recipes import Recipe
from adaptation.samples import Prepared, Sampler, Variation
from segmentation.network.cut import Locked, Rest, locked_places
from segmentation.network.places import places, places_after
from segmentation.network.segmenter import Segmenter

Way = Literal["all places", "locked trunk", "kept features"]
WAYS: tuple[Way, ...] = ("all places", "locked trunk", "kept features")


@dataclass(frozen=True, eq=False)
class Lessons:
    """How one way learns.

    Args:
        recipe: with the places that the way trains.
        batch_of: the batch of a step.
        through: what makes logits of its inputs; None for the network.
    """

    recipe: Recipe
    batch_of: Callable[[int], Lesson]
    through: nn.Module | None = None


def lessons_of(
    way: Way,
    recipe: Recipe,
    network: Segmenter,
    cases: Sequence[Prepared],
    *,
    cache: Path,
    settings: CacheSettings,
    frozen: str = "conv4",
) -> Lessons:
    """Return how a way learns from cases; kept features are made where they are missing."""
    variant = recipe.variant
    trained = frozenset(places(variant)) if way == "all places" else places_after(variant, frozen)
    recipe = replace(recipe, training=replace(recipe.training, trained=trained))
    seed = recipe.training.seed
    if not isinstance(recipe.variation, Variation):
        raise TypeError("samples around organs are needed")
    if way != "kept features":
        drawing = Sampler(cases, recipe.organs, recipe.preprocessing.context, recipe.variation)
        return Lessons(recipe, lambda step: drawing.batch(seed, step))
    maker = FeatureMaker(cache, network, recipe, settings)
    sources = [Source(f"case{number}", str(number), lambda case=case: case) for number, case in enumerate(cases)]
    views = [[View(path) for path in maker.make(source, range(settings.views))] for source in sources]
    sampler = FeatureSampler(views, recipe.variation.slices)
    rest = Rest(network, locked_places(variant, trained))
    return Lessons(recipe, lambda step: sampler.batch(seed, step), rest)


@dataclass(frozen=True)
class Work:
    """Multiplications of one sample on its way through the network.

    Args:
        locked: of the part that is not trained.
        rest: of the part that is.
    """

    locked: int
    rest: int

    def ideal(self, way: Way) -> float:
        """Return the share of a whole step's arithmetic: forward counts once and backward twice (weights, inputs)."""
        whole = 3 * (self.locked + self.rest)
        needed = {
            "all places": whole,
            "locked trunk": self.locked + 3 * self.rest,
            "kept features": 3 * self.rest,
        }
        return needed[way] / whole


@torch.no_grad()
def work_of(recipe: Recipe, pixels: int, frozen: str = "conv4") -> Work:
    """Return the multiplications of the convolutions for a square sample."""
    network = Segmenter(recipe.variant, len(recipe.organs)).eval()
    locked = locked_places(recipe.variant, places_after(recipe.variant, frozen))
    first, second = Locked(network, locked), Rest(network, locked)
    found = [0, 0]
    for index, part in enumerate((first, second)):
        for module in part.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(_counting(found, index))
    deep, fine = first(torch.zeros(1, recipe.variant.in_channels, pixels, pixels))
    second(deep, fine, (pixels, pixels))
    return Work(*found)


def _counting(found: list[int], index: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight = module.get_parameter("weight")
        found[index] += output.shape[-1] * output.shape[-2] * weight.numel()

    return count
