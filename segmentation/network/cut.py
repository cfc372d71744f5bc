"""The network cut in two behind a place: what comes out of the part that is locked, and what goes on from there."""

from torch import Tensor, nn
from torch.nn import functional

from segmentation.network.places import place_of, places
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant


def locked_places(variant: Variant, trained: frozenset[str]) -> tuple[str, ...]:
    """Return the places before the first one that is trained, from the input on."""
    everywhere = places(variant)
    first = next((index for index, place in enumerate(everywhere) if place in trained), len(everywhere))
    return tuple(place for place in everywhere[:first] if place not in trained)


class Locked(nn.Module):
    """The trunk up to a place, with a network's own weights.

    Args:
        network: whose.
        locked: places from the input on, one at least.
    """

    def __init__(self, network: Segmenter, locked: tuple[str, ...]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(block for place, block in blocks_of(network) if place in locked)
        last = last_of_conv2(network)
        self.fine_after = locked.index(last) if last in locked and network.head_is_fine else -1

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor | None]:  # (B, in_channels, H, W)
        """Return the features at the cut, and Conv2's where the head uses them and they lie before it."""
        x, fine = slices, None
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == self.fine_after:
                fine = x
        return x, fine


class Rest(nn.Module):
    """The network from a cut on, with its own weights: what trains it trains the network.

    Args:
        network: whose.
        locked: places before the cut.
    """

    def __init__(self, network: Segmenter, locked: tuple[str, ...]) -> None:
        super().__init__()
        after = [(place, block) for place, block in blocks_of(network) if place not in locked]
        self.blocks = nn.ModuleList(block for _, block in after)
        self.head = network.head
        order = [place for place, _ in after]
        last = last_of_conv2(network)
        self.fine_after = order.index(last) if last in order else -1

    def forward(self, x: Tensor, fine: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Return logits, (B, organs, rows, columns).

        Args:
            x: features at the cut.
            fine: Conv2's, where they lie before the cut and the head uses them.
            size: rows and columns of what the network is for.
        """
        for index, block in enumerate(self.blocks):
            x = block(x)
            fine = x if index == self.fine_after else fine
        logits = self.head(x if fine is None else fine, x)
        return functional.interpolate(logits, size, mode="bilinear", align_corners=False)


def blocks_of(network: Segmenter) -> list[tuple[str, nn.Module]]:
    """Return the blocks of a network's trunk with their places, from the input on."""
    trunk = network.trunk
    stages = [(f"conv{stage}", trunk.get_submodule(f"conv{stage}")) for stage in range(2, 6)]
    blocks = [(f"trunk.{name}.{index}", block) for name, stage in stages for index, block in stage.named_children()]
    return [("conv1", trunk.conv1), *((place_of(f"{name}.x"), block) for name, block in blocks)]


def last_of_conv2(network: Segmenter) -> str:
    """Return the place whose features are the fine ones."""
    return [place for place, _ in blocks_of(network) if place.startswith("conv2-")][-1]
