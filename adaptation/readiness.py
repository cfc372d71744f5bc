"""Whether a run of adaptation may start tonight, and every reason why not (pure)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from adaptation.case_record import CaseRecord, Origin
from adaptation.limits import RunLimits
from adaptation.looks import Share
from adaptation.partition import Part


@dataclass(frozen=True)
class Census:
    """What there is to learn from.

    Args:
        parts: admitted cases of each part.
        organs: how many of them have each organ, by part and organ.
        new: cases that the run before did not have.
        gate_de_novo: share of the gate's organs that were drawn from nothing; 0 where there are none.
    """

    parts: Mapping[Part, int]
    organs: Mapping[tuple[Part, str], int]
    new: int
    gate_de_novo: float


class Kind(StrEnum):
    """What a run may lead to."""

    FULL = "full"
    SHADOW_ONLY = "shadow only"
    NONE = "none"


@dataclass(frozen=True)
class Readiness:
    """Whether a run may start.

    Args:
        kind: what it may lead to.
        lacks: too few cases of something, a sentence each; nobody can force these.
        waits: what passes with time or new cases; a person may start a run all the same.
        frozen: organs that stay with the model in service, and why.
    """

    kind: Kind
    lacks: tuple[str, ...]
    waits: tuple[str, ...]
    frozen: Mapping[str, str]

    @property
    def may_start(self) -> bool:
        """Whether a run may start by itself."""
        return self.kind is not Kind.NONE and not self.waits

    @property
    def reasons(self) -> tuple[str, ...]:
        """Everything that stands against a full run."""
        return (*self.lacks, *self.waits)


def take_census(cases: Sequence[CaseRecord], seen: Collection[str]) -> Census:
    """Count admitted cases.

    Args:
        cases: the newest revision of each.
        seen: names of those that the run before had; an organ approved anew makes a new one.
    """
    of_gate = [one for case in cases if case.part is Part.GATE for one in case.structures.values()]
    drawn = sum(one.origin is Origin.DE_NOVO for one in of_gate)
    return Census(
        parts=Counter(case.part for case in cases),
        organs=Counter((case.part, organ) for case in cases for organ in case.structures),
        new=sum(case.name not in seen for case in cases),
        gate_de_novo=drawn / len(of_gate) if of_gate else 0.0,
    )


@dataclass(frozen=True)
class Past:
    """What went before.

    Args:
        last_run: when the last run that took a look began; None if none did.
        last_promotion: None if there was none.
        share: what a look at the gate may spend now, as all looks before left it.
    """

    last_run: datetime | None
    last_promotion: datetime | None
    share: Share


def readiness(census: Census, organs: Sequence[str], past: Past, now: datetime, limits: RunLimits) -> Readiness:
    """Return whether a run may start.

    Args:
        census: what there is to learn from.
        organs: that the model in service knows.
        past: what went before.
        now: with its time zone.
        limits: what is demanded.
    """
    frozen = {organ: why for organ in organs if (why := _too_few(census, organ, limits))}
    short = _shortages(census, limits)
    if len(frozen) == len(organs):
        short.append("no organ has enough cases of its own")
    train = census.parts.get(Part.TRAIN, 0)
    lacks_for_service = []
    if train < limits.train:
        lacks_for_service.append(f"{train} cases to learn from, {limits.train} are needed")
    if not census.gate_de_novo >= limits.gate_de_novo:
        lacks_for_service.append(
            f"{census.gate_de_novo:.0%} of the gate's organs were drawn from nothing,"
            f" {limits.gate_de_novo:.0%} are needed"
        )
    best = Kind.SHADOW_ONLY if lacks_for_service else Kind.FULL
    kind = Kind.NONE if short or train < limits.train_shadow else best
    return Readiness(kind, (*short, *lacks_for_service), tuple(_waits(census, past, now, limits)), frozen)


def _shortages(census: Census, limits: RunLimits) -> list[str]:
    """Return what is too little for any run."""
    tune, gate = census.parts.get(Part.TUNE, 0), census.parts.get(Part.GATE, 0)
    return [
        *([f"{tune} cases to tune with, {limits.tune} are needed"] if tune < limits.tune else []),
        *([f"{gate} cases of the gate, {limits.gate} are needed"] if gate < limits.gate else []),
    ]


def _too_few(census: Census, organ: str, limits: RunLimits) -> str:
    """Return why an organ stays as it is, or nothing."""
    train, gate = census.organs.get((Part.TRAIN, organ), 0), census.organs.get((Part.GATE, organ), 0)
    if train < limits.organ_train:
        return f"{organ}: drawn in {train} cases to learn from, {limits.organ_train} are needed"
    if gate < limits.organ_gate:
        return f"{organ}: drawn in {gate} cases of the gate, {limits.organ_gate} are needed"
    return ""


def _waits(census: Census, past: Past, now: datetime, limits: RunLimits) -> list[str]:
    """Return what passes with time or with new cases."""
    waits = []
    is_long_ago = past.last_run is not None and now - past.last_run >= timedelta(days=limits.days)
    needed = limits.new_cases_after_days if is_long_ago else limits.new_cases
    if past.last_run is not None and census.new < needed:
        waits.append(
            f"{census.new} new cases since the last run on {past.last_run:%Y-%m-%d}; {limits.new_cases} are waited for,"
            f" or {limits.new_cases_after_days} once it is {limits.days:g} days ago"
        )
    if past.last_promotion is not None and now - past.last_promotion < timedelta(days=limits.rest_days):
        waits.append(
            f"the last promotion was on {past.last_promotion:%Y-%m-%d}; {limits.rest_days:g} days are between two"
        )
    if past.share.again is not None:
        waits.append(f"every look at the gate within a year is taken; the next is free on {past.share.again:%Y-%m-%d}")
    return waits
