"""Nights with 5, 10, 20 and all patients, and nights that bring nothing new; each is kept and not run again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.evaluate import Score
from adaptation.night import Night, learner_of
from adaptation.night_judging import SITE, outcomes, score_cases
from adaptation.nightly import advance, next_step
from adaptation.partition import Part
from benchmarks.loop.world import World

COUNTS = (5, 10, 20, 40)  # patients to learn from; the last night has as many of the 40 as admission admits
AGAIN = 4  # nights after the last one, with the same patients: nothing is to be gained


def run_nights(world: World, out: Path) -> list[dict[str, Any]]:
    """Return what came of each night; the test patients come first and are the gate."""
    out.mkdir(parents=True, exist_ok=True)
    world.come(world.centres.test)
    found, before = [], 0
    for number, count in enumerate((*COUNTS, *[COUNTS[-1]] * AGAIN), start=1):
        path = out / f"night-{number}.json"
        if not path.exists():
            admitted = world.come_until(count)
            night = world.night(number, force=count == before)
            path.write_text(json.dumps(finished(night, admitted), indent=1))
        found.append(json.loads(path.read_text()))
        before = count
    return found


def finished(night: Night, count: int) -> dict[str, Any]:
    """Take the turns of a night that has so many patients to learn from to its end; return what came of it."""
    current = night.registry.current(night.model).version
    before = learner_of(current.folder if current else night.base)
    gate_before = in_service(night, before)
    candidate: dict[str, float] = {}
    while step := next_step(night):
        print(f"{night.name}: {step}", flush=True)
        if step == "judge":
            digest = str(night.run.read("train")["digest"])
            candidate = mean_by_organ(gate_scores(night, digest))
        if advance(night).is_ended:
            break
    serving = night.registry.current(night.model).version
    after = learner_of(serving.folder if serving else night.base)
    has_verdict = night.run.has("judge")
    verdict = night.run.read("judge") if has_verdict else {}
    return {
        "night": night.name,
        "patients": count,
        "end": night.run.read("end")["text"],
        "outcome": verdict.get("outcome", night.run.read("end")["outcome"]),
        "organs": verdict.get("organs", []),
        "alpha": verdict.get("alpha"),
        "reasons": verdict.get("reasons", []),
        "before": gate_before,
        "candidate": candidate,
        "in_service": in_service(night, after),
        "version": after.name,
        "minutes": night.run.read("train").get("minutes") if night.run.has("train") else None,
    }


def in_service(night: Night, learner: Any) -> dict[str, float]:
    """Return a model's mean DSC on the gate's patients, by organ; the mean over organs under `mean`."""
    gate = [night.store.case_of(one) for one in night.store.records() if one.part is Part.GATE]
    score_cases(night, learner, gate, SITE)
    found = [score for one in outcomes(night, learner.digest, gate, SITE) for score in one.scores]
    return mean_by_organ(found)


def gate_scores(night: Night, digest: str) -> list[Score]:
    """Return the scores of a model on the gate's patients."""
    gate = [night.store.case_of(one) for one in night.store.records() if one.part is Part.GATE]
    return [score for one in outcomes(night, digest, gate, SITE) for score in one.scores]


def mean_by_organ(scores: list[Score]) -> dict[str, float]:
    """Return the mean DSC of each organ, and the mean over organs."""
    organs = list(dict.fromkeys(score.organ for score in scores))
    found: Mapping[str, float] = {
        organ: float(np.mean([score.dice for score in scores if score.organ == organ])) for organ in organs
    }
    return {**found, "mean": float(np.mean(list(found.values())))} if found else {}
