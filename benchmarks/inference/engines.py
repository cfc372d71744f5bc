"""The engines that could compute the network, each made ready in its own way, and how they compare on a whole series.

ONNX Runtime needs `onnx` and `onnxruntime`, torch.compile a C++ compiler; an engine that is not here is left out, with
the reason.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from adaptation.metrics import dice
from benchmarks.inference.clock import Clock, Seconds
from benchmarks.inference.ways import Run, Timed
from segmentation.network.air import with_air_around
from segmentation.network.compiled import Compiled
from segmentation.network.folded import folded, ready
from segmentation.network.segmenter import Segmenter
from segmentation.organ_mask import OrganMask

Make = Callable[[Segmenter, int], nn.Module]
EXAMPLE = (2, 64, 64)  # slices, rows, columns


class OnnxRuntime(nn.Module):
    """A network that ONNX Runtime computes on the processor, in float32."""

    def __init__(self, network: nn.Module, in_channels: int) -> None:
        super().__init__()
        runtime: Any = importlib.import_module("onnxruntime")
        slices, *plane = EXAMPLE
        axes = {name: {0: "slices", 2: "rows", 3: "columns"} for name in ("slices", "logits")}
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        with TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            torch.onnx.export(
                network,
                (torch.zeros(slices, in_channels, *plane),),
                str(path),
                input_names=["slices"],
                output_names=["logits"],
                dynamic_axes=axes,
                dynamo=False,
            )
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(self, slices: Tensor) -> Tensor:
        """Return logits."""
        return torch.from_numpy(self._session.run(None, {"slices": slices.contiguous().numpy()})[0])


ENGINES: dict[str, Make] = {
    "plain-float32": lambda network, _channels: network,
    "torch-float32": lambda network, _channels: in_air(network),
    "torch": lambda network, _channels: ready(network),
    "inductor-float32": lambda network, _channels: inductor(in_air(network)),
    "inductor": lambda network, _channels: inductor(ready(network)),
    "onnxruntime": lambda network, channels: OnnxRuntime(in_air(network), channels),
    "openvino-float32": lambda network, channels: Compiled(in_air(network), channels, torch.float32),
    "openvino": lambda network, channels: Compiled(in_air(network), channels, torch.bfloat16),
}
"""By name; those without a kind of number are in bfloat16, ONNX Runtime in float32."""


def in_air(network: Segmenter) -> Segmenter:
    """Return a network in float32 as the node has it: folded, with air around what it is given."""
    return with_air_around(folded(network))


def inductor(network: nn.Module) -> nn.Module:
    """Return a network that torch.compile makes C++ of, for any size of slices."""
    compiled: nn.Module = torch.compile(network, dynamic=True)
    return compiled


@dataclass(frozen=True, eq=False)
class Candidate:
    """An engine that takes its turn.

    Args:
        way: that is timed.
        ready: how long it took to make ready, once for each model.
    """

    way: Timed
    ready: Seconds


def candidates(
    names: Sequence[str], network: Segmenter, in_channels: int, timed: Callable[[nn.Module], Timed]
) -> dict[str, Candidate]:
    """Return the engines of these names that work here."""
    found = {}
    for name in names:
        clock = Clock(torch.device("cpu"))
        try:
            module = ENGINES[name](network, in_channels)
        except Exception as error:  # noqa: BLE001  # each engine has its own; what it says is printed
            print(f"{name} is left out: {type(error).__name__}: {str(error).splitlines()[0][:200]}")
            continue
        clock.lap("ready")
        found[name] = Candidate(timed(module), clock.stages["ready"])
    return found


def print_engines(
    some: Mapping[str, Candidate], runs: Mapping[str, Sequence[Run]], beside: Mapping[str, Mapping[str, OrganMask]]
) -> None:
    """Print what each engine takes of a series, and how alike its masks are to those of other ways.

    Args:
        some: the engines.
        runs: of each, in the order in which they were; the first has sizes that the engine did not know.
        beside: by name, the organs that are compared with.
    """
    heads = ["engine", "made ready", "network, first series of its size", "the next", "all stages of the first"]
    heads += [*(f"lowest DSC with {name}" for name in beside), "peak, MiB"]
    print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name, candidate in some.items():
        first, *others = runs[name]
        network = min((one.seconds["network"].processor for one in others), default=float("nan"))
        alike = " | ".join(f"{least(first.organs, organs):.4f}" for organs in beside.values())
        print(
            f"| {name} | {candidate.ready.processor:.2f} | {first.seconds['network'].processor:.2f} | {network:.2f}"
            f" | {first.total.processor:.2f} | {alike} | {max(one.peak_mib for one in runs[name]):.0f} |"
        )


def least(organs: Mapping[str, OrganMask], others: Mapping[str, OrganMask]) -> float:
    """Return the lowest DSC of an organ that either has."""
    names = set(organs) | set(others)
    return min(
        (
            dice(organs[name].full(), others[name].full()) if name in organs and name in others else 0.0
            for name in names
        ),
        default=float("nan"),
    )
