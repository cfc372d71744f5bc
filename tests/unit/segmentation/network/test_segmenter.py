import pytest
import torch

from segmentation.network.places import (
    counted_convolutions,
    counted_layers,
    place_of,
    places,
    places_after,
    places_from,
)
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant
from tests.support.small_bundle import SMALL


@pytest.fixture(scope="module")
def published():
    with torch.device("meta"):
        return Segmenter(Variant(), 12)


def test_default_network_has_the_103_convolutions_of_the_paper(published):
    """1 of the stem, 3 in each of 33 bottlenecks, 3 of the pyramid; projections of shortcuts are not counted."""
    assert counted_convolutions(published) == 103


def test_ten_layers_are_retrained_from_conv5_on(published):
    """9 convolutions of Conv5, and the pyramid as one layer."""
    assert counted_layers(published, places_from(Variant(), "conv5-b1")) == 10


@pytest.mark.parametrize(
    ("frozen", "layers"),
    [("spp", 0), ("conv5", 1), ("conv5-b2", 4), ("conv5-b1", 7), ("conv4", 10), ("conv3", 79), ("nothing", 101)],
)
def test_layers_that_are_retrained_are_counted_as_the_paper_counts_them(published, frozen, layers):
    """None, the pyramid, Conv5's blocks one by one, Conv4, all: 103 convolutions with the pyramid's three as one."""
    assert counted_layers(published, places_after(Variant(), frozen)) == layers


def test_stage_that_does_not_exist_freezes_nothing_silently():
    """A misspelt place is named, with those that there are."""
    with pytest.raises(ValueError, match=r"conv6 is no place.*conv5"):
        places_after(SMALL, "conv6")


def test_default_network_has_an_output_stride_of_8(published):
    """417 pixels become 53 features, as 8 x 52 + 1 must."""
    fine, deep = published.trunk(torch.empty(1, 3, 417, 417, device="meta"))

    assert fine.shape[1:] == (256, 105, 105)
    assert deep.shape[1:] == (2048, 53, 53)


def test_logits_have_the_size_of_the_input(published):
    """There is a channel for each organ at the input's resolution."""
    assert published(torch.empty(2, 3, 96, 64, device="meta")).shape == (2, 12, 96, 64)


@pytest.mark.parametrize("stem", [1, 2, 4])
@pytest.mark.parametrize("head", ["paper", "plus"])
def test_every_stem_and_head_gives_finite_logits(stem, head):
    """A variant of any stride computes."""
    variant = SMALL.model_copy(update={"stem_stride": stem, "head": head})

    logits = Segmenter(variant, 3).eval()(torch.zeros(1, 3, 32, 24))

    assert logits.shape == (1, 3, 32, 24)
    assert torch.isfinite(logits).all()


def test_every_parameter_has_a_place():
    """The places of the parameters are those that the variant lists."""
    named = {place_of(name) for name, _ in Segmenter(SMALL, 2).named_parameters()}

    assert named == set(places(SMALL))


def test_place_that_does_not_exist_is_refused():
    """A misspelt place does not silently train nothing."""
    with pytest.raises(ValueError, match="conv9"):
        places_from(SMALL, "conv9")


def test_multi_grid_needs_a_number_for_each_block():
    """A network with a block of Conv5 without its dilation cannot be described."""
    with pytest.raises(ValueError, match="multi_grid"):
        Variant(multi_grid=(1, 2))
