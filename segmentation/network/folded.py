"""The network as it predicts: normalisations folded into convolutions, in numbers that the machine is quick in.

A network that is trained, or whose weights are looked at, stays as it is; what is folded is a copy.
"""

from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.nn.utils.fusion import fuse_conv_bn_eval

from segmentation.network.air import with_air_around
from segmentation.network.segmenter import Segmenter


def ready(network: Segmenter) -> Segmenter:
    """Return a copy of a network that predicts as fast as its device can, with air around what it is given.

    It cannot be trained or saved.
    """
    copy = with_air_around(folded(network))
    device = next(network.parameters()).device
    return copy.to(dtype=numbers_of(device), memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def folded(network: Segmenter) -> Segmenter:
    """Return a copy of a network without the batch normalisations that follow a convolution.

    In evaluation these are a factor and an offset a channel, which the convolution can have in its own weights. That
    of the pyramid follows a sum of convolutions and stays.
    """
    copy = deepcopy(network).eval()
    for module in list(copy.modules()):
        parts = dict(module.named_children())
        for name, part in parts.items():
            behind = name_behind(module, name)
            normalisation = parts.get(behind)
            if isinstance(part, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                module.add_module(
                    name, fuse_conv_bn_eval(part, normalisation)
                )  # takes the place of what bears the name
                module.add_module(behind, nn.Identity())
    convert_conv2d_weight_memory_format(copy, torch.channels_last)
    return copy.requires_grad_(False)  # torch's own signature


def name_behind(module: nn.Module, convolution: str) -> str:
    """Return the name that the normalisation behind a convolution bears in our networks."""
    if isinstance(module, nn.Sequential):  # the projection of a shortcut
        return "1"
    return convolution.replace("conv", "bn") if convolution.startswith("conv") else f"{convolution}_bn"


def numbers_of(device: torch.device) -> torch.dtype:
    """Return the kind of numbers that the weights are kept in: bfloat16 where a processor has it, else float32.

    A processor that only emulates bfloat16 would be slower with it. CUDA shortens numbers by itself where it may.
    """
    # What is public of this came after torch 2.10.
    short = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001
    return torch.bfloat16 if short else torch.float32
