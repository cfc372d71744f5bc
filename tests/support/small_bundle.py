"""A bundle with a network of a few thousand weights, for tests of everything around the weights."""

from pathlib import Path

import torch

from segmentation.bundle import Manifest, Preprocessing, Provenance
from segmentation.network.checkpoint import write_bundle
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant

SMALL = Variant(
    in_channels=3,
    width=4,
    blocks=(1, 1, 1, 1),
    stem_stride=1,
    output_stride=4,
    multi_grid=(1,),
    pyramid_dilations=(1, 2),
    head="plus",
    head_channels=8,
)
ORGANS = ("Brainstem", "Parotid_L", "Parotid_R")


def small_manifest(**changes) -> Manifest:
    """Return the manifest of a small network; what is given replaces what it has."""
    about = {
        "name": "small",
        "version": "1",
        "purpose": "patient",
        "organs": ORGANS,
        "variant": SMALL,
        "preprocessing": Preprocessing(pixel_mm=4.0, slice_mm=3.0),
        "provenance": Provenance(data="none", licence="none", command="none", seed=0, steps=0, cases=0, minutes=0.0),
    }
    return Manifest(**(about | changes))


def write_small_bundle(folder: Path, **changes) -> Manifest:
    """Write a bundle with random weights of a fixed seed."""
    manifest = small_manifest(**changes)
    torch.manual_seed(0)
    return write_bundle(folder, manifest, Segmenter(manifest.variant, len(manifest.organs)).state_dict())
