"""What a rule of the lint is, and what it finds (pure)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from segmentation.lint_subject import Subject

Fault = tuple[str, str]
"""The path of an attribute, as ROIContourSequence[3].ContourSequence[0].ContourData, and a sentence."""


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"  # against the Standard, or not about this CT
    WARNING = "warning"  # allowed, and known to do harm in some system
    NOTE = "note"  # allowed, and good to know


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        id: what it is called; never reused.
        severity: of its findings, where a TPS does not ask for another.
        source: the section of the Standard, or where the harm is documented.
        says: what it asks for, a sentence.
        check: yields the faults of a structure set; of rules about the CT nothing where there is none.
    """

    id: str
    severity: Severity
    source: str
    says: str
    check: Callable[[Subject], Iterator[Fault]]


@dataclass(frozen=True)
class Finding:
    """One fault.

    Args:
        rule: the rule's id.
        severity: how bad it is for whom it was asked.
        path: the attribute.
        text: a sentence; no name, birth date or ID of the patient is in it.
        source: the rule's, and the TPS's where that is what makes it bad.
    """

    rule: str
    severity: Severity
    path: str
    text: str
    source: str
