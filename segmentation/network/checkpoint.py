"""Weights on disk and in the network: tensors only, every one checked; nothing is unpickled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # only the name of what torch raises

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from segmentation.bundle import MANIFEST, WEIGHTS, Manifest, sha256_of, verify_bundle
from segmentation.errors import BundleError
from segmentation.network.segmenter import Segmenter

READABLE = 0o644  # safetensors writes for the owner alone; the service runs as another user
STAGES = {"conv1.": "conv1.conv.", "bn1.": "conv1.bn."} | {f"layer{n}.": f"conv{n + 1}." for n in range(1, 5)}
"""How torchvision names the parts of a ResNet, and how we do; within a bottleneck the names are the same."""


def load_segmenter(folder: Path, device: torch.device) -> Segmenter:
    """Return the network of a bundle with its weights, ready to predict.

    Args:
        folder: the bundle; its digests are verified.
        device: where to put the network.

    Raises:
        BundleError: where the bundle does not verify, or its weights do not fit the network of its manifest.
    """
    manifest = verify_bundle(folder)
    try:
        tensors = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise BundleError(f"{WEIGHTS} of the bundle {folder.name} cannot be read: {error}") from error
    network = empty_segmenter(manifest)
    check_tensors(network.state_dict(), tensors, folder.name)
    full = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    network.load_state_dict(full, assign=True)
    network.eval().requires_grad_(False)  # torch's own signature
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network.to(device)


def empty_segmenter(manifest: Manifest) -> Segmenter:
    """Return the network of a manifest without weights: on `meta` it needs no memory and draws no random numbers."""
    with torch.device("meta"):
        return Segmenter(manifest.variant, len(manifest.organs), manifest.routes)


def check_tensors(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], bundle: str) -> None:
    """Refuse weights with other names, shapes or kinds of numbers than the network's, or that are not finite.

    Raises:
        BundleError: naming the first tensors that do not fit.
    """
    missing, surplus = sorted(set(wanted) - set(tensors)), sorted(set(tensors) - set(wanted))
    if missing or surplus:
        raise BundleError(
            f"the weights of the bundle {bundle} do not fit its network: "
            f"{len(missing)} missing {missing[:3]}, {len(surplus)} that it has no place for {surplus[:3]}"
        )
    for name, value in tensors.items():
        if value.shape != wanted[name].shape or value.is_floating_point() != wanted[name].is_floating_point():
            raise BundleError(
                f"{name} of the bundle {bundle} is {value.dtype} of {tuple(value.shape)}, "
                f"the network needs {wanted[name].dtype} of {tuple(wanted[name].shape)}"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise BundleError(f"{name} of the bundle {bundle} holds what is no number")


def write_bundle(folder: Path, manifest: Manifest, weights: Mapping[str, Tensor]) -> Manifest:
    """Write weights, as 16-bit floats, and the manifest with their digest; return it.

    Raises:
        BundleError: where a weight does not fit into 16 bits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    short = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in weights.items()
    }
    check_tensors(empty_segmenter(manifest).state_dict(), short, folder.name)
    save_file(short, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(READABLE)
    complete = manifest.model_copy(update={"sha256": {WEIGHTS: sha256_of(folder / WEIGHTS)}})
    (folder / MANIFEST).write_text(complete.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return complete


@dataclass(frozen=True)
class Transferred:
    """What became of the weights of another network.

    Args:
        loaded: names of our tensors that have its weights now.
        missing: names of our trunk's tensors for which it had none.
        unused: names of its tensors that we have no place for, as its classifier's.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def load_torchvision_trunk(network: Segmenter, path: Path) -> Transferred:
    """Put torchvision's ResNet weights into Conv1 to Conv5, and say what fitted.

    Args:
        network: with stem and stages of the same width and depth; the stem must have three channels to take its
            weights, or the mean over colours is repeated for each of ours.
        path: `.safetensors`, or `.pth` as torchvision gives it, of which only tensors are read.

    Raises:
        BundleError: where the file cannot be read or a tensor has another shape than ours.
    """
    theirs = read_tensors(path)
    own = network.trunk.state_dict()
    renamed = {our_name(name): value for name, value in theirs.items()}
    stem = "conv1.conv.weight"
    if stem in renamed and renamed[stem].shape[1] != own[stem].shape[1]:
        colours, ours = renamed[stem].shape[1], own[stem].shape[1]
        renamed[stem] = renamed[stem].mean(1, keepdim=True).repeat(1, ours, 1, 1) * (colours / ours)
    fitting = {name: value for name, value in renamed.items() if name in own}
    for name, value in fitting.items():
        if value.shape != own[name].shape:
            raise BundleError(f"{path.name}: {name} is {tuple(value.shape)}, ours is {tuple(own[name].shape)}")
    network.trunk.load_state_dict(fitting, strict=False)
    return Transferred(
        loaded=tuple(sorted(fitting)),
        missing=tuple(sorted(name for name in own if name not in fitting)),
        unused=tuple(sorted(set(renamed) - set(fitting))),
    )


def our_name(theirs: str) -> str:
    """Return our name of a tensor of torchvision's ResNet; a name that we do not know stays."""
    for prefix, ours in STAGES.items():
        if theirs.startswith(prefix):
            return ours + theirs.removeprefix(prefix)
    return theirs


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file.

    Raises:
        BundleError: where it is neither safetensors nor a file of nothing but tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (SafetensorError, UnpicklingError, OSError, RuntimeError, ValueError) as error:
        raise BundleError(f"{path.name} is no file of tensors: {error}") from error
