"""The numbers that make one network of the family: width, depth, strides, head (pure)."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]


class Variant(BaseModel):
    """One network of the family; the defaults are the published one, ResNet-101 with three atrous branches.

    Args:
        in_channels: slices that the network sees at once.
        width: channels of the stem; the bottlenecks have 1, 2, 4 and 8 times as many, and four times that going out.
        blocks: bottlenecks ("DBAs") in Conv2, Conv3, Conv4, Conv5.
        stem_stride: pixels of the input for one of Conv2: 4 (strided 7x7 convolution and pooling), 2 (no pooling) or 1.
            A grid of 4 mm has no room for a stem made for photographs.
        output_stride: pixels of the input for one of the features; Conv3 to Conv5 stride until it is reached, and
            dilate from there.
        multi_grid: what the dilation of Conv5's blocks is multiplied with, one a block; DeepLab v3's name (Chen 2017).
        pyramid_dilations: of the parallel atrous branches, one convolution each.
        head: `paper` sums the branches to one map an organ; `plus` refines them with the features of Conv2, as
            DeepLab v3+ (Chen 2018) does.
        head_channels: features of the `plus` head; of no meaning for `paper`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_channels: Positive = 3
    width: Positive = 64
    blocks: tuple[Positive, Positive, Positive, Positive] = (3, 4, 23, 3)
    stem_stride: Literal[1, 2, 4] = 4
    output_stride: Literal[1, 2, 4, 8, 16, 32] = 8
    multi_grid: tuple[Positive, ...] = (1, 1, 1)
    pyramid_dilations: tuple[Positive, ...] = (6, 12, 18)
    head: Literal["paper", "plus"] = "paper"
    head_channels: Positive = 48

    @model_validator(mode="after")
    def one_grid_a_block(self) -> Self:
        """Refuse a multi-grid that does not give each block of Conv5 its dilation."""
        if len(self.multi_grid) != self.blocks[3]:
            raise ValueError(f"multi_grid needs {self.blocks[3]} numbers, one a block of Conv5")
        return self
