"""One cell, from its cases to its result file; what was begun is gone on with."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from adaptation.build import describe
from adaptation.history import mean_of
from adaptation.learnt_from import write_learnt_from
from adaptation.recipes import Recipe
from adaptation.samples import Prepared, Sampler, prepare
from adaptation.score_file import DEFINITION
from adaptation.state import State
from adaptation.train import Checkpoint, train
from adaptation.training import Training
from adaptation.tuning import Tuner
from benchmarks.transfer.cells import Cell
from benchmarks.transfer.judge import judged, predictor_with
from benchmarks.transfer.unet import Peer
from benchmarks.transfer.worlds import Centres, recipe_of
from segmentation.durable import written_whole
from segmentation.network.beginning import new_segmenter
from segmentation.network.checkpoint import write_bundle
from segmentation.network.segmenter import Segmenter

RESULT, PROGRESS, PEER, BUNDLE = "result.json", "progress.json", "peer.safetensors", "bundle"
LOOKS = 4  # at the target's first cases on the way; they choose nothing
LOOKED_AT = 4  # cases
TIMED_STEPS = 8


@dataclass(frozen=True)
class Bench:
    """Where cells are made.

    Args:
        folder: a folder a cell.
        centres: of the cell's world.
        say: told what happens.
    """

    folder: Path
    centres: Centres
    say: Callable[[str], None]

    def of(self, cell: Cell) -> Path:
        """Return a cell's folder."""
        return self.folder / cell.name


def is_done(folder: Path, cell: Cell) -> bool:
    """Whether a cell has its result, as it is judged now."""
    path = folder / cell.name / RESULT
    return path.exists() and json.loads(path.read_text()).get("definition") == DEFINITION


def run(cell: Cell, bench: Bench) -> None:
    """Train a cell, if its weights are not there, judge it, and write its result."""
    recipe = recipe_of(cell)
    given = bench.centres.bundle if cell.model == "S" else None
    progress = Progress(bench.of(cell) / PROGRESS)
    known = given is not None or (bench.of(cell) / weights_of(cell)).exists()
    network = finished(cell, recipe, bench) if known else beginning(cell, recipe, bench)
    if given is None:
        training = replace(recipe.training, steps=steps_of(cell, recipe, network, bench, progress))
        recipe = replace(recipe, training=training)
    if not known:
        learn_from = bench.centres.source if cell.model == "S" else bench.centres.target[: cell.cases]
        prepared = [prepare(case.load(), recipe.organs, recipe.preprocessing) for case in learn_from]
        bench.say(f"{cell.name}: {len(prepared)} cases, {recipe.training.steps} steps")
        network.load_state_dict(_trained(cell, recipe, network, prepared, bench=bench, progress=progress))
        keep(cell, recipe, network, bench)
    home = judged(network, recipe, bench.centres.at_home) if cell.model == "S" else None
    away = judged(network, recipe, bench.centres.test)
    result = {
        **asdict(cell),
        "definition": DEFINITION,
        "steps": recipe.training.steps if given is None else 0,
        "cpu_seconds": progress.cpu_seconds,
        "curve": progress.curve,
        "dice": away.dices,
        "dice_at_home": home.dices if home else {},
        "cpu_seconds_a_slice": away.seconds,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    with written_whole(bench.of(cell) / RESULT) as file:
        file.write(json.dumps(result, indent=1).encode())
    (bench.of(cell) / "checkpoint").unlink(missing_ok=True)
    bench.say(f"{cell.name}: {progress.cpu_seconds:.0f} CPU s, done")


def beginning(cell: Cell, recipe: Recipe, bench: Bench) -> nn.Module:
    """Return the network that a cell begins with."""
    source = cell.source
    if cell.network == "unet":
        torch.manual_seed(recipe.training.seed)
        network: nn.Module = Peer(recipe.variant.in_channels, len(recipe.organs))
        if source:
            network.load_state_dict(load_file(bench.of(source) / PEER))
    else:
        base = (bench.centres.bundle or bench.of(source) / BUNDLE) if source else None
        network = new_segmenter(recipe.variant, recipe.organs, recipe.training.seed, base)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network


def finished(cell: Cell, recipe: Recipe, bench: Bench) -> nn.Module:
    """Return a cell's network with the weights that its training ended with."""
    path = bench.of(cell) / weights_of(cell)
    if cell.network == "unet":
        network: nn.Module = Peer(recipe.variant.in_channels, len(recipe.organs))
        network.load_state_dict(load_file(path))
    else:
        base = (bench.centres.bundle if cell.model == "S" else None) or path
        network = new_segmenter(recipe.variant, recipe.organs, recipe.training.seed, base)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network


def weights_of(cell: Cell) -> str:
    """Return the name of a cell's weights in its folder."""
    return PEER if cell.network == "unet" else BUNDLE


def keep(cell: Cell, recipe: Recipe, network: nn.Module, bench: Bench) -> None:
    """Write the weights: a bundle, which says whom it has learnt from, or the peer's tensors."""
    if isinstance(network, Segmenter):
        folder = bench.of(cell) / BUNDLE
        write_bundle(folder, describe(recipe, cell.cases, 0.0, "benchmarks.transfer"), network.state_dict())
        source = () if cell.model == "T" else bench.centres.source
        write_learnt_from(folder, [case.name for case in (*source, *bench.centres.target[: cell.cases])])
    else:
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, bench.of(cell) / PEER)


class Progress:
    """What a training has cost so far, and what it was seen to reach; kept beside its checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.cpu_seconds: float = kept.get("cpu_seconds", 0.0)
        self.curve: dict[str, list[float]] = kept.get("curve", {})
        self.steps: int = kept.get("steps", 0)

    def keep(self) -> None:
        """Write it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self.path) as file:
            file.write(json.dumps({"cpu_seconds": self.cpu_seconds, "curve": self.curve, "steps": self.steps}).encode())


def steps_of(cell: Cell, recipe: Recipe, network: nn.Module, bench: Bench, progress: Progress) -> int:
    """Return how many steps a cell takes: the recipe's, or for the peer as many as the same CPU time gives."""
    if cell.network != "unet":
        return recipe.training.steps
    if not progress.steps:
        budget = json.loads((bench.of(cell.ours) / RESULT).read_text())["cpu_seconds"]
        prepared = [
            prepare(case.load(), recipe.organs, recipe.preprocessing) for case in bench.centres.target[:LOOKED_AT]
        ]
        progress.steps = round(budget / seconds_a_step(cell, recipe, network, prepared))
        progress.keep()
    return progress.steps


def seconds_a_step(cell: Cell, recipe: Recipe, network: nn.Module, prepared: list[Prepared]) -> float:
    """Return the CPU time of a step, measured on a few; the network is left as it was."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    sampler = Sampler(prepared, recipe.organs, recipe.preprocessing.context, recipe.variation)
    times = []
    train(
        network,  # type: ignore[arg-type]  # the loop asks of a network no more than the peer has
        lambda step: sampler.batch(0, step),
        recipe.preprocessing,
        replace(trained_by(cell, recipe), steps=TIMED_STEPS),
        report=lambda _state: times.append(time.process_time()),
    )
    network.load_state_dict(before)
    return (times[-1] - times[1]) / (len(times) - 2)


def trained_by(cell: Cell, recipe: Recipe) -> Training:
    """Return the training of a cell's network; the whole of the peer is its head."""
    return replace(recipe.training, trained=frozenset({"spp"})) if cell.network == "unet" else recipe.training


def _trained(
    cell: Cell, recipe: Recipe, network: nn.Module, prepared: list[Prepared], *, bench: Bench, progress: Progress
) -> dict[str, torch.Tensor]:
    """Return the weights that a training ends with."""
    training = trained_by(cell, recipe)
    sampler = Sampler(prepared, recipe.organs, recipe.preprocessing.context, recipe.variation)
    looked_at = [
        prepare(case.load(), recipe.organs, recipe.preprocessing)
        for case in (bench.centres.test[:LOOKED_AT] if cell.curve else ())
    ]
    looker = beginning(cell, recipe, bench)
    tuner = Tuner(predictor_with(looker, recipe), looked_at)
    since = time.process_time()

    def report(state: State) -> None:
        nonlocal since
        if state.step % training.checkpoint_every == 0 or state.step == training.steps:
            progress.cpu_seconds += time.process_time() - since
            if looked_at and state.step % (training.steps // LOOKS) == 0:
                look = {f"network.{name}": value for name, value in state.average.items()}
                progress.curve[str(state.step)] = [round(progress.cpu_seconds, 1), mean_of(tuner(look))]
            progress.keep()
            bench.say(f"{cell.name}: step {state.step}, loss {sum(state.history.losses[-50:]) / 50:.3f}")
            since = time.process_time()

    return train(
        network,  # type: ignore[arg-type]  # the loop asks of a network no more than the peer has
        lambda step: sampler.batch(training.seed, step),
        recipe.preprocessing,
        training,
        checkpoint=Checkpoint(bench.of(cell) / "checkpoint", f"{cell.name} {training.steps}"),
        report=report,
    )
