"""Air beyond the edge: a network says of a part of a slice what it says of it on the whole slice, or nearly so.

A padded convolution takes zeros for what lies beyond the edge. To the first one that is air. Further in, air is what
the layers before make of it, and zeros are an edge, which the network sees. Here that is taken off before each padded
convolution and given back by its offsets, so that beyond the edge there is air all the way. What is left out is what
the part itself does to the air around it.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from segmentation.network.segmenter import Segmenter

PIXELS = 8  # of a slice of air, each way: it is the same everywhere


class AirAround(nn.Module):
    """A convolution that takes air for what lies beyond the edge.

    Args:
        convolution: padded with zeros, with offsets; it is changed.
        air: what its input is in air, (channels,).
    """

    def __init__(self, convolution: nn.Conv2d, air: Tensor) -> None:
        super().__init__()
        given_back = convolution.weight.sum((2, 3)) @ air
        convolution.bias = nn.Parameter(
            given_back if convolution.bias is None else convolution.bias + given_back, requires_grad=False
        )
        self.convolution = convolution
        self.register_buffer("air", air.reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) as the convolution does."""
        y: Tensor = self.convolution(x - self.get_buffer("air"))
        return y


def with_air_around(network: Segmenter) -> Segmenter:
    """Return a copy of a network that takes air for what lies beyond the edge of a slice.

    Args:
        network: in evaluation; its air is 0, as `preprocess.to_values` has it.
    """
    air = air_within(network)
    copy = deepcopy(network)
    for name, module in list(copy.named_modules()):
        if isinstance(module, nn.Conv2d) and module.padding != (0, 0) and air[name].any():
            parent, _, own = name.rpartition(".")
            copy.get_submodule(parent).add_module(own, AirAround(module, air[name]))
    return copy


@torch.no_grad()
def air_within(network: Segmenter) -> dict[str, Tensor]:
    """Return what the input of each convolution is where there is nothing but air, (channels,), by the convolution."""
    endless = deepcopy(network)
    seen: dict[str, Tensor] = {}
    for name, module in endless.named_modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "replicate"  # air goes on as air
            module.register_forward_pre_hook(
                lambda _, given, name=name: seen.update({name: given[0][0, :, 0, 0].clone()})
            )
    stem = next(network.parameters())  # its weights, (width, in_channels, 7, 7)
    endless(torch.zeros(1, stem.shape[1], PIXELS, PIXELS, device=stem.device))
    return seen
