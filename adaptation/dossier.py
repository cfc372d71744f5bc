"""The change dossier of a night: what was to be changed, from what, how, with what result, and how to undo it (pure).

In the parts of the FDA's predetermined change control plan (final guidance of December 2024, reissued August 2025):
description of the modification, modification protocol (data, re-training, evaluation, update), impact assessment.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from adaptation.case_record import CaseRecord
from adaptation.evidence import Evidence, Verdict
from adaptation.limits import GateLimits, LookLimits, PartLimits, RunLimits
from adaptation.looks import Look, wear_of
from adaptation.report import About, Report, as_json, report_of

FORMAT = 1  # of the JSON


@dataclass(frozen=True)
class Change:
    """What was to be changed.

    Args:
        run: by which the run is called.
        at: when the gate was looked at.
        occasion: why the run started, in words.
        current: the model in service.
        candidate: the model under judgement.
        base: from which the candidate was trained.
        place: the first place that was trained, as conv5-b1.
        layers: that were trained, as the paper counts them.
        generation: of the gate's cases, which judged.
    """

    run: str
    at: datetime
    occasion: str
    current: About
    candidate: About
    base: About
    place: str
    layers: int
    generation: int = 1


@dataclass(frozen=True)
class Learning:
    """How the candidate came about.

    Args:
        settings: by which anybody could train it again: steps, rates, losses, limits.
        seed: of samples and weights.
        software: what ran, by name, with version or digest.
        seconds: that it took.
        losses: step and mean loss.
        tuning: step and mean DSC of the tuning cases.
        kept_step: whose weights were kept; None for the last.
    """

    settings: Mapping[str, str]
    seed: int
    software: Mapping[str, str]
    seconds: float
    losses: Sequence[tuple[int, float]] = ()
    tuning: Sequence[tuple[int, float]] = ()
    kept_step: int | None = None


@dataclass(frozen=True)
class Limits:
    """Every number that was demanded."""

    parts: PartLimits = field(default_factory=PartLimits)
    run: RunLimits = field(default_factory=RunLimits)
    looks: LookLimits = field(default_factory=LookLimits)
    gate: GateLimits = field(default_factory=GateLimits)


@dataclass(frozen=True)
class Dossier:
    """All that a physicist needs to judge a change.

    Args:
        change: what was to be changed.
        cases: that the run used, of all parts.
        left_out: reasons, and how many cases each kept out.
        learning: how the candidate came about.
        evidence: what the gate was told.
        verdict: what it answered.
        limits: what was demanded.
        looks: all looks at the gate, this one last.
        undo: the command that goes back to the model in service.
    """

    change: Change
    cases: tuple[CaseRecord, ...]
    left_out: Mapping[str, int]
    learning: Learning
    evidence: Evidence
    verdict: Verdict
    limits: Limits
    looks: tuple[Look, ...]
    undo: str

    @property
    def warning(self) -> str:
        """What a physicist must know of the gate itself; empty for nothing."""
        of_these = [look for look in self.looks if look.generation == self.change.generation]
        return wear_of(of_these, self.change.at, self.limits.looks)

    @property
    def report(self) -> Report:
        """Both models on the gate's cases."""
        gate = self.evidence.gate
        names = list(dict.fromkeys(score.case for score in gate.current))
        return report_of((self.change.candidate, self.change.current), (gate.candidate, gate.current), names, {})


def counted(cases: Sequence[CaseRecord]) -> dict[str, dict[str, int]]:
    """Return how many cases of each part there are, and how their organs came about."""
    found: dict[str, Counter[str]] = {}
    for case in cases:
        row = found.setdefault(case.part.value, Counter())
        row["cases"] += 1
        row.update(one.origin.value for one in case.structures.values())
    return {part: dict(row) for part, row in found.items()}


def encoded(dossier: Dossier) -> dict[str, Any]:
    """Return the dossier as JSON has it; cases by their names, which are pseudonyms, and by number in the scores."""
    change, verdict = dossier.change, dossier.verdict
    plain = {
        "format": FORMAT,
        "description_of_modification": asdict(change) | {"at": change.at.isoformat()},
        "modification_protocol": {
            "data": {
                "counts": counted(dossier.cases),
                "left_out": dict(dossier.left_out),
                "cases": [_case(case) for case in dossier.cases],
            },
            "re_training": asdict(dossier.learning),
            "evaluation": {"limits": asdict(dossier.limits), "report": as_json(dossier.report)},
            "update": {"undo": dossier.undo},
        },
        "impact_assessment": {
            "outcome": verdict.outcome.value,
            "organs": list(verdict.organs),
            "stays": dict(verdict.stays),
            "reasons": list(verdict.reasons),
            "whole": [asdict(finding) for finding in verdict.whole],
            "single": [asdict(finding) for finding in verdict.single],
        },
        "warning": dossier.warning,
        "looks": [asdict(look) | {"at": look.at.isoformat()} for look in dossier.looks],
    }
    cleaned: dict[str, Any] = _finite(plain)
    return cleaned


def _case(case: CaseRecord) -> dict[str, object]:
    return {
        "name": case.name,
        "part": case.part.value,
        "month": case.month,
        "scanner": case.scanner,
        "ct_digest": case.ct_digest,
        "organs": {organ: one.origin.value for organ, one in case.structures.items()},
    }


def _finite(value: Any) -> Any:
    """Return a value with null for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
