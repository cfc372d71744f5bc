"""The steps of a night that judge: both models on the gate's cases, the verdict, the version, the dossier."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from adaptation.case_record import CaseRecord
from adaptation.dossier import Change, Dossier, Learning, encoded
from adaptation.dossier_page import page_of
from adaptation.errors import CaseError
from adaptation.evaluate import judge_case
from adaptation.evidence import Evidence, Flags, Harm, Integrity, Outcome, Pair, Shadow, Verdict
from adaptation.gate import judge
from adaptation.harms import harms_of
from adaptation.integrity import examine_integrity
from adaptation.labelled_ct import Case
from adaptation.learnt_from import read_learnt_from, write_learnt_from
from adaptation.looks import next_share
from adaptation.night import Night, folder_of, learner_of
from adaptation.partition import Part
from adaptation.readiness import Kind
from adaptation.report import About
from adaptation.run_forgetting import MARK as FORGOTTEN
from adaptation.run_forgetting import note_forgotten
from adaptation.run_plan import Learner, Plan
from adaptation.score_file import CaseOutcome, encode_outcome, ending_of, parse_outcome
from segmentation.bundle import read_manifest
from segmentation.device import choose_device
from segmentation.durable import write_whole
from segmentation.network.engine import engine_of
from segmentation.network.merging import merge
from segmentation.network.places import places_after
from segmentation.plausibility import implausible
from segmentation.predict import Predictor, load_predictor

SITE, BASE = "site", "source"
SCHEDULE = "the schedule"
PROMOTED = "promoted"


def keep_scores(night: Night) -> None:
    """Have both models judged on every case that the gate needs; each case is kept by itself.

    Raises:
        Paused: clinical work waits; what was judged stays.
        CaseError: a case cannot be read.
    """
    plan = night.run.plan()
    score_both(night, plan, candidate_of(night))
    night.run.keep("scores", {"gate": len(plan.cases[Part.GATE]), "base": len(night.regression)})


def candidate_of(night: Night) -> Learner:
    """Return what the training wrote, as a plan names a bundle."""
    return learner_of(night.candidate)


def score_both(night: Night, plan: Plan, candidate: Learner) -> None:
    """Judge the model in service and the candidate on every case of the gate and of the base that is still there.

    Raises:
        Paused: clinical work waits; what was judged stays.
        CaseError: a case cannot be read.
        AdaptationError: one of the models is to be judged anew and is not there any more.
    """
    for learner in (plan.current, candidate):
        score_cases(night, learner, gate_cases(night, plan), SITE)
        score_cases(night, learner, night.regression, BASE)


def gate_cases(night: Night, plan: Plan) -> list[Case]:
    """Return the cases of a plan's gate, but for those that were forgotten since."""
    return [night.case_of(each) for each in plan.cases[Part.GATE] if each.name != FORGOTTEN]


def score_cases(night: Night, learner: Learner, cases: Sequence[Case], kind: str) -> None:
    """Judge a model on cases that it was not judged on before."""
    predictor: Predictor | None = None
    for case in cases:
        path = path_of_scores(night, learner.digest, case, kind)
        if path.exists():
            continue
        predictor = predictor or load_predictor(folder_of(learner), night.device, night.engine)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, encode_outcome(outcome_of(predictor, case)))
        night.give_way()


def outcome_of(predictor: Predictor, case: Case) -> CaseOutcome:
    """Return what a model does on a case.

    Raises:
        CaseError: it cannot be read.
    """
    labelled = case.load()
    contouring = predictor.predict(labelled.volume)
    scores = judge_case(case.name, contouring.organs, labelled, predictor.manifest.organs)
    odd = implausible(contouring.organs, labelled.volume.grid)
    return CaseOutcome(tuple(scores), harms_of(case.name, contouring.organs, labelled), bool(odd))


def path_of_scores(night: Night, digest: str, case: Case, kind: str) -> Path:
    """Return the file of what a model did on a case; a patient's files are in the patient's folder.

    Another engine has other files: two models are compared as one engine computes them.
    """
    owner = case.patient if kind == SITE else BASE
    engine = engine_of(night.engine, choose_device(night.device))
    return night.root / "scores" / owner / f"{case.name.replace('/', '_')}.{engine}{ending_of(digest)}"


def outcomes(night: Night, digest: str, cases: Sequence[Case], kind: str) -> list[CaseOutcome]:
    """Return what a model did on cases.

    Raises:
        CaseError: it was not judged on one.
    """
    found = []
    for case in cases:
        path = path_of_scores(night, digest, case, kind)
        if not path.is_file():
            raise CaseError(f"the scores of {case.name} are not there")
        found.append(parse_outcome(path.read_bytes()))
    return found


def forget_old_scores(night: Night) -> None:
    """Delete the scores of models that are neither the base nor a version, nor of the run whose version is watched.

    Those of another definition go too.
    """
    versions = night.registry.versions(night.model)
    kept = {version.digest for version in versions} | {learner_of(night.base).digest}
    kept |= {
        str(run.read("train")["digest"])
        for run in night.runs.all()
        if run.has("register") and run.read("register")["digest"] in kept
    }
    for path in (night.root / "scores").rglob("*.json"):
        if not any(path.name.endswith(ending_of(digest)) for digest in kept):
            path.unlink(missing_ok=True)


def keep_integrity(night: Night) -> None:
    """Look at the candidate's files, and at how fast it is."""
    plan = night.run.plan()
    trained = places_after(read_manifest(night.candidate).variant, night.settings.freeze_through)
    found = examine_integrity(
        night.candidate,
        folder_of(plan.base),
        folder_of(plan.current),
        trained=trained,
        device=night.device,
        engine=night.engine,
        volume=night.golden,
        clock=night.seconds,
    )
    ratio = found.latency_ratio
    night.run.keep("integrity", {"faults": list(found.faults), "latency_ratio": ratio if ratio == ratio else None})  # noqa: PLR0124  # NaN


def evidence_of(night: Night, plan: Plan, candidate: Learner, alpha: float, shadow: Shadow | None = None) -> Evidence:
    """Return all that the gate is told of a run's candidate; what an update of the node made stale is judged anew.

    Raises:
        Paused: clinical work waits; what was judged stays.
        CaseError: a case cannot be read.
        AdaptationError: one of the models is to be judged anew and is not there any more.
    """
    score_both(night, plan, candidate)
    gate = gate_cases(night, plan)
    sides = [outcomes(night, each.digest, gate, SITE) for each in (plan.current, candidate)]
    base = [outcomes(night, each.digest, night.regression, BASE) for each in (plan.current, candidate)]
    integrity = night.run.read("integrity")
    ratio = integrity["latency_ratio"]
    return Evidence(
        alpha=alpha,
        integrity=Integrity(tuple(integrity["faults"]), float("nan") if ratio is None else float(ratio)),
        gate=_pair(sides),
        harms=_harms(sides[1]),
        frozen=plan.frozen,
        only_shadow=plan.lacks if plan.kind is Kind.SHADOW_ONLY else (),
        base=_pair(base) if night.regression else None,
        flags=Flags(len(gate), *(sum(one.is_flagged for one in side) for side in sides)),
        shadow=shadow,
    )


def _pair(sides: Sequence[Sequence[CaseOutcome]]) -> Pair:
    current, candidate = (tuple(score for one in side for score in one.scores) for side in sides)
    return Pair(current, candidate)


def _harms(side: Sequence[CaseOutcome]) -> tuple[Harm, ...]:
    return tuple(harm for one in side for harm in one.harms)


def keep_verdict(night: Night) -> None:
    """Take the look at the gate: what it spends is spent from here on, whatever comes of it."""
    plan, now = night.run.plan(), night.clock()
    share = next_share(night.runs.looks(), now, night.limits.looks)
    verdict = judge(evidence_of(night, plan, candidate_of(night), share.alpha), night.limits.gate)
    night.run.keep("judge", {**said_of(verdict, now), "generation": plan.generation})


def said_of(verdict: Verdict, at: datetime) -> dict[str, Any]:
    """Return a verdict as a run keeps it."""
    return {
        "at": at.isoformat(),
        "alpha": verdict.alpha,
        "lets_through": verdict.lets_through,
        "outcome": verdict.outcome.value,
        "organs": list(verdict.organs),
        "stays": dict(verdict.stays),
        "reasons": list(verdict.reasons),
    }


def keep_version(night: Night) -> None:
    """Keep what the gate did not refuse as a version, in the shadow or, where the site wants that, in service."""
    plan, verdict = night.run.plan(), night.run.read("judge")
    outcome = Outcome(verdict["outcome"])
    if outcome is Outcome.REFUSED:
        night.run.keep("register", {"digest": "", "what": "refused"})
        return
    bundle = bundle_for(night, plan, verdict["organs"])
    version = night.registry.add(
        night.model, bundle, origin=f"run {plan.run}", by=plan.by or SCHEDULE, at=night.clock(), parent=plan.base.digest
    )
    what = "added"
    if outcome is Outcome.SHADOW:
        night.registry.set_shadow(
            night.model, version.digest, by=plan.by or SCHEDULE, why=f"run {plan.run}", at=night.clock()
        )
        what = "runs in the shadow"
    elif outcome is Outcome.PASSED and night.promotes:
        what = promote(night, version.digest, f"run {plan.run} passed the gate")
    night.run.keep("register", {"digest": version.digest, "what": what})


def promote(night: Night, digest: str, why: str) -> str:
    """Put a version into service, unless a kill came just behind that or the node objects; return what was done."""
    service = night.registry.current(night.model).version
    if service is None or service.digest != digest:
        if objection := night.objection(night.registry.find(night.model, digest)):
            return f"not promoted: {objection}"
        night.registry.promote(night.model, digest, by=SCHEDULE, why=why, at=night.clock())
    return PROMOTED


def bundle_for(night: Night, plan: Plan, organs: Sequence[str]) -> Path:
    """Return the bundle that may go into service: the candidate, or the model in service with some organs of it."""
    known = read_manifest(night.candidate).organs
    if set(organs) >= set(known):
        return night.candidate
    out = night.run.work / "merged"
    merge(folder_of(plan.current), night.candidate, organs, out, version=plan.run)
    learnt = {*read_learnt_from(folder_of(plan.current)), *read_learnt_from(night.candidate)}
    write_learnt_from(out, sorted(learnt))
    return out


def keep_dossier(night: Night) -> None:
    """Write the change dossier, for a program and for a physicist."""
    verdict = night.run.read("judge")
    alpha, plan = float(verdict["alpha"]), night.run.plan()
    write_dossier(night, plan, evidence_of(night, plan, candidate_of(night), alpha))
    night.run.keep("report", {"files": ["dossier.json", "dossier.html"]})


def write_dossier(night: Night, plan: Plan, evidence: Evidence) -> None:
    """Write `dossier.json` and `dossier.html` into the run's folder."""
    verdict = judge(evidence, night.limits.gate)
    trained = night.run.read("train")
    records = {record.name: record for record in night.store.all_records()}
    cases = [records[each.name] for cases in plan.cases.values() for each in cases if each.name in records]
    digest = str(trained["digest"])
    dossier = Dossier(
        change=Change(
            run=plan.run,
            at=datetime.fromisoformat(night.run.read("judge")["at"]),
            occasion=plan.occasion,
            current=About(plan.current.name, plan.current.digest),
            candidate=About(f"{plan.base.name.partition(' ')[0]} {trained['version']}", digest),
            base=About(plan.base.name, plan.base.digest),
            place=trained["place"],
            layers=int(trained["layers"]),
            generation=plan.generation,
        ),
        cases=tuple(cases),
        left_out=_left_out(list(night.store.records())),
        learning=Learning(
            settings={**trained["settings"], **{name: str(value) for name, value in vars(night.settings).items()}},
            seed=plan.seed,
            software=night.software,
            seconds=60 * float(trained["minutes"]),
            losses=[(int(step), float(loss)) for step, loss in trained["losses"]],
            tuning=[(int(step), float(dice)) for step, dice in trained["tuning"]],
            kept_step=trained["kept_step"],
        ),
        evidence=evidence,
        verdict=verdict,
        limits=night.limits,
        looks=night.runs.looks(),
        undo=f"dicomnode models rollback {night.model}",
    )
    write_whole(night.run.folder / "dossier.json", json.dumps(encoded(dossier), indent=1, allow_nan=False).encode())
    write_whole(night.run.folder / "dossier.html", page_of(dossier).encode())
    note_forgotten(night.run)


def _left_out(records: Sequence[CaseRecord]) -> dict[str, int]:
    """Return why cases of the store are not learnt from, and how many each."""
    return dict(Counter(reason for record in records if record.status.value != "admitted" for reason in record.reasons))
