"""From a recipe to a bundle: split, prepare, train, measure on cases never seen, write."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from adaptation.evaluate import Score, evaluate, mean_by_organ
from adaptation.labelled_ct import Case
from adaptation.recipes import Recipe
from adaptation.samples import Sampler, prepare
from adaptation.split import Split, split
from adaptation.train import Progress, train
from segmentation.bundle import Manifest, Measured, Provenance
from segmentation.network.checkpoint import write_bundle
from segmentation.network.segmenter import Segmenter
from segmentation.predict import load_predictor

Say = Callable[[str], None]


def build(
    recipe: Recipe, cases: Sequence[Case], out: Path, *, work: Path, device: torch.device, say: Say = lambda _text: None
) -> Manifest:
    """Train a recipe and write its bundle; what was trained before in `work` is gone on with.

    Args:
        recipe: what to make.
        cases: all of them; the recipe parts them.
        out: folder of the bundle.
        work: folder for the checkpoint.
        device: to train on.
        say: told what is happening, a line each time.

    Raises:
        TrainingError: where the loss is no number or jumps.
    """
    parts = split(cases, unseen=recipe.unseen_share, tune=recipe.tuning_share, seed=recipe.split_seed)
    say(f"{len(parts.learn)} cases to learn from, {len(parts.tune)} to tune, {len(parts.unseen)} never seen")
    started = time.monotonic()
    weights = learn(recipe, parts, work / f"{recipe.name}.checkpoint", device, say)
    minutes = (time.monotonic() - started) / 60
    manifest = describe(recipe, len(parts.learn), minutes)
    figures = measure(manifest, weights, parts.unseen, say)
    return write_bundle(out, manifest.model_copy(update={"measured": figures}), weights)


def learn(recipe: Recipe, parts: Split, checkpoint: Path, device: torch.device, say: Say) -> dict[str, Tensor]:
    """Return the weights of a recipe, the moving average of the training."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    prepared = [prepare(case.load(), recipe.organs, recipe.preprocessing) for case in parts.learn]
    say("the cases are on the network's grid")
    sampler = Sampler(prepared, recipe.organs, recipe.preprocessing.context, recipe.variation)
    torch.manual_seed(recipe.training.seed)
    network = Segmenter(recipe.variant, len(recipe.organs)).to(device)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    return train(
        network,
        lambda number: sampler.batch(recipe.training.seed, number),
        recipe.preprocessing,
        recipe.training,
        checkpoint=checkpoint,
        report=Reporter(say),
    )


class Reporter:
    """Says the mean loss now and then."""

    def __init__(self, say: Say, every: int = 50) -> None:
        self.say = say
        self.every = every
        self.losses: list[float] = []

    def __call__(self, progress: Progress, _average: dict[str, Tensor]) -> None:
        """Note one step."""
        self.losses.append(progress.loss)
        if progress.step % self.every == 0:
            self.say(f"step {progress.step} of {progress.steps}, loss {sum(self.losses) / len(self.losses):.4f}")
            self.losses.clear()


def describe(recipe: Recipe, cases: int, minutes: float) -> Manifest:
    """Return the manifest of what a recipe made, before it is measured."""
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        purpose=recipe.purpose,
        organs=recipe.organs,
        variant=recipe.variant,
        preprocessing=recipe.preprocessing,
        postprocessing=recipe.postprocessing,
        provenance=Provenance(
            data=recipe.data,
            licence=recipe.licence,
            citation=recipe.citation,
            command=f"dicomnode train-bundle {recipe.name}",
            seed=recipe.training.seed,
            steps=recipe.training.steps,
            cases=cases,
            minutes=round(minutes, 1),
        ),
    )


def measure(manifest: Manifest, weights: dict[str, Tensor], cases: Sequence[Case], say: Say) -> Measured:
    """Return what weights reach on cases; what is measured is what is written, 16-bit numbers and all."""
    with TemporaryDirectory() as folder:
        write_bundle(Path(folder), manifest, weights)
        scores = evaluate(load_predictor(Path(folder), "cpu"), cases, report=lambda some: say(line_of(some)))
    return measured(scores, len(cases))


def measured(scores: Sequence[Score], cases: int) -> Measured:
    """Return the figures for a manifest."""
    dice = {organ: round(value, 3) for organ, value in mean_by_organ(scores).items()}
    return Measured(
        cases=f"{cases} cases that were not trained on, on their own grid, after post-processing",
        dice=dice,
        mean_dice=round(sum(dice.values()) / len(dice), 3),
    )


def line_of(scores: Sequence[Score]) -> str:
    """Return one case's scores as a line."""
    return " ".join([scores[0].case, *(f"{score.organ} {score.dice:.2f}" for score in scores)]) if scores else ""
