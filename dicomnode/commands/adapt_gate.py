"""`adapt gate`: the cases that judge, how much they were looked at, and their renewal by a named person."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from adaptation.case_record import Status
from adaptation.gate_generations import Renewal, belongs, cases_of, judging_generation, read_renewals, renew
from adaptation.looks import wear_of
from adaptation.partition import Part
from dicomnode.commands.adapt_history import runs_of
from dicomnode.config import Configuration
from dicomnode.node import case_store


@dataclass(frozen=True)
class GateView:
    """The gate's cases.

    Args:
        generation: that judges.
        cases: of it, admitted.
        since: UTC, when its first case was filed; None without one.
        looks: that were taken at it.
        needed: cases that a run needs.
        gathered: generation that newcomers belong to; the same where none is gathered beside.
        gathered_cases: of that one.
        retired: admitted cases of the generations before; they neither judge nor are learnt from.
        warning: that the cases are worn out; empty while they are not.
        renewals: all of them.
    """

    generation: int
    cases: int
    since: datetime | None
    looks: int
    needed: int
    gathered: int
    gathered_cases: int
    retired: int
    warning: str
    renewals: tuple[Renewal, ...]


def view_gate(configuration: Configuration, now: datetime) -> GateView:
    """Return how the gate's cases stand.

    Raises:
        AdaptationError: the records of cases, runs or renewals cannot be read.
    """
    store, limits = case_store(configuration), configuration.nights
    records, renewals = store.records(), read_renewals(store.folder.parent)
    looks, newest = runs_of(configuration).looks(), 1 + len(renewals)
    judges = judging_generation(records, looks, newest, limits.run.gate)
    mine = [record for record in records if belongs(record, judges) and record.status is Status.ADMITTED]
    of_these = [look for look in looks if look.generation == judges]
    older = [record for record in records if record.part is Part.GATE and record.generation < judges]
    return GateView(
        generation=judges,
        cases=len(mine),
        since=min((record.filed for record in mine), default=None),
        looks=len(of_these),
        needed=limits.run.gate,
        gathered=newest,
        gathered_cases=cases_of(records, newest),
        retired=sum(record.status is Status.ADMITTED for record in older),
        warning=wear_of(of_these, now, limits.looks) if newest == judges else "",
        renewals=renewals,
    )


def renew_gate(configuration: Configuration, by: str, why: str, now: datetime) -> Renewal:
    """Open the next generation of the gate's cases, by a person's word.

    Raises:
        AdaptationError: nobody or nothing is named, or the newest generation is not full yet.
        OSError: the disk refuses.
    """
    store = case_store(configuration)
    least = configuration.nights.run.gate
    return renew(store.folder.parent, store.records(), least, by=by, why=why, at=now)


def gate_json(view: GateView) -> dict[str, Any]:
    """Return how the gate's cases stand as JSON has it."""
    return {
        **asdict(view),
        "since": view.since.isoformat() if view.since else None,
        "renewals": [{**asdict(one), "at": one.at.isoformat()} for one in view.renewals],
    }
