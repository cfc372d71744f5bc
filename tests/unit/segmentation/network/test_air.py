"""What a network says of a part of a slice, as it is given the part or the whole slice."""

import pytest
import torch
from torch import nn

from segmentation.network.air import with_air_around
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant
from tests.support.small_bundle import SMALL

PAPER = Variant(width=4, blocks=(1, 2, 1, 1), multi_grid=(1,), pyramid_dilations=(1, 3))


def trained(variant, routes=()):
    """A network in which air is not zero, and whose logits are far from each other."""
    torch.manual_seed(5)
    network = Segmenter(variant, 3, routes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.5)
            nn.init.normal_(module.running_mean, std=0.1)
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network.eval()


def thing_in_air(margin):
    """A slice of which only the middle is not air, and a part of it with so much air around that thing."""
    slices = torch.zeros(2, 3, 4 * margin, 4 * margin)
    slices[:, :, 2 * margin - 8 : 2 * margin + 8, 2 * margin - 8 : 2 * margin + 8] = torch.rand(2, 3, 16, 16)
    return slices, slice(margin, 3 * margin)


@pytest.mark.parametrize(
    ("variant", "routes", "margin"), [(SMALL, (), 48), (SMALL, ((1,), (0, 2)), 48), (PAPER, (), 144)]
)
def test_part_of_a_slice_gets_what_the_whole_slice_gets(variant, routes, margin):
    """Beyond the edge of a part there is air, as there is on the slice: no edge is seen."""
    network = trained(variant, routes)
    slices, middle = thing_in_air(margin)

    with torch.inference_mode():
        whole = network(slices)[:, :, middle, middle]
        part = with_air_around(network)(slices[:, :, middle, middle])
        zeros = network(slices[:, :, middle, middle])

    most = float(whole.abs().max())
    assert torch.allclose(part, whole, atol=1e-4 * most)
    assert not torch.allclose(zeros, whole, atol=1e-2 * most)


def test_network_that_gets_air_around_it_stays_as_it_was():
    """What is trained sees zeros at its edges, as it always did."""
    network = trained(SMALL)
    slices = torch.rand(1, 3, 24, 24)
    before = network(slices)
    with_air_around(network)

    assert torch.equal(network(slices), before)


def test_one_by_one_convolutions_and_the_stem_have_no_edge():
    """Nothing is added where nothing is padded, or where air is zero already."""
    names = [name for name, module in with_air_around(trained(SMALL)).named_modules() if name.endswith(".convolution")]

    assert "trunk.conv1.conv.convolution" not in names
    assert "trunk.conv2.0.conv2.convolution" in names
    assert not [name for name in names if "conv1.convolution" in name or "conv3.convolution" in name]
