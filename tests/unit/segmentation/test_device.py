"""The device that a network runs on."""

import pytest
import torch

from segmentation.device import choose_device, describe_device
from segmentation.errors import DeviceError


def test_auto_is_the_best_that_is_there() -> None:
    """CUDA where there is one, the processor elsewhere."""
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_said_so() -> None:
    """Not a stack of torch's."""
    with pytest.raises(DeviceError, match="finds no CUDA device"):
        choose_device("cuda")


def test_a_name_that_is_none_is_said_so() -> None:
    """As a typing error in the configuration."""
    with pytest.raises(DeviceError, match="gpu is no device"):
        choose_device("gpu")


def test_the_processor_is_described_with_its_threads() -> None:
    """The operator sees why it is slow."""
    assert describe_device(torch.device("cpu")).startswith(f"cpu, {torch.get_num_threads()} threads, torch 2.")
