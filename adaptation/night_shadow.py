"""The shadow: what the candidate draws on newly approved patients beside the model in service, and what follows.

By day a version in the shadow contours what was delivered, and loses an organ or does not. By night it and the model in
service contour the patients that were approved since, on whom neither has learnt, and both are held against what was
approved.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from adaptation.case_record import CaseRecord
from adaptation.errors import AdaptationError, CaseError
from adaptation.evidence import Outcome, Shadow
from adaptation.gate import judge
from adaptation.gate_pairs import surface_dsc
from adaptation.night import Night, folder_of, learner_of
from adaptation.night_judging import (
    BASE,
    PROMOTED,
    SITE,
    evidence_of,
    gate_cases,
    outcomes,
    path_of_scores,
    promote,
    said_of,
    score_cases,
    write_dossier,
)
from adaptation.night_plan import admitted
from adaptation.run_plan import Learner, Plan
from adaptation.runs import Run
from adaptation.score_file import CaseOutcome

SCHEDULE = "the schedule"


def judge_shadow(night: Night) -> None:
    """Judge again what runs in the shadow, if anything does, and if enough patients came for that.

    Raises:
        Paused: clinical work waits; what was judged stays.
        CaseError: a case cannot be read.
    """
    run = shadowed_run(night)
    if run is None:
        night.run.keep("shadow", {"run": "", "outcome": "nothing runs in the shadow"})
        return
    before = replace(night, name=run.name)
    plan, alpha = run.plan(), float(run.read("judge")["alpha"])
    candidate = shadowed_candidate(night, run)
    if why := _stale(before, plan, candidate):
        night.registry.set_shadow(night.model, "", by=SCHEDULE, why=why, at=night.clock())
        what = f"it was taken out of the shadow: {why}"
        night.run.keep("shadow", {"run": run.name, "what": what, "outcome": Outcome.REFUSED.value, "reasons": [why]})
        return
    evidence = evidence_of(before, plan, candidate, alpha, watched(night, plan))
    verdict = judge(evidence, night.limits.gate)
    digest = run.read("register")["digest"]
    if verdict.outcome is not Outcome.SHADOW:
        write_dossier(before, plan, evidence)
    if verdict.outcome is Outcome.REFUSED:
        night.registry.set_shadow(night.model, "", by=SCHEDULE, why="; ".join(verdict.reasons), at=night.clock())
    what = "it waits for a person" if verdict.outcome in {Outcome.PASSED, Outcome.PERSON} else ""
    if verdict.outcome is Outcome.PASSED and night.promotes:
        what = promote(night, digest, f"run {run.name} passed the gate and the shadow")
        why = "it went into service" if what == PROMOTED else what
        night.registry.set_shadow(night.model, "", by=SCHEDULE, why=why, at=night.clock())
    night.run.keep("shadow", {"run": run.name, "what": what, **said_of(verdict, night.clock())})


def shadowed_run(night: Night) -> Run | None:
    """Return the run whose version is in the shadow and was not judged for good; None where there is none."""
    version = night.registry.shadow(night.model)
    if version is None:
        return None
    found = [
        run for run in night.runs.all() if run.has("register") and run.read("register")["digest"] == version.digest
    ]
    return found[-1] if found else None


def shadowed_candidate(night: Night, run: Run) -> Learner:
    """Return the candidate of a run whose version is in the shadow: its bundle is that version, or not kept."""
    digest, name = str(run.read("train")["digest"]), str(run.read("train")["version"])
    version = night.registry.shadow(night.model)
    is_kept = version is not None and version.digest == digest
    return Learner(str(version.folder) if version and is_kept else "", digest, name)


def _stale(night: Night, plan: Plan, candidate: Learner) -> str:
    """Return why a candidate cannot be held against the model in service any more; nothing where it can be."""
    if _in_service(night) not in {plan.current.digest, _shadowed(night)}:  # its own: a kill came behind a promotion
        return f"another model is in service than {plan.current.name}, against which it was judged"
    try:
        folder_of(plan.current)
    except AdaptationError:
        return f"{plan.current.name}, against which it was judged, is not there any more"
    try:
        cases = gate_cases(night, plan)
    except CaseError:
        return "a case of its gate was replaced or set aside, and is kept no longer"
    if candidate.folder or (
        all(path_of_scores(night, candidate.digest, case, SITE).exists() for case in cases)
        and all(path_of_scores(night, candidate.digest, case, BASE).exists() for case in night.regression)
    ):
        return ""
    return (
        "the node judges otherwise since an update, and the candidate of which single organs went over is not there"
        " any more to be judged anew"
    )


def _in_service(night: Night) -> str:
    """Return the digest of what serves: a version, or the base."""
    service = night.registry.current(night.model).version
    return service.digest if service else learner_of(night.base).digest


def _shadowed(night: Night) -> str:
    """Return the digest of the version in the shadow."""
    version = night.registry.shadow(night.model)
    return version.digest if version else ""


def watched(night: Night, plan: Plan) -> Shadow:
    """Return what both models draw on the patients that were approved since the shadow began."""
    began = night.registry.shadow(night.model)
    if began is None:
        return Shadow(0, 0.0, (), (), ())
    since = began.record.added
    new = [record for record in admitted(night.store.records()) if record.filed > since]
    fresh = _unseen(new, plan)
    cases = [night.store.case_of(record) for record in fresh]
    sides = []
    for learner in (plan.current, learner_of(began.folder)):
        folder_of(learner)
        score_cases(night, learner, cases, SITE)
        sides.append(outcomes(night, learner.digest, cases, SITE))
    return Shadow(
        patients=len(cases),
        days=(night.clock() - since) / timedelta(days=1),
        current=tuple(_surface(one) for one in sides[0]),
        candidate=tuple(_surface(one) for one in sides[1]),
        harms=tuple(harm for one in sides[1] for harm in one.harms),
    )


def _unseen(records: Sequence[CaseRecord], plan: Plan) -> list[CaseRecord]:
    """Return the cases of patients whom the run did not have."""
    return [record for record in records if record.patient not in plan.patients]


def _surface(outcome: CaseOutcome) -> float:
    """Return the mean surface DSC over the organs of a case."""
    values = [surface_dsc(score) for score in outcome.scores]
    return sum(values) / len(values) if values else 0.0
