import pytest
import torch
from torch import nn

from segmentation.network.air import with_air_around
from segmentation.network.folded import folded, numbers_of, ready
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant
from segmentation.predict import load_predictor
from tests.support.small_bundle import SMALL, write_small_bundle

PAPER = Variant(width=4, blocks=(1, 2, 1, 1), multi_grid=(1,))


def trained(variant, routes=()):
    """A network whose statistics are not those that it begins with."""
    torch.manual_seed(3)
    network = Segmenter(variant, 3, routes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.bias):
                nn.init.normal_(values, std=0.3)
            for values in (module.running_var, module.weight):
                nn.init.uniform_(values, 0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize(("variant", "routes"), [(SMALL, ()), (SMALL, ((1,), (0, 2))), (PAPER, ())])
def test_folded_network_says_what_the_network_says(variant, routes):
    """Both heads, and tails for single organs: equal but for the order of multiplications."""
    network = trained(variant, routes)
    slices = torch.rand(2, 3, 40, 56)

    with torch.inference_mode():
        assert torch.allclose(folded(network)(slices), network(slices), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", [SMALL, PAPER])
def test_only_the_pyramid_keeps_a_normalisation(variant):
    """It follows a sum; every other one is gone."""
    left = [name for name, module in folded(trained(variant)).named_modules() if isinstance(module, nn.BatchNorm2d)]

    assert left == (["head.pyramid_bn"] if variant.head == "plus" else [])


def test_network_that_was_folded_stays_as_it_was():
    """What is trained, kept and compared is the network itself."""
    network = trained(SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ready(network)

    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_ready_network_says_nearly_the_same():
    """In bfloat16, which has 8 bits, a probability moves by a few hundredths at most."""
    network = trained(SMALL)
    slices = torch.rand(2, 3, 40, 56)
    quick = ready(network).to(torch.bfloat16)  # also where this processor has none

    with torch.inference_mode():
        said = quick(slices.to(torch.bfloat16)).float().sigmoid()
        assert (said - with_air_around(network)(slices).sigmoid()).abs().max() < 0.03


def test_ready_network_has_the_numbers_of_its_device():
    """Weights and slices are of one kind."""
    assert {value.dtype for value in ready(trained(SMALL)).parameters()} == {numbers_of(torch.device("cpu"))}
    assert numbers_of(torch.device("cuda")) == torch.float32


def test_predictor_to_compare_a_training_with_computes_as_it_does(tmp_path):
    """In float32, with its normalisations: a candidate is not measured with another rule than what it is to replace."""
    write_small_bundle(tmp_path)
    asked, usual = (load_predictor(tmp_path, "cpu", "torch", as_trained=each) for each in (True, False))

    assert {value.dtype for value in asked.network.parameters()} == {torch.float32}
    assert any(isinstance(module, nn.BatchNorm2d) for module in asked.network.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in usual.network.trunk.modules())
