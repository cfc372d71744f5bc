"""What the gate is told of a candidate and of the model in service, and what it answers (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from adaptation.evaluate import Score


@dataclass(frozen=True)
class Integrity:
    """What was found of the candidate's files, before any case.

    Args:
        faults: what does not hold, a sentence each: digests, strict load, finite weights, trunk, golden case.
        latency_ratio: how long a case takes it, over how long it takes the model in service.
    """

    faults: tuple[str, ...]
    latency_ratio: float


@dataclass(frozen=True)
class Pair:
    """The scores of both models on the same organs of the same cases."""

    current: tuple[Score, ...]
    candidate: tuple[Score, ...]


@dataclass(frozen=True)
class Harm:
    """What the candidate drew and no model may draw.

    Args:
        case: its name.
        organ: TG-263 name.
        what: as "lies on the wrong side".
    """

    case: str
    organ: str
    what: str


@dataclass(frozen=True)
class Flags:
    """How many of the last patients each model had an organ flagged in by the checks of what is drawn."""

    patients: int
    current: int
    candidate: int


@dataclass(frozen=True)
class Shadow:
    """What the candidate drew unseen beside the model in service.

    Args:
        patients: consecutive new ones.
        days: since it began.
        current: mean surface DSC of each approved patient, of the model in service.
        candidate: the same of the candidate, in the same order.
        harms: that it did.
    """

    patients: int
    days: float
    current: tuple[float, ...]
    candidate: tuple[float, ...]
    harms: tuple[Harm, ...]


@dataclass(frozen=True)
class Evidence:
    """All that the gate is told.

    Args:
        alpha: that this look may spend.
        integrity: of the candidate's files.
        gate: both models on the gate's cases.
        harms: of the candidate on these.
        frozen: organs that stay with the model in service whatever is found, and why.
        only_shadow: why the candidate cannot go into service yet.
        base: both models on cases that the base model came from; None where the site has none.
        flags: None where they were not counted.
        shadow: None before it began.
    """

    alpha: float
    integrity: Integrity
    gate: Pair
    harms: tuple[Harm, ...] = ()
    frozen: Mapping[str, str] = field(default_factory=dict)
    only_shadow: tuple[str, ...] = ()
    base: Pair | None = None
    flags: Flags | None = None
    shadow: Shadow | None = None


class State(StrEnum):
    """What became of one demand."""

    PASSED = "passed"
    AWAITED = "awaited"
    PERSON = "a person decides"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One demand of the gate, and what was found.

    Args:
        gate: G0 to G6.
        state: what became of it.
        text: in a physicist's words, with the numbers.
        organ: that it is about; empty for all.
        numbers: that it rests on.
    """

    gate: str
    state: State
    text: str
    organ: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)


class Outcome(StrEnum):
    """What may become of the candidate."""

    REFUSED = "refused"
    SHADOW = "runs in the shadow"
    PERSON = "a person decides"
    PASSED = "passed"


@dataclass(frozen=True)
class Verdict:
    """The gate's answer.

    Args:
        outcome: what may become of the candidate.
        organs: that would go over to it; none if it is refused.
        stays: organs that stay with the model in service, and why.
        whole: findings on the candidate as a whole.
        single: findings on the organs that alone are better; empty where the whole passed or no organ is.
        alpha: that the look spent.
    """

    outcome: Outcome
    organs: tuple[str, ...]
    stays: Mapping[str, str]
    whole: tuple[Finding, ...]
    single: tuple[Finding, ...]
    alpha: float

    @property
    def reasons(self) -> tuple[str, ...]:
        """All that stands against the candidate, or is still to come."""
        return tuple(each.text for each in (*self.whole, *self.single) if each.state is not State.PASSED)

    @property
    def lets_through(self) -> bool:
        """Whether the look let anything through, be it to the shadow or to a person: its alpha is given back."""
        return self.outcome is not Outcome.REFUSED
