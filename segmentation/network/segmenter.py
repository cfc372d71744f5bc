"""Trunk and head as one network, and how its layers are counted and named by place."""

from torch import Tensor, nn
from torch.nn import functional

from segmentation.network.pyramid import PaperHead, PlusHead
from segmentation.network.trunk import EXPANSION, Trunk
from segmentation.network.variant import Variant


class Segmenter(nn.Module):
    """Organs on one axial slice, seen with its neighbours; one channel an organ, before the sigmoid."""

    def __init__(self, variant: Variant, organs: int) -> None:
        super().__init__()
        fine, deep = variant.width * EXPANSION, variant.width * EXPANSION * 8
        self.trunk = Trunk(variant)
        self.head_is_fine = variant.head == "plus"  # whether Conv2's features are used
        self.head: nn.Module = (
            PaperHead(deep, organs, variant.pyramid_dilations)
            if variant.head == "paper"
            else PlusHead(fine, deep, organs, variant.pyramid_dilations, variant.head_channels)
        )

    def forward(self, slices: Tensor) -> Tensor:  # (B, in_channels, H, W), as `preprocess` makes it
        """Return logits, (B, organs, H, W)."""
        fine, deep = self.trunk(slices)  # (B, 4 width, H / stem, W / stem), (B, 32 width, H / output, W / output)
        logits = self.head(fine, deep)  # (B, organs, h, w)
        return functional.interpolate(logits, slices.shape[-2:], mode="bilinear", align_corners=False)
