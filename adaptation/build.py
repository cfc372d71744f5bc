"""From a recipe to a bundle: split, prepare, train, measure on cases never seen, write."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from adaptation.ahead import one_ahead
from adaptation.calibration import calibrate
from adaptation.errors import CaseError, TrainingError
from adaptation.evaluate import Score, evaluate, mean_by_organ
from adaptation.journal import Journal
from adaptation.labelled_ct import Case
from adaptation.learnt_from import read_learnt_from, write_learnt_from
from adaptation.recipes import Recipe
from adaptation.samples import Batch, Prepared, Sampler, prepare
from adaptation.split import Split, split
from adaptation.state import State, Weights
from adaptation.team import ALONE, Team
from adaptation.train import Checkpoint, train
from adaptation.tuning import Tuner
from adaptation.whole_slices import SliceSampler, WholeSlices
from segmentation.bundle import MANIFEST, Manifest, Measured, Provenance, sha256_of
from segmentation.network.beginning import is_bundle, new_segmenter
from segmentation.network.checkpoint import write_bundle
from segmentation.network.segmenter import Segmenter
from segmentation.predict import Predictor, load_predictor

Say = Callable[[str], None]
CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Workshop:
    """Where a training takes place.

    Args:
        work: folder of its checkpoint, log and curves.
        device: to train on.
        command: that does it again, for the manifest.
        team: of processes.
        say: told what is happening, a line each time.
        watch: told after every step, with the number of all steps.
    """

    work: Path
    device: torch.device
    command: str
    team: Team = ALONE
    say: Say = lambda _text: None
    watch: Callable[[State, int], None] = lambda _state, _steps: None


def build(recipe: Recipe, cases: Sequence[Case], out: Path, shop: Workshop, *, base: Path | None = None) -> Manifest:
    """Train a recipe and write its bundle; what was trained before in the folder of work is gone on with.

    Args:
        recipe: what to make.
        cases: all of them; the recipe parts them.
        out: folder of the bundle.
        shop: where.
        base: a bundle or a file of weights to begin with.

    Raises:
        CaseError: where no case is left to learn from.
        TrainingError: where the loss is no number or jumps, or the checkpoint is of another training.
        BundleError: where the base does not fit.
    """
    parts = split(cases, unseen=recipe.unseen_share, tune=recipe.tuning_share, seed=recipe.split_seed)
    known = read_learnt_from(base) if base and is_bundle(base) else frozenset()
    parts = replace(parts, unseen=tuple(case for case in parts.unseen if case.name not in known))
    shop.say(f"{len(parts.learn)} cases to learn from, {len(parts.tune)} to tune, {len(parts.unseen)} never seen")
    started = time.monotonic()
    weights, learnt = learn(recipe, parts, shop, base)
    minutes = (time.monotonic() - started) / 60
    manifest = describe(recipe, learnt, minutes, shop.command)
    if not shop.team.leads:
        return manifest
    predictor = as_written(manifest, weights)
    told = {
        "measured": measure(predictor, parts.unseen, shop.say),
        # What the base has learnt from would seem surer than anything that is still to come.
        "calibration": calibrate(predictor, [case for case in parts.tune if case.name not in known], shop.say),
    }
    written = write_bundle(out, manifest.model_copy(update=told), weights)
    write_learnt_from(out, [*known, *(case.name for case in (*parts.learn, *parts.tune))])
    return written


def learn(recipe: Recipe, parts: Split, shop: Workshop, base: Path | None) -> tuple[Weights, int]:
    """Return the weights of a recipe, and from how many cases they are."""
    prepared = prepare_cases(parts.learn, recipe, shop.say)
    if not any(case.was_drawn.any() for case in prepared):
        raise CaseError("there is no case left to learn from")
    tuning = [case for case in prepare_cases(parts.tune, recipe, shop.say) if case.labels.any()]
    shop.say("the cases are on the network's grid")
    network = new_segmenter(recipe.variant, recipe.organs, recipe.training.seed, base).to(shop.device)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    if not recipe.training.trained:
        return network.state_dict(), 0
    batch_of = batches(recipe, prepared)
    journal = Journal(shop.work, recipe.organs)
    if shop.team.leads:
        journal.note("start", cases=len(prepared), tuning_cases=len(tuning), organs=list(recipe.organs))

    def report(state: State) -> None:
        if shop.team.leads:
            journal(state)
            shop.watch(state, recipe.training.steps)

    try:
        # On the processor, drawing ahead would only take cores from the network.
        with one_ahead(batch_of) if shop.device.type == "cuda" else nullcontext(batch_of) as drawn:
            weights = train(
                network,
                drawn,
                recipe.preprocessing,
                recipe.training,
                checkpoint=Checkpoint(shop.work / CHECKPOINT, name_of(recipe, parts, base)),
                tune=Tuner(predictor_of(recipe, shop), tuning) if tuning else None,
                team=shop.team,
                report=report,
            )
    except TrainingError as error:
        journal.note("stopped", reason=str(error))
        raise
    return weights, len(prepared)


def prepare_cases(cases: Sequence[Case], recipe: Recipe, say: Say) -> list[Prepared]:
    """Return cases on the network's grid; what cannot be read is said and left out."""
    prepared = []
    for case in cases:
        try:
            labelled = case.load()
        except CaseError as error:
            say(f"{case.name} is left out: {error}")
            continue
        for note in labelled.notes:
            say(f"{case.name}: {note}")
        prepared.append(prepare(labelled, recipe.organs, recipe.preprocessing))
    return prepared


def batches(recipe: Recipe, prepared: Sequence[Prepared]) -> Callable[[int], Batch]:
    """Return the batch of a step, as the recipe draws it."""
    context, seed = recipe.preprocessing.context, recipe.training.seed
    sampler = (
        SliceSampler(prepared, recipe.organs, context, recipe.variation)
        if isinstance(recipe.variation, WholeSlices)
        else Sampler(prepared, recipe.organs, context, recipe.variation)
    )
    return lambda step: sampler.batch(seed, step)


def predictor_of(recipe: Recipe, shop: Workshop) -> Predictor:
    """Return a predictor of the recipe's network for weights that are still to come."""
    network = Segmenter(recipe.variant, len(recipe.organs)).eval().requires_grad_(False)  # torch's own signature
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    return Predictor(describe(recipe, 0, 0.0, shop.command), "", network.to(shop.device), shop.device)


def name_of(recipe: Recipe, parts: Split, base: Path | None) -> str:
    """Return what names a training: its recipe, its cases, and what it began with."""
    about = {
        "recipe": asdict(recipe),
        "learn": [case.name for case in parts.learn],
        "tune": [case.name for case in parts.tune],
        "base": sha256_of(base / MANIFEST if is_bundle(base) else base) if base else "",
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return a part of a recipe as JSON has it."""
    return sorted(value) if isinstance(value, frozenset) else value.model_dump(mode="json")


def describe(recipe: Recipe, cases: int, minutes: float, command: str) -> Manifest:
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
            command=command,
            seed=recipe.training.seed,
            steps=recipe.training.steps,
            cases=cases,
            minutes=round(minutes, 1),
        ),
    )


def as_written(manifest: Manifest, weights: Weights) -> Predictor:
    """Return a predictor of what is about to be written, 16-bit numbers and all."""
    with TemporaryDirectory() as folder:
        write_bundle(Path(folder), manifest, weights)
        return load_predictor(Path(folder), "cpu")


def measure(predictor: Predictor, cases: Sequence[Case], say: Say) -> Measured | None:
    """Return what a model reaches on cases; None where there is no case to measure on."""
    scores = evaluate(predictor, cases, report=lambda some: say(line_of(some)))
    return measured(scores, len(cases)) if scores else None


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
