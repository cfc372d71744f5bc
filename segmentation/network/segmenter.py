"""Trunk and head as one network, and further tails that draw single organs from the same shared features."""

from collections.abc import Sequence
from copy import deepcopy

from torch import Tensor, nn
from torch.nn import functional

from segmentation.network.pyramid import PaperHead, PlusHead
from segmentation.network.trunk import EXPANSION, Trunk
from segmentation.network.variant import Variant

Routes = Sequence[Sequence[int]]
"""Of each further tail the channels that it draws."""


class Tail(nn.Module):
    """Conv5 and head of a model that is better at some organs; Conv1 to Conv4 are the network's own."""

    def __init__(self, conv5: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.conv5 = conv5
        self.head = head

    def forward(self, fine: Tensor, shared: Tensor) -> Tensor:
        """Map Conv2's and Conv4's features to logits, (B, organs, h, w), of which few are used."""
        logits: Tensor = self.head(fine, self.conv5(shared))
        return logits


class Segmenter(nn.Module):
    """Organs on one axial slice, seen with its neighbours; one channel an organ, before the sigmoid.

    Args:
        variant: its numbers.
        organs: how many.
        routes: of each further tail the channels that it draws; what is trained has none.
    """

    def __init__(self, variant: Variant, organs: int, routes: Routes = ()) -> None:
        super().__init__()
        self.trunk = Trunk(variant)
        self.head_is_fine = variant.head == "plus"  # whether Conv2's features are used
        self.head = head_of(variant, organs)
        conv5 = self.trunk.get_submodule("conv5")
        self.tails = nn.ModuleList(Tail(deepcopy(conv5), head_of(variant, organs)) for _ in routes)
        self.routes = [list(channels) for channels in routes]

    def forward(self, slices: Tensor) -> Tensor:  # (B, in_channels, H, W), as `preprocess` makes it
        """Return logits, (B, organs, H, W)."""
        fine, shared = self.trunk.shared(slices)  # (B, 4 width, H / stem, W / stem), (B, 16 width, H / output, ...)
        logits = self.head(fine, self.trunk.get_submodule("conv5")(shared))  # (B, organs, h, w)
        for tail, channels in zip(self.tails, self.routes, strict=True):
            logits[:, channels] = tail(fine, shared)[:, channels]
        return functional.interpolate(logits, slices.shape[-2:], mode="bilinear", align_corners=False)


def head_of(variant: Variant, organs: int) -> nn.Module:
    """Return a head of a network; its weights are random."""
    fine, deep = variant.width * EXPANSION, variant.width * EXPANSION * 8
    if variant.head == "paper":
        return PaperHead(deep, organs, variant.pyramid_dilations)
    return PlusHead(fine, deep, organs, variant.pyramid_dilations, variant.head_channels)
