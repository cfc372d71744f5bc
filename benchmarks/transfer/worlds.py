"""The two centres of each world: their cases, parted by a fixed seed, and the network and grid for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from adaptation.labelled_ct import Case, LabelledCt
from adaptation.openkbp import list_patients
from adaptation.recipes import ALL_POSTPROCESSING, DEMO, LARGE, STARTER, Recipe
from adaptation.training import Training
from benchmarks.transfer.cells import NOTHING, Cell, World
from benchmarks.transfer.protocols import OTHER_PROTOCOL, redrawn
from segmentation.bundle import shipped_bundle
from segmentation.network.places import places_after
from segmentation.phantom import build_phantom
from segmentation.structures import ORGANS

SPLIT_SEED = 2023
SOURCE_LEARN = 80  # patients; the other 13 of the source show what its model does at home
TARGET_LEARN = 40  # patients, and 17 to judge
PHANTOM_LEARN, PHANTOM_TEST = 10, 10
PHANTOM_SEEDS = range(3000, 3000 + PHANTOM_LEARN + PHANTOM_TEST)  # the bundle `demo` has learnt from 1000 to 1059
ROWS, PIXEL_MM, SLICE_MM = 400, 1.25, 3.0  # of the second centre's phantoms; the first has 1 mm pixels
FROM_NOTHING = Training(steps=2000, learning_rate=2e-3, trained=frozenset(), seed=1, checkpoint_every=50)
TRANSFERRED = replace(
    FROM_NOTHING,
    steps=600,
    learning_rate=1e-3,
    warm_up=50,
    weight_decay=0.0,
    towards_start=1.0,
    average=0.99,
    frozen_statistics=True,
)


@dataclass(frozen=True)
class Centres:
    """Cases of two centres, each in one part.

    Args:
        source: to learn from at the source.
        at_home: of the source, never learnt from.
        target: to learn from at the target, in the order in which they are taken.
        test: of the target, never learnt from.
        bundle: the source model, where it is there already.
    """

    source: tuple[Case, ...]
    at_home: tuple[Case, ...]
    target: tuple[Case, ...]
    test: tuple[Case, ...]
    bundle: Path | None = None


def centres_of(world: World, data: Path) -> Centres:
    """Return the centres of a world.

    Raises:
        CaseError: where the real patients are not in the folder.
    """
    if world == "phantom":
        cases = [other_phantom(seed) for seed in PHANTOM_SEEDS]
        return Centres((), (), tuple(cases[:PHANTOM_LEARN]), tuple(cases[PHANTOM_LEARN:]), shipped_bundle("demo"))
    source, at_home = parted(list_patients(data, ("source",)), SOURCE_LEARN)
    target, test = parted(list_patients(data, ("target",)), TARGET_LEARN)
    return Centres(source, at_home, target, test)


def parted(cases: Sequence[Case], learn: int) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Return cases in a fixed random order: those to learn from, and the rest."""
    order = [cases[index] for index in np.random.default_rng(SPLIT_SEED).permutation(len(cases))]
    return tuple(order[:learn]), tuple(order[learn:])


def other_phantom(seed: int) -> Case:
    """Return a phantom of the second centre: other pixels, and contoured by the other protocol."""
    return Case(f"phantom-{seed}", "target", partial(_build, seed), tuple(organ.name for organ in ORGANS))


def _build(seed: int) -> LabelledCt:
    phantom = build_phantom(seed, rows=ROWS, columns=ROWS, pixel_mm=PIXEL_MM, slice_mm=SLICE_MM)
    masks = {
        organ: redrawn(mask, OTHER_PROTOCOL[organ], SLICE_MM, PIXEL_MM)
        for organ, mask in phantom.masks.items()
        if mask.any()
    }
    return LabelledCt(phantom.volume, masks)


def recipe_of(cell: Cell) -> Recipe:
    """Return how a cell's network is made and trained."""
    base = STARTER if cell.world == "real" else DEMO
    variant = base.variant
    if cell.network == "paper":
        variant = variant.model_copy(update={"head": "paper"})
    training = replace(
        TRANSFERRED if cell.model == "ST" else FROM_NOTHING,
        trained=places_after(variant, cell.frozen if cell.model == "ST" else NOTHING),
        foreground=base.training.foreground,
        blend=cell.blend,
    )
    return replace(
        base,
        name=f"transfer-{cell.model.lower()}",
        variant=variant,
        training=training,
        postprocessing={organ: ALL_POSTPROCESSING[organ] for organ in (base.organs if base is DEMO else LARGE)},
    )
