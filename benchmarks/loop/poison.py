"""Poisoned nights, of which half of the patients are wrong: what admission keeps out, and what the gate does then.

Each seed is a night of its own with ten good patients and ten whose contours went wrong in one way. Only patients whom
admission admits as they are take part: one of the target's has a cord of 1.4 l. Admission judges the ten wrong ones as
it would when they come. Then all of them are learnt from, as if it had let everything through, and the gate
judges the candidate. What it lets into service is held against patients whom neither the training nor the gate has: a
promotion that does harm is one after which their mean DSC, or that of an organ by more than .02, is lower.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptation.admission import Evidence, judge_case
from adaptation.admission_limits import AdmissionLimits
from adaptation.case_arrays import digest_of
from adaptation.case_record import Origin, Structure
from adaptation.cases import CaseStore, NewCase
from adaptation.edits import compare_with_sent
from adaptation.evaluate import evaluate
from adaptation.labelled_ct import Case, LabelledCt
from adaptation.measures import measure
from adaptation.night import Night
from adaptation.nightly import advance
from adaptation.partition import Part, part_for
from adaptation.population import population_of
from benchmarks.loop.nights import mean_by_organ
from benchmarks.loop.world import FIRST_NIGHT, World
from segmentation.organ_mask import OrganMask
from segmentation.predict import Predictor, load_predictor
from segmentation.volume import Volume
from tests.support.poison import POISONS, Bench, poisoned

GOOD, WRONG, JUDGES = slice(0, 10), slice(10, 20), slice(20, 30)  # of the sound patients of the target
STEPS = 300
LARGEST_DROP = 0.02  # of an organ's mean DSC, on patients whom nobody has seen


def run_seed(world: World, seed: int, out: Path) -> dict[str, Any]:
    """Return what came of one poisoned night; it is kept and not run again."""
    path = out / f"poison-{seed:02d}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    kind = list(POISONS)[seed % len(POISONS)]
    rng = np.random.default_rng(seed)
    predictor = load_predictor(world.base, "cpu")
    sound = sound_cases(world, predictor)
    wrong = [case for case in _wrong(sound[WRONG], kind, rng) if case is not None]
    night = _night(world, sound[GOOD], seed)
    reasons = [_admission(night.store, name, case, predictor) for name, case in wrong]
    for name, case in wrong:
        _file(night.store, name, Part.TRAIN, case, 1)
    while not advance(night).is_ended:
        pass
    came = {
        "seed": seed,
        "kind": kind,
        "poisoned": len(wrong),
        "kept_out": sum(bool(each) for each in reasons),
        "end": night.run.read("end")["text"],
        "reasons": night.run.read("judge")["reasons"] if night.run.has("judge") else [],
        **_harm(sound[JUDGES], night, predictor),
    }
    path.write_text(json.dumps(came, indent=1))
    shutil.rmtree(night.root.parent, ignore_errors=True)
    return came


def sound_cases(world: World, predictor: Predictor) -> tuple[Case, ...]:
    """Return the target's patients to learn from whom admission admits as their physicians drew them; kept."""
    path = world.folder / "sound.json"
    if not path.exists():
        nobody = CaseStore(world.folder / "nobody")
        names = [one.name for one in world.centres.target if not _admission(nobody, one.name, _drawn(one), predictor)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(names, indent=1))
    names = json.loads(path.read_text())
    return tuple(case for case in world.centres.target if case.name in names)


def _wrong(cases: Sequence[Case], kind: str, rng: np.random.Generator) -> list[tuple[str, LabelledCt] | None]:
    """Return the patients with what is wrong; one that cannot go wrong so is left out."""
    loaded = [case.load() for case in cases]
    made = []
    for index, case in enumerate(cases):
        bad = poisoned(kind, Bench(_drawn(case), loaded[(index + 1) % len(loaded)], rng))
        made.append(None if bad is None else (case.name, bad))
    return made


def _night(world: World, good: Sequence[Case], seed: int) -> Night:
    """Return a night over a store of its own with the gate and the good patients; features and scores are shared."""
    template = world.folder / "template"
    if not (template / "cases").exists():
        store = CaseStore(template / "unfinished")
        for part, cases in ((Part.GATE, world.centres.test), (Part.TRAIN, good)):
            for case in cases:
                _file(store, case.name, part, case.load(), 1)
        store.folder.rename(template / "cases")
    root = world.folder / f"seed-{seed:02d}" / "adaptation"
    shutil.rmtree(root.parent, ignore_errors=True)
    root.mkdir(parents=True)
    shutil.copytree(template / "cases", root / "cases")
    for name in ("features", "scores"):
        (world.folder / name).mkdir(exist_ok=True)
        (root / name).symlink_to(world.folder / name)
    world.configuration().node.data_dir.mkdir(parents=True, exist_ok=True)  # no node ran here that made it
    night = world.night(1)
    golden = world.centres.test[0].load().volume
    registry = type(night.registry)(root.parent / "models")
    settings = replace(night.settings, steps=STEPS, tune_every=STEPS)
    limits = replace(night.limits, gate=replace(night.limits.gate, latency_ratio=2.0))  # a busy machine
    return replace(
        night, root=root, name=f"seed-{seed:02d}", store=CaseStore(root / "cases"), registry=registry,
        settings=settings, limits=limits, golden=lambda: golden,
    )  # fmt: skip


def _file(store: CaseStore, name: str, part: Part, case: LabelledCt, number: int) -> None:
    """File a patient's contours as approved, whatever admission says."""
    patient = pseudonym(name, part)
    structures = {organ: Structure(Origin.DE_NOVO, None, values) for organ, values in measure(case).items()}
    filed = FIRST_NIGHT - timedelta(hours=number)
    new = NewCase(patient, f"ct{patient}", f"set{patient}", structures, month=f"{filed:%Y-%m}")
    drawn = {organ: mask for organ, mask in case.masks.items() if organ in structures}
    volume = Volume(case.volume.hu.astype(np.int16), case.volume.grid)
    store.file(new, LabelledCt(volume, drawn), filed)


def pseudonym(name: str, part: Part) -> str:
    """Return a pseudonym that the salted hash puts into a part."""
    plain = "".join(letter for letter in name if letter.isalnum())
    return next(found for number in range(10_000) if part_for(found := f"{plain}x{number}", 0) is part)


def _admission(store: CaseStore, name: str, case: LabelledCt, predictor: Predictor) -> tuple[str, ...]:
    """Return why admission would set a poisoned case aside: what it looks at, and what the node had sent."""
    sent = predictor.predict(case.volume).organs
    grid = case.volume.grid
    edits = {
        organ: compare_with_sent(organ, OrganMask.from_full(mask), sent[organ], grid)
        for organ, mask in _filled(case.masks).items()
        if organ in sent
    }
    limits, records = AdmissionLimits(), store.records()
    evidence = Evidence(f"new{name}", f"ct{name}", digest_of(case), measure(case), edits)
    return judge_case(evidence, records, population_of(records, limits.prior_patients), limits)


def _filled(masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    return {organ: mask for organ, mask in masks.items() if mask.any()}


def _harm(unseen: Sequence[Case], night: Night, base: Predictor) -> dict[str, Any]:
    """Return what the version that went into service does on patients whom nobody has seen, and whether it is harm."""
    version = night.registry.current(night.model).version
    if version is None:
        return {"promoted": False, "harmful": False}
    judges = [Case(one.name, one.group, partial(_drawn, one)) for one in unseen]
    before, after = (mean_by_organ(evaluate(each, judges)) for each in (base, load_predictor(version.folder, "cpu")))
    worse = [organ for organ in before if after[organ] < before[organ] - (0.0 if organ == "mean" else LARGEST_DROP)]
    return {"promoted": True, "harmful": bool(worse), "worse": worse, "before": before, "after": after}


def _drawn(case: Case) -> LabelledCt:
    loaded = case.load()
    return replace(loaded, masks=_filled(loaded.masks))
