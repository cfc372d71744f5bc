"""The steps of a night that learn: features of the locked trunk, how many steps there is time for, the training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from adaptation.build import Workshop, as_written, describe, predictor_of, prepare_cases
from adaptation.calibration import calibrate
from adaptation.errors import AdaptationError, CaseError
from adaptation.feature_batches import FeatureSampler, View
from adaptation.features import CacheSettings, FeatureMaker, Source
from adaptation.history import mean_of
from adaptation.journal import Journal
from adaptation.learnt_from import read_learnt_from, write_learnt_from
from adaptation.lesson import Lesson
from adaptation.limits import SMALL_ORGANS
from adaptation.looks import is_worth_a_look
from adaptation.night import Night, folder_of
from adaptation.partition import Part
from adaptation.presets import Wish, recipe_of
from adaptation.recipes import Recipe
from adaptation.run_plan import Plan, PlannedCase
from adaptation.samples import Prepared, Sampler, Variation, prepare
from adaptation.site_batches import mixed
from adaptation.state import State
from adaptation.train import Checkpoint, train
from adaptation.tuning import Tuner, dice_of
from segmentation.bundle import WEIGHTS, Manifest, bundle_digest, read_manifest
from segmentation.durable import write_whole
from segmentation.network.beginning import new_segmenter
from segmentation.network.checkpoint import write_bundle
from segmentation.network.cut import Rest, locked_places
from segmentation.network.places import counted_layers, places
from segmentation.network.segmenter import Segmenter
from segmentation.predict import load_predictor

SOURCE = "source"  # folder of the features of cases that are not the site's
PACE_STEPS = 6  # that are timed; the first one is not counted
PACE_SHARE = 0.9  # of the time box that is planned with
CHECKPOINT_EVERY = 50  # steps that a kill may cost
SPENT_EVERY = 10  # steps, of which a kill may forget the time
BOX_SLACK = 1.5  # times the time box, after which a training ends where it is: the machine became slower


def recipe_for(night: Night, plan: Plan, steps: int | None = None) -> Recipe:
    """Return how the run trains: the site's recipe from its base, with the settings of the site."""
    settings = night.settings
    base = read_manifest(folder_of(plan.base))
    wish = Wish(
        name=base.name,
        version=plan.run,
        preset="site",
        organs=base.organs,
        voxel_mm=(base.preprocessing.slice_mm, base.preprocessing.pixel_mm, base.preprocessing.pixel_mm),
        frozen=settings.freeze_through,
        steps=steps or settings.steps,
        seed=plan.seed,
        batch=settings.batch or None,
    )
    recipe = recipe_of(wish, base)
    training = replace(
        recipe.training,
        learning_rate=settings.rate * recipe.training.learning_rate,
        # It brings back lenses that a network has lost, and makes a cord wider than it is.
        foreground=recipe.training.foreground if SMALL_ORGANS & set(base.organs) else 0.0,
        average=settings.average,
        blend=settings.blend,
        tune_every=settings.tune_every,
        patience=settings.patience,
        checkpoint_every=CHECKPOINT_EVERY,
        warm_up=min(recipe.training.warm_up, recipe.training.steps // 10),
    )
    data = f"{base.provenance.data}; cases of the site, run {plan.run}"
    return replace(recipe, training=training, data=data, licence=base.provenance.licence)


def fresh_network(night: Night, plan: Plan, recipe: Recipe) -> Segmenter:
    """Return the base's network, on the device that trains."""
    network = new_segmenter(recipe.variant, recipe.organs, recipe.training.seed, folder_of(plan.base))
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network.to(device_of(night))


def device_of(night: Night) -> torch.device:
    """Return the device that trains."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if night.device == "auto" else night.device)


def keep_features(night: Night) -> None:
    """Have the features of every case made, as many views as the disk has room for.

    Raises:
        Paused: clinical work waits; the views that are made stay.
        CaseError: a case cannot be read.
    """
    plan = night.run.plan()
    recipe = recipe_for(night, plan)
    sources = [*_site_sources(night, plan, recipe), *_base_sources(night, recipe)]
    if not night.settings.keep_features or not locked_places(recipe.variant, recipe.training.trained):
        night.run.keep("features", {"views": 0, "why": "no features are kept by the settings"})
        return
    maker = _maker(night, recipe, fresh_network(night, plan, recipe))
    views = maker.affordable_views(sources[0], len(sources), plan.first_view)
    paths: list[Path] = []
    for source in sources:
        wanted = _views_of(source, plan, views)
        is_there = all(maker.path_of(source, view).exists() for view in wanted)
        paths += maker.make(source, wanted)
        if not is_there:
            night.give_way()
    maker.keep_only(paths)
    why = "" if views else "the disk has no room for one view of each case"
    night.run.keep("features", {"views": views, "why": why, "mib": sum(p.stat().st_size for p in paths) >> 20})


def _maker(night: Night, recipe: Recipe, network: Segmenter) -> FeatureMaker:
    settings = night.settings
    cache = CacheSettings(settings.views, settings.samples, settings.features_mib)
    # The seed is the run's; a view is to be found again in the next night.
    steady = replace(recipe, training=replace(recipe.training, seed=0))
    return FeatureMaker(night.root / "features", network, steady, cache)


def _views_of(source: Source, plan: Plan, views: int) -> range:
    """Return the numbers of a case's views: one of them is new each night; the source's cases keep their one."""
    if source.patient == SOURCE:
        return range(min(1, views))
    return range(plan.first_view, plan.first_view + views)


def _site_sources(night: Night, plan: Plan, recipe: Recipe) -> list[Source]:
    return [
        Source(case.patient, case.content, partial(_prepared, night, recipe, case)) for case in plan.cases[Part.TRAIN]
    ]


def _base_sources(night: Night, recipe: Recipe) -> list[Source]:
    def prepared(index: int) -> Prepared:
        return prepare(night.replay[index].load(), recipe.organs, recipe.preprocessing)

    return [Source(SOURCE, case.name, partial(prepared, index)) for index, case in enumerate(night.replay)]


def _prepared(night: Night, recipe: Recipe, planned: PlannedCase) -> Prepared:
    case = night.case_of(planned)
    return prepare(case.load(), recipe.organs, recipe.preprocessing, planned.weights)


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a run learns from.

    Args:
        batch_of: the batch of a step.
        through: what makes logits of its inputs; None for the network itself.
    """

    batch_of: Callable[[int], Lesson]
    through: nn.Module | None


def lessons_of(night: Night, plan: Plan, recipe: Recipe, network: Segmenter) -> Lessons:
    """Return what the run learns from: kept features where there are any, else slices.

    Raises:
        CaseError: a case cannot be read.
        TrainingError: features cannot be read.
    """
    views, seed = int(night.run.read("features")["views"]), recipe.training.seed
    if not isinstance(recipe.variation, Variation):
        raise AdaptationError("a night draws samples around organs")
    site, base = _site_sources(night, plan, recipe), _base_sources(night, recipe)
    if views:
        maker = _maker(night, recipe, network)
        kept = [
            [[View(path) for path in maker.make(source, _views_of(source, plan, views))] for source in some]
            for some in (site, base)
        ]
        share = night.settings.source_share
        sampler = FeatureSampler(kept[0], recipe.variation.slices, replay=kept[1], replay_share=share)
        rest = Rest(network, locked_places(recipe.variant, recipe.training.trained))
        return Lessons(lambda step: sampler.batch(seed, step), rest)
    drawing = [_sampler(some, recipe, share) for some, share in _shares(site, base, night, recipe.variation.slices)]
    return Lessons(lambda step: mixed([one.batch(seed, step) for one in drawing], seed, step), None)


def _shares(
    site: Sequence[Source], base: Sequence[Source], night: Night, size: int
) -> list[tuple[Sequence[Source], int]]:
    """Return whose samples a batch has, and how many."""
    of_base = round(size * night.settings.source_share) if base else 0
    return [(site, size - of_base), *([(base, of_base)] if of_base else [])]


def _sampler(some: Sequence[Source], recipe: Recipe, size: int) -> Sampler:
    if not isinstance(recipe.variation, Variation):
        raise AdaptationError("a night draws samples around organs")
    variation = replace(recipe.variation, slices=size)
    return Sampler([one.prepare() for one in some], recipe.organs, recipe.preprocessing.context, variation)


def keep_pace(night: Night) -> None:
    """Time a few steps and a look at the tuning cases, and write down how many steps there is time for.

    The look is at the model in service: a candidate that is no better on these cases is not shown to the gate.
    """
    plan = night.run.plan()
    recipe = recipe_for(night, plan)
    network = fresh_network(night, plan, recipe)
    lessons, marks = lessons_of(night, plan, recipe, network), [night.seconds()]
    short = replace(recipe.training, steps=PACE_STEPS, patience=0)
    train(
        network,
        lessons.batch_of,
        recipe.preprocessing,
        short,
        through=lessons.through,
        report=lambda _state: marks.append(night.seconds()),
    )
    step_s = median(after - before for before, after in pairwise(marks[1:]))
    tuner, began = tuner_of(night, plan, recipe), night.seconds()
    current = dsc_in_service(night, plan, tuner) if tuner else None
    look_s = (night.seconds() - began) if tuner else 0.0
    each_s = step_s + look_s / night.settings.tune_every
    room = PACE_SHARE * night.settings.minutes * 60 / each_s if each_s > 0 else night.settings.steps
    steps = max(1, min(night.settings.steps, int(room)))
    night.run.keep(
        "pace", {"steps": steps, "step_s": round(step_s, 4), "look_s": round(look_s, 2), "current_dsc": current}
    )


def dsc_in_service(night: Night, plan: Plan, tuner: Tuner) -> float:
    """Return the mean DSC of the model in service on the tuning cases, computed as the candidate's is."""
    return mean_of(dice_of(load_predictor(folder_of(plan.current), night.device, as_trained=True), tuner.cases))


def tuner_of(night: Night, plan: Plan, recipe: Recipe) -> Tuner | None:
    """Return what looks at the tuning cases; None where nothing was drawn in any."""
    cases = [night.case_of(each) for each in plan.cases[Part.TUNE]]
    prepared = [case for case in prepare_cases(cases, recipe, lambda _text: None) if case.labels.any()]
    shop = Workshop(night.run.work, device_of(night), "dicomnode adapt")
    return Tuner(predictor_of(recipe, shop), prepared) if prepared else None


def keep_training(night: Night) -> None:
    """Train, or go on, and write the candidate.

    Raises:
        Paused: clinical work waits; the checkpoint is kept.
        TrainingError: the loss is no number or jumps.
        CaseError: a case cannot be read.
    """
    plan = night.run.plan()
    recipe = recipe_for(night, plan, int(night.run.read("pace")["steps"]))
    network = fresh_network(night, plan, recipe)
    lessons, watch = lessons_of(night, plan, recipe, network), _Watch(night, recipe)
    weights = train(
        network,
        lessons.batch_of,
        recipe.preprocessing,
        recipe.training,
        through=lessons.through,
        checkpoint=Checkpoint(
            night.run.work / "checkpoint", f"{plan.run} {plan.base.digest}", night.must_pause, watch.must_end
        ),
        tune=tuner_of(night, plan, recipe),
        team=night.team,
        report=watch,
    )
    if not night.team.leads:
        return
    state = watch.state
    if state is None:
        raise CaseError("there was no step to take")
    cases = len(plan.cases[Part.TRAIN])
    about = describe(recipe, cases, watch.minutes, "dicomnode adapt run")
    # The base's calibration is of the base's weights: a candidate has its own, or none.
    tune = [night.case_of(each) for each in plan.cases[Part.TUNE]]
    about = about.model_copy(update={"calibration": calibrate(as_written(about, weights), tune)})
    manifest = write_bundle(night.candidate, about, weights)
    learnt = [case.name for part in (Part.TRAIN, Part.TUNE) for case in plan.cases[part]]
    known = read_learnt_from(folder_of(plan.base))
    write_learnt_from(night.candidate, [*known, *learnt, *(case.name for case in night.replay)])
    night.run.keep("train", _came_to(manifest, recipe, state, watch.minutes))


def takes_a_look(night: Night) -> bool:
    """Whether the candidate is so good on the tuning cases, where there are any, that the gate is to see it."""
    current, tuning = night.run.read("pace")["current_dsc"], night.run.read("train")["tuning"]
    if current is None or not tuning:
        return True
    return is_worth_a_look(max(dsc for _, dsc in tuning) - current, night.limits.looks)


class _Watch:
    """Keeps the journal of a training, its last state, and how long it has taken in all turns."""

    def __init__(self, night: Night, recipe: Recipe) -> None:
        self.state: State | None = None
        self._seconds = night.seconds
        self._began = night.seconds()
        self._box = BOX_SLACK * night.settings.minutes
        self._leads = night.team.leads
        self._journal = Journal(night.run.folder, recipe.organs)
        self._spent = night.run.work / "minutes"
        self._before = float(self._spent.read_text()) if self._spent.exists() else 0.0

    @property
    def minutes(self) -> float:
        """Since the training began, without what lay between its turns."""
        return self._before + (self._seconds() - self._began) / 60

    def must_end(self) -> bool:
        """Whether the time is up, though it was planned to be enough: what there is comes out."""
        return self.minutes > self._box

    def __call__(self, state: State) -> None:
        self.state = state
        if self._leads:
            self._journal(state)
            if state.step % SPENT_EVERY == 0:
                write_whole(self._spent, str(self.minutes).encode())


def _came_to(manifest: Manifest, recipe: Recipe, state: State, minutes: float) -> dict[str, Any]:
    history, training = state.history, recipe.training
    with torch.device("meta"):
        layers = counted_layers(Segmenter(recipe.variant, len(recipe.organs)), training.trained)
    return {
        "digest": bundle_digest(manifest),
        "weights": manifest.sha256[WEIGHTS],
        "version": recipe.version,
        "place": next(place for place in places(recipe.variant) if place in training.trained),
        "layers": layers,
        "steps": state.step,
        "planned_steps": training.steps,
        "kept_step": history.best_step,
        "minutes": round(minutes, 2),
        "losses": [[step, round(loss, 6)] for step, loss in history.loss_curve()],
        "tuning": [[step, round(mean_of(dice), 5)] for step, dice in sorted(history.tuning.items())],
        "settings": {name: str(value) for name, value in vars(training).items() if name != "trained"},
    }
