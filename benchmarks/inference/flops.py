"""How much a network multiplies, and how fast its convolutions are by themselves."""

import statistics
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inference.clock import Clock
from segmentation.bundle import Manifest
from segmentation.network.checkpoint import empty_segmenter
from segmentation.network.compiled import load_openvino, settings_of, traced


def flops_of(manifest: Manifest, rows: int, columns: int) -> int:
    """Return the floating-point operations of one slice: two for each multiplication; counted, nothing is computed."""
    cell = max(manifest.variant.output_stride, manifest.variant.stem_stride)
    shape = (1, manifest.variant.in_channels, rows + -rows % cell, columns + -columns % cell)
    with FlopCounterMode(display=False) as counter:
        empty_segmenter(manifest).eval()(torch.empty(shape, device="meta"))
    return int(counter.get_total_flops())


def seconds_in_convolutions(network: nn.Module, slices: Tensor, rounds: int) -> float:
    """Return the time that a batch spends within convolutions, the median of rounds; the first is not counted."""
    clock = Clock(slices.device)

    def before(*_: object) -> None:
        clock.lap("between")

    def behind(*_: object) -> None:
        clock.lap("convolutions")

    hooks: list[Callable[[], None]] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks += [module.register_forward_pre_hook(before).remove, module.register_forward_hook(behind).remove]
    took = []
    with torch.inference_mode(), torch.autocast(slices.device.type, torch.float16, enabled=slices.is_cuda):
        for _ in range(rounds + 1):
            clock.stages.clear()
            network(slices)
            took.append(clock.stages["convolutions"].on(slices.device))
    for remove in hooks:
        remove()
    return statistics.median(took[1:])


def seconds_in_openvino(network: nn.Module, numbers: torch.dtype, slices: Tensor, rounds: int) -> float:
    """Return the processor time that a batch spends within convolutions and what OpenVINO merged into them.

    OpenVINO tells time on the wall, which other work on the machine lengthens: of it only the share of the convolutions
    is taken, each operation at its fastest, and the processor time is our own, the least of rounds.
    """
    openvino = load_openvino()
    model = openvino.convert_model(traced(network, slices.shape[1]))
    compiled = openvino.Core().compile_model(model, "CPU", {**settings_of(numbers), "PERF_COUNT": True})
    request, clock = compiled.create_infer_request(), Clock(torch.device("cpu"))
    fastest: dict[tuple[str, str], float] = {}
    processor_s = []
    for _ in range(rounds + 1):
        clock.stages.clear()
        clock.lap("between")
        request.infer(slices.numpy())
        clock.lap("network")
        processor_s.append(clock.stages["network"].processor)
        for one in request.profiling_info:
            key = one.node_type, one.node_name
            fastest[key] = min(fastest.get(key, float("inf")), one.real_time.total_seconds())
    convolutions = sum(took for (kind, _), took in fastest.items() if kind == "Convolution")
    return min(processor_s) * convolutions / sum(fastest.values())
