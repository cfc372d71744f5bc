"""The engine that a network predicts with: OpenVINO on a processor where it is installed, else torch."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch
from torch import nn

from segmentation.errors import EngineError
from segmentation.network.air import with_air_around
from segmentation.network.compiled import Compiled, version_of_openvino
from segmentation.network.folded import folded, numbers_of, ready
from segmentation.network.segmenter import Segmenter

Engine = Literal["auto", "torch", "openvino"]


@dataclass(frozen=True, eq=False)
class OnEngine:
    """A network that is ready to predict.

    Args:
        network: as fast as it can be on this machine; it cannot be trained or saved.
        engine: what computes it, in words.
        fault: why it is not OpenVINO although that is installed; empty where nothing is wrong.
    """

    network: nn.Module
    engine: str
    fault: str = ""


def on_engine(network: Segmenter, in_channels: int, engine: Engine = "auto") -> OnEngine:
    """Return a copy of a network that predicts the same, with air around what it is given.

    Args:
        network: as it is trained, on its device.
        in_channels: slices that it sees at once.
        engine: `auto` for OpenVINO where it is installed and the device is the processor.

    Raises:
        EngineError: where OpenVINO is asked for by name and does not work here.
    """
    device = next(network.parameters()).device
    numbers = numbers_of(device)
    fault = ""
    if engine_of(engine, device) == "openvino":
        try:
            compiled = Compiled(with_air_around(folded(network)), in_channels, numbers)
            return OnEngine(compiled, f"OpenVINO {version_of_openvino()}, {in_words(numbers)}")
        except EngineError as error:
            if engine == "openvino":
                raise
            fault = str(error)
    return OnEngine(ready(network), f"torch {torch.__version__}, {in_words(numbers)}", fault)


def engine_of(engine: Engine, device: torch.device) -> Engine:
    """Return the engine that a choice comes to on a device; nothing is loaded.

    Raises:
        EngineError: where OpenVINO is asked for by name and the device is not the processor.
    """
    if engine == "auto":
        return "openvino" if device.type == "cpu" and find_spec("openvino") else "torch"
    if engine == "openvino" and device.type != "cpu":
        raise EngineError(f"OpenVINO computes on the processor, and the device is {device.type}: choose another engine")
    return engine


def in_words(numbers: torch.dtype) -> str:
    """Return the name of a kind of numbers, as "bfloat16"."""
    return str(numbers).removeprefix("torch.")
