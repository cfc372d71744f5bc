"""ResNet with dilated late stages, in the names of the paper: Conv1 to Conv5 of bottlenecks ("DBAs").

He et al. 2016 for the bottleneck; Chen et al. 2017 (DeepLab v2) for stopping the strides and dilating instead.
The stride is on the 3x3 convolution, as in torchvision, so that its ImageNet weights fit unchanged.
"""

from torch import Tensor, nn
from torch.nn import functional

from segmentation.network.variant import Variant

EXPANSION = 4  # channels that leave a bottleneck for one inside it (He 2016, table 1)


class Bottleneck(nn.Module):
    """Two 1x1 convolutions around a 3x3 one, and a shortcut; three convolutions, its projection not counted."""

    def __init__(self, incoming: int, width: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        outgoing = width * EXPANSION
        self.conv1 = nn.Conv2d(incoming, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outgoing, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outgoing)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or incoming != outgoing:
            self.downsample = nn.Sequential(
                nn.Conv2d(incoming, outgoing, 1, stride, bias=False), nn.BatchNorm2d(outgoing)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, incoming, h, w) to (B, 4 width, h / stride, w / stride)."""
        inner = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        inner = functional.relu(self.bn2(self.conv2(inner)), inplace=True)
        return functional.relu(self.bn3(self.conv3(inner)) + self.downsample(x), inplace=True)


class Stem(nn.Module):
    """Conv1: one 7x7 convolution, and pooling where the stride is 4."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 7, min(stride, 2), padding=3, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.pool: nn.Module = nn.MaxPool2d(3, 2, padding=1) if stride == 4 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, width, H / stride, W / stride)."""
        y: Tensor = self.pool(functional.relu(self.bn(self.conv(x)), inplace=True))
        return y


class Trunk(nn.Module):
    """Conv1 to Conv5; what comes out is Conv2's and Conv5's features."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.conv1 = Stem(variant.in_channels, variant.width, variant.stem_stride)
        channels, dilation = variant.width, 1
        reached: int = variant.stem_stride
        for stage, blocks in enumerate(variant.blocks):
            stride = 2 if stage > 0 and reached < variant.output_stride else 1
            reached *= stride
            # A stage that would have strided dilates: from its second block on by twice as much. DeepLab and
            # PSPNet dilate its first block too, and so do we.
            dilation *= 2 if stage > 0 and stride == 1 else 1
            grid = variant.multi_grid if stage == 3 else (1,) * blocks
            width = variant.width * 2**stage
            self.add_module(f"conv{stage + 2}", stage_of(channels, width, stride, [dilation * g for g in grid]))
            channels = width * EXPANSION

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, in_channels, H, W) to Conv2's features at the stem's stride and Conv5's at the output stride."""
        fine, shared = self.shared(x)
        return fine, self.get_submodule("conv5")(shared)

    def shared(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, in_channels, H, W) to Conv2's features and to Conv4's, which each tail goes on from."""
        fine: Tensor = self.get_submodule("conv2")(self.conv1(x))
        return fine, self.get_submodule("conv4")(self.get_submodule("conv3")(fine))


def stage_of(incoming: int, width: int, stride: int, dilations: list[int]) -> nn.Sequential:
    """Return one stage: a bottleneck a dilation, the first with the stride."""
    first = Bottleneck(incoming, width, stride=stride, dilation=dilations[0])
    rest = (Bottleneck(width * EXPANSION, width, stride=1, dilation=dilation) for dilation in dilations[1:])
    return nn.Sequential(first, *rest)
