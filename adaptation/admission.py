"""Whether a case may be learnt from, and every reason why not, for a person to read (pure).

A set that is learnt from in silence and is wrong teaches the wrong thing to everyone after it; one that is set aside
costs a person a look. Limits are wide all the same: what is set aside without need teaches nobody.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from adaptation.admission_limits import AdmissionLimits
from adaptation.case_record import CaseRecord, Edit, Status
from adaptation.limits import SMALL_ORGANS
from adaptation.population import Population, usable
from segmentation.structures import BY_NAME, MIRRORED

SAID: Mapping[str, Callable[[float], str]] = {
    "volume": lambda value: f"a volume of {math.exp(value):.2g} cm3",
    "length": lambda value: f"a length of {math.exp(value):.0f} mm along the slices",
    "HU": lambda value: f"a mean of {value:.0f} HU",
    "ratio": lambda value: f"{math.exp(value):.2g} times the volume of the other side's",
    "off midline": lambda value: f"its centre {value:.0f} mm to the left of the body's middle",
    "left of": lambda value: f"its centre {value:.0f} mm to the left of that of",
    "back of": lambda value: f"its centre {value:.0f} mm behind that of",
    "head of": lambda value: f"its centre {value:.0f} mm above that of",
}
"""Measure -> how a person is told its value."""

TAPERING = frozenset({"Bone_Mandible", "Parotid_L", "Parotid_R"})
"""Organs that end in a tip above and below; brainstem and cord go on into each other."""


@dataclass(frozen=True)
class Evidence:
    """What is to be judged.

    Args:
        patient: pseudonym.
        ct: pseudonym of the CT series.
        ct_digest: SHA-256 of its voxels.
        measures: organ to what `measures.measure` says of it.
        edits: organ to how far it is from what we sent.
        faults: what was found wrong with set and CT when they were read, in words.
    """

    patient: str
    ct: str
    ct_digest: str
    measures: Mapping[str, Mapping[str, float]]
    edits: Mapping[str, Edit] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def judge_case(
    evidence: Evidence, others: Iterable[CaseRecord], population: Population, limits: AdmissionLimits
) -> tuple[str, ...]:
    """Return every reason why a case must not be learnt from before a person has looked; none where it may.

    Args:
        evidence: of the case.
        others: the newest records of the store.
        population: what is usual.
        limits: what passes.
    """
    reasons = [*evidence.faults, *_known_already(evidence, others)]
    if not evidence.measures:
        reasons.append("no organ was drawn on the CT")
    reasons += _sides(evidence.measures)
    for organ, measures in evidence.measures.items():
        reasons += [text for rule in RULES if (text := rule(organ, measures, limits))]
        reasons += _unusual(organ, measures, population, limits)
        reasons += _disagreeing(organ, evidence.edits.get(organ), limits)
    return tuple(reasons)


def _known_already(evidence: Evidence, others: Iterable[CaseRecord]) -> list[str]:
    """Return whether the patient, or the CT under another name, is there already."""
    reasons = []
    for record in others:
        if record.status is Status.REJECTED:
            continue
        if record.patient != evidence.patient and record.ct_digest == evidence.ct_digest:
            reasons.append(f"the same CT is filed as {record.name}, under another patient")
        elif record.patient == evidence.patient and record.ct != evidence.ct and record.status is Status.ADMITTED:
            reasons.append(
                f"of this patient another CT is admitted, {record.name}: one case of a patient is learnt from"
            )
    return reasons


def _sides(measures: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return which organs lie on the side that they are not named for."""
    reasons = []
    for organ, values in measures.items():
        side = BY_NAME[organ].laterality
        off = values["off midline"]
        if side and math.isfinite(off) and (off < 0) == (side == "L"):
            other = "right" if side == "L" else "left"
            swapped = "the sides may be swapped" if MIRRORED[organ] in measures else "the side may be wrong"
            reasons.append(f"{organ} lies {abs(off):.0f} mm to the {other} of the body's middle: {swapped}")
    return reasons


def _unusual(organ: str, measures: Mapping[str, float], population: Population, limits: AdmissionLimits) -> list[str]:
    """Return which measures of an organ are far from what is usual."""
    reasons = []
    for name, value in usable(measures).items():
        norm = population.get((organ, name))
        if norm is not None and not abs(norm.z(value)) <= limits.z:
            kind, _, other = name.partition(" of ")
            said = SAID[f"{kind} of" if other else name]
            usual = f"{norm.z(value):+.1f} standard deviations from what is usual"
            reasons.append(f"{organ} has {said(value)}{f' {other}' if other else ''}, {usual}")
    return reasons


def _disagreeing(organ: str, edit: Edit | None, limits: AdmissionLimits) -> list[str]:
    """Return whether a large organ lies elsewhere than where we drew it."""
    if edit is None or organ in SMALL_ORGANS:
        return []
    if not edit.dice >= limits.agreement:
        return [f"{organ} has a DSC of {edit.dice:.2f} with what we sent: one of the two lies elsewhere"]
    if not 1 / limits.volume_ratio <= edit.volume_ratio <= limits.volume_ratio:
        return [f"{organ} has {edit.volume_ratio:.2f} times the volume of what we sent"]
    return []


def _gap(organ: str, measures: Mapping[str, float], limits: AdmissionLimits) -> str:
    gap, gaps = int(measures["gap"]), int(measures["gaps"])
    if gap > limits.gap_slices:
        return f"{organ} has a gap of {gap} slices on which nothing was drawn"
    slices = measures["slices"]
    if gaps > max(limits.gaps * slices, limits.gap_slices):
        return f"{organ} was drawn on {slices - gaps:.0f} of {slices:.0f} slices"
    return ""


def _parts(organ: str, measures: Mapping[str, float], limits: AdmissionLimits) -> str:
    parts = int(measures["parts"])
    most = limits.small_parts if organ in SMALL_ORGANS else limits.parts
    return f"{organ} is in {parts} parts that do not touch" if parts > most else ""


def _air(organ: str, measures: Mapping[str, float], limits: AdmissionLimits) -> str:
    air = measures["air"]
    return f"{air:.0%} of {organ} is air" if not air <= limits.air else ""


def _bone(organ: str, measures: Mapping[str, float], limits: AdmissionLimits) -> str:
    bone = measures["bone"]
    if organ == "Bone_Mandible":
        return f"only {bone:.0%} of {organ} is bone" if not bone >= limits.jaw_bone else ""
    most = limits.small_bone if organ in SMALL_ORGANS else limits.bone
    return f"{bone:.0%} of {organ} is bone" if not bone <= most else ""


def _blunt(organ: str, measures: Mapping[str, float], limits: AdmissionLimits) -> str:
    if organ not in TAPERING or measures["cut"]:
        return ""
    ends = [end for end in ("below", "above") if not measures[f"blunt {end}"] <= limits.blunt]
    return f"{organ} ends {' and '.join(ends)} as if cut off, where it is nearly at its widest" if ends else ""


def _apart(_organ: str, measures: Mapping[str, float], limits: AdmissionLimits) -> str:
    apart = measures.get("apart", 0.0)
    return f"between brainstem and cord nothing was drawn for {apart:.0f} mm" if not apart <= limits.apart_mm else ""


RULES: tuple[Callable[[str, Mapping[str, float], AdmissionLimits], str], ...] = (
    _gap,
    _parts,
    _air,
    _bone,
    _blunt,
    _apart,
)
"""What must hold of each organ by itself; each returns why it does not, or an empty text."""
