"""What a run is about to do, decided before it does anything: cases, models, seed, reasons (pure)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from adaptation.case_record import CaseRecord, Origin
from adaptation.errors import AdaptationError
from adaptation.limits import UNTOUCHED_WEIGHT
from adaptation.partition import Part
from adaptation.readiness import Kind, Readiness

FORMAT = 1


@dataclass(frozen=True)
class Learner:
    """A bundle that a run works with.

    Args:
        folder: where it lies.
        digest: that names it exactly.
        name: with its version.
    """

    folder: str
    digest: str
    name: str


@dataclass(frozen=True)
class PlannedCase:
    """A case of a run.

    Args:
        name: of the case.
        patient: pseudonym.
        content: digest of what is learnt from it.
        weights: how much what was drawn of an organ counts; 1 where it is not said.
    """

    name: str
    patient: str
    content: str
    weights: Mapping[str, float]


@dataclass(frozen=True)
class Plan:
    """One run.

    Args:
        run: its name.
        at: when it was planned.
        occasion: why it starts, in words.
        by: whom; empty for the schedule.
        starts: whether it goes on to train.
        kind: what it may lead to.
        reasons: that stand against it, or against a full run.
        lacks: of these what nobody can force.
        frozen: organs that stay as they are, and why.
        base: that it is trained from.
        current: that is in service.
        cases: of each part.
        seed: of samples.
        first_view: number of the first view of each case.
        generation: of the gate's cases, which judges.
    """

    run: str
    at: datetime
    occasion: str
    by: str
    starts: bool
    kind: Kind
    reasons: tuple[str, ...]
    lacks: tuple[str, ...]
    frozen: Mapping[str, str]
    base: Learner
    current: Learner
    cases: Mapping[Part, tuple[PlannedCase, ...]]
    seed: int
    first_view: int
    generation: int = 1

    @property
    def names(self) -> frozenset[str]:
        """Of all cases."""
        return frozenset(case.name for cases in self.cases.values() for case in cases)

    @property
    def patients(self) -> set[str]:
        """The pseudonyms of the patients."""
        return {case.patient for cases in self.cases.values() for case in cases}


def planned(records: Sequence[CaseRecord]) -> dict[Part, tuple[PlannedCase, ...]]:
    """Return admitted cases as a run takes them, by part, in the order of their names."""
    found: dict[Part, list[PlannedCase]] = {part: [] for part in Part}
    for record in sorted(records, key=lambda each: each.name):
        weights = {
            organ: UNTOUCHED_WEIGHT for organ, one in record.structures.items() if one.origin is Origin.UNTOUCHED
        }
        content = hashlib.sha256(
            json.dumps([record.name, record.ct_digest, record.source, sorted(weights)]).encode()
        ).hexdigest()
        found[record.part].append(PlannedCase(record.name, record.patient, content, weights))
    return {part: tuple(cases) for part, cases in found.items()}


def is_started(readiness: Readiness, *, forced: bool) -> bool:
    """Return whether a run trains: by itself, or because a person wants it, where there are cases enough."""
    return readiness.kind is not Kind.NONE and (forced or readiness.may_start)


def seed_of(run: str) -> int:
    """Return the seed of a run: the same for the same name."""
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:4])


def encode_plan(plan: Plan) -> bytes:
    """Return a plan as the JSON of its file."""
    values = asdict(plan) | {"at": plan.at.isoformat(), "format": FORMAT}
    values["cases"] = {part.value: [asdict(case) for case in cases] for part, cases in plan.cases.items()}
    return json.dumps(values, indent=1, allow_nan=False).encode()


def parse_plan(content: bytes) -> Plan:
    """Return the plan of a file.

    Raises:
        AdaptationError: where it is none, or of another release.
    """
    try:
        values = json.loads(content)
        if values.pop("format") != FORMAT:
            raise AdaptationError("a run was planned by another release")
        return Plan(
            **values
            | {
                "at": datetime.fromisoformat(values["at"]),
                "kind": Kind(values["kind"]),
                "reasons": tuple(values["reasons"]),
                "lacks": tuple(values["lacks"]),
                "base": Learner(**values["base"]),
                "current": Learner(**values["current"]),
                "cases": {
                    Part(part): tuple(PlannedCase(**case) for case in cases) for part, cases in values["cases"].items()
                },
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AdaptationError(f"the plan of a run cannot be read: {type(error).__name__}") from error
