"""The first step of a night: whether there is enough to learn from, and what is learnt from."""

from collections.abc import Sequence
from datetime import datetime

from adaptation.case_record import CaseRecord, Status
from adaptation.gate_generations import judging_generation, open_generation, taking_part
from adaptation.looks import next_share
from adaptation.night import Night, learner_of
from adaptation.readiness import Past, Readiness, readiness, take_census
from adaptation.run_plan import Plan, encode_plan, is_started, planned, seed_of
from adaptation.runs import PLAN
from segmentation.bundle import verify_bundle
from segmentation.registry_history import Act


def make_plan(night: Night) -> Plan:
    """Return what the run is about to do."""
    now = night.clock()
    generation = judging(night)
    records = taking_part(admitted(night.store.records()), generation)
    found = judge_readiness(night, records, now)
    service = night.registry.current(night.model).version
    base = learner_of(night.base)
    return Plan(
        run=night.name,
        at=now,
        occasion=_occasion(night, records),
        by=night.by,
        starts=is_started(found, forced=night.force),
        kind=found.kind,
        reasons=found.reasons,
        lacks=found.lacks,
        frozen=found.frozen,
        base=base,
        current=learner_of(service.folder) if service else base,
        cases=planned(records),
        seed=seed_of(night.name),
        first_view=len(night.runs.looks()),
        generation=generation,
    )


def judging(night: Night) -> int:
    """Return the generation of the gate's cases that judges now."""
    newest = open_generation(night.root)
    return judging_generation(night.store.records(), night.runs.looks(), newest, night.limits.run.gate)


def keep_plan(night: Night) -> None:
    """Decide and write down what the run does."""
    night.run.keep(PLAN, encode_plan(make_plan(night)))


def admitted(records: Sequence[CaseRecord]) -> list[CaseRecord]:
    """Return the cases that may be learnt from."""
    return [record for record in records if record.status is Status.ADMITTED]


def judge_readiness(night: Night, records: Sequence[CaseRecord], now: datetime) -> Readiness:
    """Return whether there is enough, and every reason why not."""
    last = night.runs.last_look()
    promotions = [entry.at for entry in night.registry.history(night.model) if entry.act is Act.PROMOTED]
    past = Past(
        last_run=last.at if last else None,
        last_promotion=promotions[-1] if promotions else None,
        share=next_share(night.runs.looks(), now, night.limits.looks),
    )
    organs = verify_bundle(night.base).organs
    census = take_census(records, _seen(last))
    return readiness(census, organs, past, now, night.limits.run)


def _seen(last: Plan | None) -> frozenset[str]:
    return last.names if last else frozenset()


def _occasion(night: Night, records: Sequence[CaseRecord]) -> str:
    last = night.runs.last_look()
    new = len({record.name for record in records} - _seen(last))
    since = f"since the run {last.run}" if last else "and no run before"
    asked = f"{night.by} asked for it" if night.by else "the schedule"
    return f"{asked}; {new} new cases {since}{'; what is waited for was not waited for' if night.force else ''}"
