"""The network compiled by OpenVINO for the processor: the same weights, about twice as fast as torch.

OpenVINO is optional, and loaded when it is wanted. Left alone it tells its makers each time that it is imported and
that it converts a network; here it finds nothing to tell them with.
"""

import importlib
import sys
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from segmentation.errors import EngineError

TELEMETRY = "openvino_telemetry"
PRECISION = {torch.bfloat16: "bf16", torch.float32: "f32"}
TRACED = (2, 64, 64)  # slices, rows, columns that the network is looked at with; it takes any
KEPT_SHAPES = 512  # kernels that are kept for shapes that were seen; OpenVINO's own 5000 let the process grow for weeks


class Compiled(nn.Module):
    """A network that OpenVINO computes: tensors of torch in and out, float32, on the processor.

    It is compiled once, for slices of any number and size, and cannot be trained or saved.

    Args:
        network: in evaluation, float32, on the processor; it stays as it is.
        in_channels: slices that it sees at once.
        numbers: that it multiplies in, bfloat16 or float32.

    Raises:
        EngineError: where OpenVINO is not installed, does not load, or cannot do with the network.
    """

    def __init__(self, network: nn.Module, in_channels: int, numbers: torch.dtype) -> None:
        super().__init__()
        openvino = load_openvino()
        try:
            model = openvino.convert_model(traced(network, in_channels))
            self._run = openvino.Core().compile_model(model, "CPU", settings_of(numbers))
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile the network: {str(error).splitlines()[0][:200]}") from error

    def forward(self, slices: Tensor) -> Tensor:
        """Map (B, in_channels, H, W), float32, to logits, (B, organs, H, W)."""
        return torch.from_numpy(self._run(slices.contiguous().numpy())[0])


def settings_of(numbers: torch.dtype) -> dict[str, Any]:
    """Return what OpenVINO is told: as many threads as torch has, and no claim on single processors."""
    return {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": PRECISION[numbers],
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # other processes want the processor too
        "CPU_RUNTIME_CACHE_CAPACITY": KEPT_SHAPES,
    }


def traced(network: nn.Module, in_channels: int) -> Any:
    """Return a network as the graph that OpenVINO reads."""
    slices, *plane = TRACED
    with warnings.catch_warnings():
        # torch has put tracing aside; OpenVINO documents it, and it takes a third of the time of what came after.
        warnings.simplefilter("ignore", DeprecationWarning)
        example = torch.zeros(slices, in_channels, *plane)
        return torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]


def load_openvino() -> Any:
    """Return OpenVINO, silenced.

    Raises:
        EngineError: where it is not installed, or does not load.
    """
    # What is None here cannot be imported: OpenVINO then takes a stub of its own, which sends nothing.
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # as the documentation of `import` has it
    try:
        return importlib.import_module("openvino")
    except (ImportError, OSError) as error:
        raise EngineError(f"OpenVINO does not load: {error}") from error


def version_of_openvino() -> str:
    """Return the version, without the number of the build."""
    return str(load_openvino().__version__).partition("-")[0]
