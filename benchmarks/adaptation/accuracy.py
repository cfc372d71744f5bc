"""How good a model is after how many steps, each way: from nothing, and three ways from a base.

The curves are over steps; how long a step takes is measured for all ways in turns, so that what else the machine does
falls on all alike. The two together say how soon a model is as good.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from adaptation.build import Workshop, predictor_of
from adaptation.features import CacheSettings
from adaptation.history import mean_of
from adaptation.labelled_ct import Case
from adaptation.presets import Wish, recipe_of
from adaptation.recipes import Recipe
from adaptation.samples import Prepared, prepare
from adaptation.state import State
from adaptation.train import Checkpoint, train
from adaptation.tuning import Tuner
from benchmarks.adaptation.ways import WAYS, Way, lessons_of
from benchmarks.transfer.worlds import FROM_NOTHING, TRANSFERRED, centres_of
from segmentation.bundle import read_manifest
from segmentation.network.beginning import new_segmenter, weights_for
from segmentation.network.places import places

NOTHING = "from nothing"
LOOKS = 20  # at the test patients, of each training
VIEWS = CacheSettings(views=3, samples=32)
Curve = Mapping[int, float]


@dataclass(frozen=True)
class Experiment:
    """What is compared.

    Args:
        base: bundle that has seen no patient of the target.
        learn: patients of the target, to learn from.
        test: patients of the target, to look at.
        out: folder where curves and checkpoints are kept.
    """

    base: Path
    learn: tuple[Case, ...]
    test: tuple[Case, ...]
    out: Path

    @property
    def recipe(self) -> Recipe:
        """The base's network, with the samples of the preset `site`."""
        manifest = read_manifest(self.base)
        return recipe_of(Wish("measured", "site", manifest.organs, (3.0, 4.0, 4.0), batch=12), manifest)

    def prepared(self, cases: Sequence[Case]) -> list[Prepared]:
        """Return cases on the network's grid."""
        return [prepare(case.load(), self.recipe.organs, self.recipe.preprocessing) for case in cases]


def experiment(data: Path, base: Path, out: Path, *, patients: int, judged: int) -> Experiment:
    """Return the comparison on the target of OpenKBP."""
    out.mkdir(parents=True, exist_ok=True)
    centres = centres_of("real", data)
    return Experiment(base, centres.target[:patients], centres.test[:judged], out)


def curve_of(way: Way | str, one: Experiment) -> Curve:
    """Return mean DSC over organs and test patients by step; 0 is the base. What was measured is not measured again."""
    path = one.out / f"{way.replace(' ', '-')}.json"
    if path.exists():
        return {int(step): float(dsc) for step, dsc in json.loads(path.read_text()).items()}
    settings = FROM_NOTHING if way == NOTHING else TRANSFERRED
    training = replace(settings, trained=frozenset(places(one.recipe.variant)), tune_every=settings.steps // LOOKS)
    recipe = replace(one.recipe, training=training)
    network = new_segmenter(recipe.variant, recipe.organs, 1, None if way == NOTHING else one.base)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    from_base: Way = next((each for each in WAYS if each == way), "all places")
    lessons = lessons_of(
        from_base, recipe, network, one.prepared(one.learn), cache=one.out / "features", settings=VIEWS
    )
    tuner = Tuner(predictor_of(recipe, Workshop(one.out, torch.device("cpu"), "")), one.prepared(one.test))
    states: list[State] = []

    def noted(state: State) -> None:
        states[:] = [state]
        if state.step in state.history.tuning:
            print(f"{way}: step {state.step}, DSC {mean_of(state.history.tuning[state.step]):.4f}", flush=True)

    train(
        network,
        lessons.batch_of,
        recipe.preprocessing,
        lessons.recipe.training,
        through=lessons.through,
        checkpoint=Checkpoint(one.out / f"{way.replace(' ', '-')}.checkpoint", str(way)),
        tune=tuner,
        report=noted,
    )
    curve = {step: mean_of(dice) for step, dice in sorted(states[0].history.tuning.items())}
    if way != NOTHING:
        curve = {0: mean_of(tuner(weights_for(one.base, recipe.organs))), **curve}
    path.write_text(json.dumps(curve, indent=1))
    return curve


def first_step(curve: Curve, dsc: float) -> int | None:
    """Return the first step at which a curve is as good; None if it never is."""
    return next((step for step, value in sorted(curve.items()) if value >= dsc), None)
