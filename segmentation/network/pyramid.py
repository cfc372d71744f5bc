"""The heads: spatial pyramid pooling as parallel atrous convolutions, plain or refined with fine features."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Pyramid(nn.Module):
    """Parallel 3x3 atrous convolutions of different reach, summed (DeepLab v2; Men 2018 for the name SPP)."""

    def __init__(self, incoming: int, outgoing: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(incoming, outgoing, 3, padding=dilation, dilation=dilation) for dilation in dilations
        )
        for branch in self.branches:
            # Sums of branches with PyTorch's initial weights would start far from zero.
            nn.init.normal_(branch.weight, std=0.01)  # type: ignore[arg-type]  # a Conv2d's weight is a tensor
            nn.init.zeros_(branch.bias)  # type: ignore[arg-type]  # and so is its bias

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, incoming, h, w) to (B, outgoing, h, w)."""
        return torch.stack([branch(x) for branch in self.branches]).sum(0)


class PaperHead(nn.Module):
    """The pyramid gives one map an organ; the fine features are not used."""

    def __init__(self, deep: int, organs: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.pyramid = Pyramid(deep, organs, dilations)

    def forward(self, fine: Tensor, deep: Tensor) -> Tensor:  # noqa: ARG002  # one signature for both heads
        """Map (B, deep, h, w) to logits, (B, organs, h, w)."""
        logits: Tensor = self.pyramid(deep)
        return logits


class PlusHead(nn.Module):
    """The pyramid's features, enlarged, are refined with those of Conv2 (DeepLab v3+, Chen 2018)."""

    def __init__(self, fine: int, deep: int, organs: int, dilations: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.pyramid = Pyramid(deep, width, dilations)
        self.pyramid_bn = nn.BatchNorm2d(width)
        self.skip = nn.Conv2d(fine, width // 2, 1, bias=False)
        self.skip_bn = nn.BatchNorm2d(width // 2)
        self.refine = nn.Conv2d(width + width // 2, width, 3, padding=1, bias=False)
        self.refine_bn = nn.BatchNorm2d(width)
        self.classify = nn.Conv2d(width, organs, 1)

    def forward(self, fine: Tensor, deep: Tensor) -> Tensor:
        """Map Conv2's (B, fine, H, W) and Conv5's (B, deep, h, w) to logits, (B, organs, H, W)."""
        coarse = functional.relu(self.pyramid_bn(self.pyramid(deep)))
        coarse = functional.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=False)
        both = torch.cat([coarse, functional.relu(self.skip_bn(self.skip(fine)))], dim=1)
        logits: Tensor = self.classify(functional.relu(self.refine_bn(self.refine(both))))
        return logits
