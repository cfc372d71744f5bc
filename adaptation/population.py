"""What organs usually measure: a shipped prior, and with every admitted case more of what is usual here (pure)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adaptation.case_record import CaseRecord, Status
from adaptation.prior import PRIOR

WHOLE_ONLY = frozenset({"volume", "length", "ratio"})  # of an organ that the CT's end cuts off they say nothing


@dataclass(frozen=True)
class Norm:
    """How a measure is spread over patients.

    Args:
        mean: of the patients.
        sd: standard deviation between them.
    """

    mean: float
    sd: float

    def z(self, value: float) -> float:
        """Return by how many standard deviations a value is above the mean."""
        return (value - self.mean) / self.sd


Population = Mapping[tuple[str, str], Norm]
"""Organ and measure to how it is spread."""


def population_of(records: Iterable[CaseRecord], prior_patients: int) -> Population:
    """Return what is usual by the prior and by the admitted cases together.

    The two are pooled: the prior counts for so many patients, with its mean and spread. A measure that the prior does
    not have is not judged, however often it was seen.

    Args:
        records: of the store; only admitted ones count.
        prior_patients: that the prior counts for.
    """
    seen: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.status is not Status.ADMITTED:
            continue
        for organ, structure in record.structures.items():
            for name, value in usable(structure.measures).items():
                seen.setdefault((organ, name), []).append(value)
    return {key: pooled(Norm(*prior), prior_patients, seen.get(key, [])) for key, prior in PRIOR.items()}


def usable(measures: Mapping[str, float]) -> dict[str, float]:
    """Return the measures of an organ that tell something of what is usual."""
    cut = measures.get("cut", 0.0) > 0
    return {
        name: value for name, value in measures.items() if math.isfinite(value) and not (cut and name in WHOLE_ONLY)
    }


def pooled(prior: Norm, patients: int, values: list[float]) -> Norm:
    """Return mean and spread of `patients` patients as the prior's together with those seen."""
    total = patients + len(values)
    mean = (patients * prior.mean + math.fsum(values)) / total
    squares = patients * (prior.sd**2 + (prior.mean - mean) ** 2) + math.fsum((each - mean) ** 2 for each in values)
    return Norm(mean, math.sqrt(squares / total))
