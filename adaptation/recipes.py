"""The recipes of the two bundles that come with the project: data, network, training, as numbers (pure)."""

from dataclasses import dataclass, field
from typing import Literal

from adaptation.samples import Variation
from adaptation.training import Training
from adaptation.whole_slices import WholeSlices
from segmentation.bundle import PostProcessing, Preprocessing
from segmentation.network.places import places
from segmentation.network.variant import Variant
from segmentation.structures import ORGANS


@dataclass(frozen=True)
class Recipe:
    """How a bundle is made.

    Args:
        name: of the bundle.
        version: of its weights.
        purpose: of the bundle.
        organs: in the order of the channels.
        variant: the network.
        preprocessing: of the CT.
        variation: of the samples.
        training: of the weights.
        unseen_share: of the cases of each group, kept for the figures in the manifest.
        tuning_share: of the cases of each group, kept for choices such as thresholds.
        split_seed: which cases these are.
        data: in words, for the manifest.
        licence: of the data.
        citation: of the data.
        postprocessing: by organ.
    """

    name: str
    version: str
    purpose: Literal["phantom", "patient"]
    organs: tuple[str, ...]
    variant: Variant
    preprocessing: Preprocessing
    variation: Variation | WholeSlices
    training: Training
    unseen_share: float
    tuning_share: float
    split_seed: int
    data: str
    licence: str
    citation: str
    postprocessing: dict[str, PostProcessing] = field(default_factory=dict)


# Half of the smallest of a population, so that what is left of a fragment is not taken for an organ.
LARGE = {"Brainstem": 1.0, "SpinalCord": 2.0, "Bone_Mandible": 10.0, "Parotid_L": 2.5, "Parotid_R": 2.5}
# A lens is three slices high, a nerve two: smoothing along the slices would take them away.
FINE = {"Pituitary": 0.05, "Lens_L": 0.02, "Lens_R": 0.02, "OpticNrv_L": 0.1, "OpticNrv_R": 0.1}
LOBES = {"Lobe_Temporal_L": 15.0, "Lobe_Temporal_R": 15.0}
PARTS = {"Bone_Mandible": 0.08, "SpinalCord": 0.08}  # what a streak of metal, or a slice that is unclear, may cut
ALL_POSTPROCESSING = {
    **{
        organ: PostProcessing(min_cm3=cm3, part_share=PARTS.get(organ, 1.0))
        for organ, cm3 in {**LARGE, **LOBES}.items()
    },
    **{organ: PostProcessing(min_cm3=cm3, smoothing_slices=0.0) for organ, cm3 in FINE.items()},
}

STARTER_GROUPS = ("source", "other")
# A 4 mm grid has no room for a stem of stride 4: full resolution in Conv1 and Conv2, a quarter of it in Conv5. Blocks
# of half the depth of ResNet-50 leave time for more steps; Conv5 keeps the three of the paper, so that the places of
# re-training are the paper's.
STARTER_VARIANT = Variant(
    in_channels=7,
    width=16,
    blocks=(1, 2, 4, 3),
    stem_stride=1,
    output_stride=4,
    pyramid_dilations=(1, 3, 6),
    head="plus",
    head_channels=48,
)
STARTER = Recipe(
    name="starter",
    version="2",
    purpose="patient",
    organs=("Brainstem", "SpinalCord", "Bone_Mandible", "Parotid_L", "Parotid_R"),
    variant=STARTER_VARIANT,
    preprocessing=Preprocessing(pixel_mm=3.90625, slice_mm=2.5, context=(-4, -2, -1, 0, 1, 2, 4)),
    variation=Variation(crop=64, slices=12),
    training=Training(
        steps=5000,
        learning_rate=2e-3,
        trained=frozenset(places(STARTER_VARIANT)),
        seed=20260,
        checkpoint_every=100,
        tune_every=500,
    ),
    unseen_share=0.16,
    tuning_share=0.05,
    split_seed=11,
    data="OpenKBP, the groups `source` and `other`: planning CT and physician contours of head-and-neck patients",
    licence="MIT",
    citation=(
        "Babier et al., OpenKBP: The open-access knowledge-based planning grand challenge and dataset, "
        "Med Phys 48:5549 (2021)"
    ),
    postprocessing={organ: ALL_POSTPROCESSING[organ] for organ in LARGE},
)

# Lenses and optic nerves need a finer grid than the arrays of OpenKBP have; a phantom needs a shallower network.
DEMO_VARIANT = Variant(
    in_channels=5,
    width=16,
    blocks=(1, 2, 3, 2),
    stem_stride=1,
    output_stride=8,
    multi_grid=(1, 1),
    pyramid_dilations=(1, 2, 4),
    head="plus",
    head_channels=32,
)
DEMO = Recipe(
    name="demo",
    version="1",
    purpose="phantom",
    organs=tuple(organ.name for organ in ORGANS),
    variant=DEMO_VARIANT,
    preprocessing=Preprocessing(pixel_mm=1.5, slice_mm=3.0, context=(-2, -1, 0, 1, 2)),
    variation=Variation(crop=80, slices=8, organ_share=0.8),
    training=Training(
        steps=2500,
        learning_rate=2e-3,
        trained=frozenset(places(DEMO_VARIANT)),
        seed=20261,
        foreground=0.05,
        checkpoint_every=100,
    ),
    unseen_share=0.15,
    tuning_share=0.05,
    split_seed=7,
    data="the project's own parametric phantoms, no patient's data",
    licence="Apache-2.0",
    citation="",
    postprocessing=ALL_POSTPROCESSING,
)
DEMO_SEEDS = range(1000, 1060)
