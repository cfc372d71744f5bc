"""From a CT series to a structure set: how fast, beside the paper's way and the plain network, in one run.

    python -m benchmarks.inference                              # model `demo` on a phantom
    python -m benchmarks.inference --bundle starter --ct CT     # a folder, or a tar of one, of a head-and-neck CT
    python -m benchmarks.inference --variant full               # ResNet-101 with random weights, on few slices
    python -m benchmarks.inference --engines torch openvino     # what could compute the network, one beside the other

The ways take turns. The paper's has a network for each organ, which looks at every whole slice in float32: here the
same weights run once for each organ; that is timed on a few slices and scaled. What is compared is processor time (on
CUDA time on the wall), the median of the rounds: on a machine that others use, the clock on the wall says little. The
node's engine is made anew for each round, as each patient's series has a size that it did not see before.
"""

import argparse
import os
import statistics
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from adaptation.metrics import dice
from benchmarks.inference.clock import Clock, Seconds, product_rate
from benchmarks.inference.engines import ENGINES, candidates, in_air, print_engines
from benchmarks.inference.flops import flops_of, seconds_in_convolutions, seconds_in_openvino
from benchmarks.inference.ways import STAGES, InFloat32, Run, Said, Timed, run
from benchmarks.inference.whole import box_grid, whole_grid
from segmentation.bundle import Manifest, Preprocessing, Provenance, bundle_digest, shipped_bundle, verify_bundle
from segmentation.ct import read_ct_series
from segmentation.device import choose_device, describe_device
from segmentation.network.checkpoint import load_segmenter
from segmentation.network.compiled import Compiled
from segmentation.network.engine import on_engine
from segmentation.network.folded import numbers_of
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant
from segmentation.phantom import Phantom, build_phantom
from segmentation.phantom_series import build_series, write_series
from segmentation.structures import ORGANS
from segmentation.volume import Volume

Drawn = dict[tuple[int, ...], Said]
PAPER, PLAIN, BOXED, NODE = "the paper's", "plain network", "on the body's box", "the node's"
CONVOLVED = 2  # slices in the batch whose convolutions are timed by themselves


@dataclass(frozen=True, eq=False)
class Model:
    """A network as it is trained.

    Args:
        manifest: what it is.
        network: in float32, on the device.
        digest: of its bundle.
    """

    manifest: Manifest
    network: Segmenter
    digest: str


def model_of(arguments: argparse.Namespace, device: torch.device) -> Model:
    """Return a shipped model, or the published network with random weights."""
    if arguments.variant == "small":
        folder = shipped_bundle(arguments.bundle)
        manifest = verify_bundle(folder)
        return Model(manifest, load_segmenter(folder, device), bundle_digest(manifest))
    manifest = Manifest(
        name="full",
        version="1",
        purpose="phantom" if arguments.ct is None else "patient",
        organs=tuple(organ.name for organ in ORGANS),
        variant=Variant(),
        preprocessing=Preprocessing(pixel_mm=1.0, slice_mm=3.0, context=(-1, 0, 1)),
        provenance=Provenance(data="none", licence="none", command="none", seed=0, steps=0, cases=0, minutes=0.0),
    )
    torch.manual_seed(0)
    network = Segmenter(manifest.variant, len(manifest.organs)).eval().requires_grad_(requires_grad=False)
    return Model(manifest, network.to(device, memory_format=torch.channels_last), "0" * 64)


@contextmanager
def series(arguments: argparse.Namespace) -> Iterator[tuple[list[Path], Phantom | None]]:
    """Give the files of a CT, and the phantom that it was made of."""
    with TemporaryDirectory() as made:
        folder, phantom = Path(made), None
        if arguments.ct is None:
            phantom = build_phantom(1, slices=arguments.slices, slice_mm=2.0)
            write_series(build_series(phantom, seed=1), folder)
        elif arguments.ct.is_dir():
            folder = arguments.ct
        else:
            with tarfile.open(arguments.ct) as archive:
                archive.extractall(folder, filter="data")
        yield sorted(folder.rglob("*.dcm")), phantom


def drawn_of(phantom: Phantom, manifest: Manifest) -> Drawn:
    """Return the phantom's own organs as probabilities, by the shape of the grid: random weights draw noise."""
    grids = [make(phantom.volume, manifest) for make in (box_grid, whole_grid)]
    return {
        tuple(map(len, grid.at)): np.stack(
            [grid.down(phantom.masks[organ].astype(np.float32)).astype(np.float16) for organ in manifest.organs]
        )
        for grid in grids
    }


def ways_of(model: Model, device: torch.device, few: int, said: Drawn) -> dict[str, Timed]:
    """Return the ways in the order in which they run; with `said` all of them are timed on few slices.

    What the plain network says is what the paper's way would have said: the weights are the same.
    """
    plain, some = InFloat32(model.network), few if said else None
    known = (model.manifest, model.digest)
    organs = len(model.manifest.organs)
    return {
        PLAIN: Timed(*known, plain, device, whole=True, few=some, said=said, clock=Clock(device)),
        PAPER: Timed(*known, plain, device, whole=True, few=few, passes=organs, said=said, clock=Clock(device)),
        BOXED: Timed(*known, InFloat32(in_air(model.network)), device, few=some, said=said, clock=Clock(device)),
        NODE: Timed(*known, node_network(model), device, few=some, said=said, clock=Clock(device)),
    }


def node_network(model: Model) -> nn.Module:
    """Return the network as the node has it."""
    return on_engine(model.network, model.manifest.variant.in_channels).network


def take_turns(paths: Sequence[Path], model: Model, ways: Mapping[str, Timed], rounds: int) -> dict[str, list[Run]]:
    """Return the runs of each way, from the slowest on."""
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            fresh = replace(way, network=node_network(model)) if name == NODE else way
            runs[name].append(run(paths, fresh))
            print(f"round {number + 1} of {rounds}: {name}, {runs[name][-1].total.wall:.1f} s", flush=True)
    return {name: runs[name] for name in (PAPER, PLAIN, BOXED, NODE)}


def median(values: Sequence[Seconds], device: torch.device) -> float:
    """Return the median of what is compared."""
    return statistics.median(value.on(device) for value in values)


def print_stages(runs: Mapping[str, Sequence[Run]], device: torch.device) -> None:
    """Print seconds by stage and way."""
    print(f"\n| way | {' | '.join(STAGES)} | together | on the wall | times as fast | peak, MiB |")
    print("|---" * (len(STAGES) + 5) + "|")
    slowest = median([one.total for one in runs[PAPER]], device)
    for name, some in runs.items():
        stages = " | ".join(f"{median([one.seconds[stage] for one in some], device):.2f}" for stage in STAGES)
        total = median([one.total for one in some], device)
        wall = statistics.median(one.total.wall for one in some)
        peak = statistics.median(one.peak_mib for one in some)
        print(f"| {name} | {stages} | {total:.2f} | {wall:.2f} | {slowest / total:.1f} | {peak:.0f} |")


def print_rates(
    volume: Volume, model: Model, ways: Mapping[str, Timed], runs: Mapping[str, Sequence[Run]], device: torch.device
) -> None:
    """Print what is computed, and how fast beside a matrix product."""
    print("\n| way | TFLOP | GFLOP/s | matrix product, GFLOP/s | share | within convolutions, GFLOP/s | share |")
    print("|---|---|---|---|---|---|---|")
    for name in runs:
        way = ways[name]
        slices, rows, columns = map(len, (whole_grid if way.whole else box_grid)(volume, model.manifest).at)
        one = flops_of(model.manifest, rows, columns)
        flops = one * slices * way.passes
        numbers = numbers_of(device) if name == NODE else torch.float32
        reached = flops / median([each.seconds["network"] for each in runs[name]], device)
        best = product_rate(device, torch.float16 if device.type == "cuda" and name == NODE else numbers)
        cell = max(model.manifest.variant.output_stride, model.manifest.variant.stem_stride)
        shape = CONVOLVED, model.manifest.variant.in_channels, rows + -rows % cell, columns + -columns % cell
        if isinstance(way.network, Compiled):
            seconds = seconds_in_openvino(in_air(model.network), numbers, torch.rand(shape), 3)
        else:
            batch = torch.rand(shape).to(device, numbers, memory_format=torch.channels_last)
            seconds = seconds_in_convolutions(way.network, batch, 3)
        within = CONVOLVED * one / seconds
        shares = f"{best / 1e9:.0f} | {reached / best:.2f} | {within / 1e9:.0f} | {within / best:.2f}"
        print(f"| {name} | {flops / 1e12:.2f} | {reached / 1e9:.0f} | {shares} |", flush=True)


def print_factors(volume: Volume, model: Model, runs: Mapping[str, Sequence[Run]], device: torch.device) -> None:
    """Print what each part gives of the network's time, as factors; their product is the whole."""
    took = {name: median([one.seconds["network"] for one in some], device) for name, some in runs.items()}
    whole, box = (make(volume, model.manifest).at for make in (whole_grid, box_grid))
    slices = len(whole[0]) / len(box[0])
    print(
        f"\n| what gives it | times as fast |\n|---|---|\n| one trunk for {len(model.manifest.organs)} organs |", end=""
    )
    print(f" {took[PAPER] / took[PLAIN]:.1f} |\n| the slices that have a body | {slices:.2f} |")
    print(f"| the body's box within them | {took[PLAIN] / took[BOXED] / slices:.2f} |")
    print(f"| the engine and short numbers | {took[BOXED] / took[NODE]:.2f} |")
    print(f"| the network in all | {took[PAPER] / took[NODE]:.1f} |")


def print_likeness(runs: Mapping[str, Sequence[Run]], phantom: Phantom | None) -> None:
    """Print the DSC of the node's masks with those of the other ways, and of all with the truth where it is known."""
    found = runs[NODE][0].organs
    truth = ["| plain, with the truth | node, with the truth |", "|---|---|"] if phantom else ["|", "|"]
    print(f"\n| organ | node with box in float32 | node with whole slices {truth[0]}\n|---|---|---{truth[1]}")
    for organ, mask in found.items():
        others = [runs[way][0].organs.get(organ) for way in (BOXED, PLAIN)]
        alike = [dice(mask.full(), other.full()) if other else 0.0 for other in others]
        if phantom:
            alike += [dice(one.full(), phantom.masks[organ]) if one else 0.0 for one in (others[1], mask)]
        print(f"| {organ} | {' | '.join(f'{value:.4f}' for value in alike)} |")


def compare_engines(arguments: argparse.Namespace, model: Model, paths: Sequence[Path], said: Drawn) -> None:
    """Have engines contour a series in turn, and print how they compare."""
    device = torch.device("cpu")
    known = (model.manifest, model.digest)
    few = arguments.few if said else None

    def timed(network: nn.Module, *, whole: bool = False) -> Timed:
        return Timed(*known, network, device, few=few, said=said, whole=whole, clock=Clock(device))

    plain, boxed = InFloat32(model.network), InFloat32(in_air(model.network))
    beside = {PLAIN: run(paths, timed(plain, whole=True)).organs, BOXED: run(paths, timed(boxed)).organs}
    some = candidates(arguments.engines, model.network, model.manifest.variant.in_channels, timed)
    runs: dict[str, list[Run]] = {name: [] for name in some}
    for number in range(arguments.rounds):
        for name, candidate in some.items():
            runs[name].append(run(paths, candidate.way))
            print(f"round {number + 1} of {arguments.rounds}: {name}", flush=True)
    print(f"\n{model.manifest.name}, {len(paths)} slices; {describe_device(device)}; load {os.getloadavg()[0]:.0f}")
    print_engines(some, runs, beside)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--variant", choices=["small", "full"], default="small")
    parser.add_argument("--bundle", default="demo")
    parser.add_argument("--ct", type=Path, help="a CT series, a folder or a tar; else a phantom's")
    parser.add_argument("--slices", type=int, default=150, help="of the phantom, 2 mm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--few", type=int, default=4, help="slices that stand for all in the paper's way")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), help="compare these on the processor")
    arguments = parser.parse_args()
    if arguments.variant == "full" and arguments.ct is not None:
        parser.error("the full variant has random weights: what it draws is a phantom's own organs")
    device = choose_device("cpu" if arguments.engines else arguments.device)
    model = model_of(arguments, device)
    with series(arguments) as (paths, phantom), torch.inference_mode():
        said = drawn_of(phantom, model.manifest) if phantom and arguments.variant == "full" else {}
        if arguments.engines:
            compare_engines(arguments, model, paths, said)
            return
        ways = ways_of(model, device, arguments.few, said)
        runs = take_turns(paths, model, ways, arguments.rounds)
        volume = read_ct_series(paths).volume
    print(f"\n{model.manifest.name}, {len(paths)} slices, {volume.grid.rows} x {volume.grid.columns}; ", end="")
    print(f"{describe_device(device)}; {arguments.rounds} rounds; load {os.getloadavg()[0]:.0f}")
    scaled = "every way" if arguments.variant == "full" else PAPER
    print(f"Network of {scaled}: timed on {arguments.few} slices, and scaled to all.")
    print_stages(runs, device)
    print_rates(volume, model, ways, runs, device)
    print_factors(volume, model, runs, device)
    if arguments.variant == "small":
        print_likeness(runs, phantom)


if __name__ == "__main__":
    main()
