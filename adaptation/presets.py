"""The two ways to train that a site may choose: as the paper did, and as we think better; as recipes (pure).

`paper` is section 2.3 of Chen et al., Frontiers in Physics 11:1147900 (2023). `site` follows what did best elsewhere:
Dice and cross-entropy (Ma 2021), samples around organs (Isensee 2021), a moving average of the weights, and in
adaptation a pull to the weights that it began with (Li 2018). `docs/training.md` has both as a table.
"""

from dataclasses import dataclass, replace
from typing import Literal

from adaptation.recipes import ALL_POSTPROCESSING, STARTER_VARIANT, Recipe
from adaptation.samples import Variation
from adaptation.training import Training
from adaptation.whole_slices import WholeSlices
from segmentation.bundle import Manifest, Preprocessing
from segmentation.network.places import NOTHING_FROZEN, places_after
from segmentation.network.variant import Variant

Preset = Literal["paper", "site"]
NetworkSize = Literal["full", "small"]

FINEST_PIXEL_MM = 1.0  # of the network's grid: planning CT has .96 to 1.27 mm, and a quarter more pixels cost a quarter
SEEN_MM = 250.0  # side of a sample of the preset `site`: most of a head
CELL = 8  # pixels; samples are a whole number of the features' cells
SMALL_ORGAN_WEIGHT = 0.05  # as in the recipe of the demo, which knows lenses and nerves
FULL_WIDTH = 64  # of the network for which the learning rates are


@dataclass(frozen=True)
class Wish:
    """What somebody asks for.

    Args:
        name: of the bundle.
        version: of its weights.
        preset: how to train.
        organs: in the order of the channels.
        voxel_mm: the cases', slice, row, column.
        network: the published size, or that of the starter; a base has its own.
        frozen: up to where, as in `places_after`; None for what the preset does: nothing without a base, else conv4.
        steps: None for the preset's.
        seed: of weights, samples and split.
        unseen_share: of the cases, kept for the figures in the manifest.
        tuning_share: of the cases, kept to choose the best weights.
        batch: slices in a batch; None for the preset's.
    """

    name: str
    preset: Preset
    organs: tuple[str, ...]
    voxel_mm: tuple[float, float, float]
    version: str = "1"
    network: NetworkSize = "full"
    frozen: str | None = None
    steps: int | None = None
    seed: int = 1
    unseen_share: float = 0.2
    tuning_share: float = 0.1
    batch: int | None = None


def recipe_of(wish: Wish, base: Manifest | None = None, *, pretrained: bool = False) -> Recipe:
    """Return the recipe of a wish.

    Args:
        wish: what is asked for.
        base: of the bundle that is adapted: its network, grid and post-processing stay.
        pretrained: whether the trunk begins with weights of photographs.

    Raises:
        ValueError: where the network has no such place to freeze up to.
    """
    variant, preprocessing = (base.variant, base.preprocessing) if base else _network(wish)
    post = {organ: ALL_POSTPROCESSING[organ] for organ in wish.organs}
    if base:
        post = {organ: settings for organ, settings in base.postprocessing.items() if organ in wish.organs}
    training = _paper(base is not None or pretrained) if wish.preset == "paper" else _site(base, variant, pretrained)
    frozen = wish.frozen or ("conv4" if base else NOTHING_FROZEN)
    training = replace(
        training, trained=places_after(variant, frozen), seed=wish.seed, steps=wish.steps or training.steps
    )
    return Recipe(
        name=wish.name,
        version=wish.version,
        purpose=base.purpose if base else "patient",
        organs=wish.organs,
        variant=variant,
        preprocessing=preprocessing,
        variation=_variation(wish, preprocessing.pixel_mm, variant),
        training=training,
        unseen_share=wish.unseen_share,
        tuning_share=wish.tuning_share,
        split_seed=wish.seed,
        data="CT and contours of the site that trained it",
        licence="of the site that trained it",
        citation="",
        postprocessing=post,
    )


def _network(wish: Wish) -> tuple[Variant, Preprocessing]:
    """Return the network, and a grid that the cases have something to fill."""
    slice_mm, row_mm, column_mm = wish.voxel_mm
    pixel_mm = max(FINEST_PIXEL_MM, round((row_mm + column_mm) / 2, 3))
    if wish.network == "small":
        return STARTER_VARIANT, Preprocessing(
            pixel_mm=pixel_mm, slice_mm=round(slice_mm, 3), context=(-4, -2, -1, 0, 1, 2, 4)
        )
    head: Literal["paper", "plus"] = "paper" if wish.preset == "paper" else "plus"
    return Variant(head=head), Preprocessing(pixel_mm=pixel_mm, slice_mm=round(slice_mm, 3))


def _paper(has_statistics: bool) -> Training:
    """Return section 2.3; batch norm's statistics are kept where there are any, for a batch is one slice."""
    return Training(
        steps=200_000,
        learning_rate=2.5e-4,
        trained=frozenset(),
        seed=0,
        optimiser="sgd",
        momentum=0.9,
        weight_decay=5e-4,
        schedule="poly",
        power=0.9,
        warm_up=0,
        loss="cross-entropy",
        precision="float32",
        average=0.0,
        max_grad_norm=float("inf"),
        spike=10.0,
        spike_steps=100,
        frozen_statistics=has_statistics,
        checkpoint_every=1000,
        tune_every=10_000,
    )


def _site(base: Manifest | None, variant: Variant, pretrained: bool) -> Training:
    """Return the better recipe: from nothing, from photographs, or from a bundle."""
    narrow = FULL_WIDTH / variant.width  # a narrow network takes longer steps: the starter's rate is its own
    common = Training(
        steps=30_000,
        learning_rate=5e-4 * narrow,
        trained=frozenset(),
        seed=0,
        warm_up=200,
        foreground=SMALL_ORGAN_WEIGHT,
        average=0.999,
        tune_every=500,
        patience=12,
    )
    if base:
        return replace(
            common,
            steps=4000,
            learning_rate=3e-5 * narrow,
            head_factor=10 / 3,
            weight_decay=0.0,
            towards_start=1.0,
            frozen_statistics=True,
            tune_every=200,
            patience=6,
        )
    return replace(common, learning_rate=1e-4, head_factor=5.0) if pretrained else common


def _variation(wish: Wish, pixel_mm: float, variant: Variant) -> Variation | WholeSlices:
    if wish.preset == "paper":
        return WholeSlices(slices=wish.batch or 1)
    crop = CELL * max(4, round(SEEN_MM / pixel_mm / CELL))
    return Variation(crop=crop, slices=wish.batch or (8 if variant.width == FULL_WIDTH else 12))
