"""Where in the network a weight sits, and what is re-trained when one says "from here on" (pure)."""

from torch import nn

from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant

HEAD = "spp"  # the place of the head, whichever it is
NOTHING_FROZEN = "nothing"  # for `places_after`


def place_of(parameter: str) -> str:
    """Return the place of a parameter of a `Segmenter`: conv1, conv2-b1, ..., conv5-b3, or spp for the head."""
    room, _, rest = parameter.partition(".")
    if room == "head":
        return HEAD
    stage, _, rest = rest.partition(".")
    return stage if stage == "conv1" else f"{stage}-b{int(rest.partition('.')[0]) + 1}"


def places(variant: Variant) -> tuple[str, ...]:
    """Return the places of a network from the input to the output."""
    blocks = [f"conv{stage + 2}-b{block + 1}" for stage, count in enumerate(variant.blocks) for block in range(count)]
    return ("conv1", *blocks, HEAD)


def places_from(variant: Variant, first: str) -> frozenset[str]:
    """Return a place and all that come after it; `conv5-b1` is what the paper re-trains, `conv1` is everything.

    Raises:
        ValueError: where the network has no such place.
    """
    everywhere = places(variant)
    if first not in everywhere:
        raise ValueError(f"{first} is no place of this network; it has {', '.join(everywhere)}")
    return frozenset(everywhere[everywhere.index(first) :])


def places_after(variant: Variant, frozen: str) -> frozenset[str]:
    """Return what is re-trained where everything up to a place or a stage is frozen.

    Args:
        variant: of the network.
        frozen: `conv4` freezes what the paper freezes; `conv5-b2` leaves Conv5's third block and the pyramid, `conv5`
            the pyramid alone, `spp` nothing; `nothing` freezes nothing.

    Raises:
        ValueError: where the network has no such place.
    """
    everywhere = places(variant)
    if frozen == NOTHING_FROZEN:
        return frozenset(everywhere)
    ends = [index for index, place in enumerate(everywhere) if frozen in {place, place.partition("-")[0]}]
    if not ends:
        stages = dict.fromkeys(place.partition("-")[0] for place in everywhere)
        raise ValueError(
            f"{frozen} is no place of this network; it has {', '.join(stages)}, single blocks as conv5-b1, and "
            f"{NOTHING_FROZEN}"
        )
    return frozenset(everywhere[ends[-1] + 1 :])


def counted_convolutions(network: Segmenter) -> int:
    """Return the number of convolutions as the paper counts them: 103 for the default variant.

    1 of the stem, 3 a bottleneck (99), 3 of the pyramid. The projections of the shortcuts are not counted.
    """
    return sum(isinstance(module, nn.Conv2d) and ".downsample." not in name for name, module in network.named_modules())


def counted_layers(network: Segmenter, chosen: frozenset[str]) -> int:
    """Return the number of layers at some places as the paper counts them: 10 from conv5-b1 on.

    The convolutions of the trunk, projections not counted, and the pyramid with all its branches as one layer.
    """
    within = sum(
        isinstance(module, nn.Conv2d) and ".downsample." not in name and place_of(f"{name}.weight") in chosen - {HEAD}
        for name, module in network.named_modules()
    )
    return within + (HEAD in chosen)
