"""The weights that a network begins with: at random, those of photographs, or those of a bundle, organ by organ."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from segmentation.bundle import MANIFEST, WEIGHTS, verify_bundle
from segmentation.errors import BundleError
from segmentation.network.checkpoint import check_tensors, empty_segmenter, load_torchvision_trunk, read_tensors
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant

ORGAN_CHANNELS = {"paper": "head.pyramid.branches.", "plus": "head.classify."}
"""Which tensors have a row an organ, by head."""


def is_bundle(path: Path) -> bool:
    """Whether a path is a bundle's folder and not a file of weights."""
    return (path / MANIFEST).is_file()


def new_segmenter(variant: Variant, organs: Sequence[str], seed: int, base: Path | None = None) -> Segmenter:
    """Return a network to train.

    Args:
        variant: of the network; a bundle's own where it begins with one.
        organs: in the order of its channels.
        seed: of the weights that begin at random.
        base: a bundle, or a file with torchvision's weights of a ResNet of the same depth.

    Raises:
        BundleError: where the base cannot be read, does not fit, or does not know an organ.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Segmenter(variant, len(organs))
    if base is None:
        return network
    if is_bundle(base):
        network.load_state_dict(weights_for(base, organs))
        return network
    transferred = load_torchvision_trunk(network, base)
    if missing := [name for name in transferred.missing if not name.endswith("num_batches_tracked")]:
        raise BundleError(
            f"{base.name} is of another network: it has not {len(missing)} of the trunk's tensors, as {missing[0]}"
        )
    return network


def weights_for(bundle: Path, organs: Sequence[str]) -> dict[str, Tensor]:
    """Return a bundle's weights with the channels of some of its organs, in their order.

    Raises:
        BundleError: where it does not verify, does not know an organ, or has further tails.
    """
    manifest = verify_bundle(bundle)
    if unknown := [organ for organ in organs if organ not in manifest.organs]:
        raise BundleError(f"the bundle {manifest.name} does not know {', '.join(unknown)}")
    if manifest.tails:
        raise BundleError(f"the bundle {manifest.name} {manifest.version} is of several models: begin with its base")
    tensors = read_tensors(bundle / WEIGHTS)
    check_tensors(empty_segmenter(manifest).state_dict(), tensors, manifest.name)
    rows = torch.tensor([manifest.organs.index(organ) for organ in organs])
    of_organs = ORGAN_CHANNELS[manifest.variant.head]
    return {
        name: value[rows].float()
        if name.startswith(of_organs)
        else value.float()
        if value.is_floating_point()
        else value
        for name, value in tensors.items()
    }
