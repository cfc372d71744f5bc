"""Every fault of a structure set, each with its attribute and the source of its rule (pure)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydicom import Dataset

from segmentation.lint_attributes import ATTRIBUTE_RULES
from segmentation.lint_contours import CONTOUR_RULES
from segmentation.lint_ct import CT_RULES
from segmentation.lint_modules import MODULE_RULES
from segmentation.lint_rois import ROI_RULES
from segmentation.lint_rule import Finding, Severity
from segmentation.lint_subject import Subject, read_subject
from segmentation.tps import Quirk, quirks_of

__all__ = ["RULES", "Finding", "Severity", "breaches", "lint_structure_set", "read_subject"]

RULES = (*MODULE_RULES, *ATTRIBUTE_RULES, *ROI_RULES, *CONTOUR_RULES, *CT_RULES)
WORST_FIRST = tuple(Severity)


def lint_structure_set(content: bytes, headers: Sequence[Dataset] = (), tps: str = "") -> list[Finding]:
    """Return what is wrong with a structure set, the worst first, then in the order of the rules.

    Args:
        content: a DICOM file, of any vendor.
        headers: the datasets of the CT's slices in any order; without them the rules about the CT are left out.
        tps: the name of a system, to say with a finding what that system is documented to make of it.

    Raises:
        StructureSetError: if this is no structure set, a slice does not say where it lies, or the system is unknown.
    """
    quirks = {quirk.rule: quirk for quirk in quirks_of(tps)} if tps else {}
    found = [_with_quirk(finding, quirks.get(finding.rule)) for finding in _findings(read_subject(content, headers))]
    return sorted(found, key=lambda finding: WORST_FIRST.index(finding.severity))


def breaches(subject: Subject, systems: Sequence[str]) -> list[Finding]:
    """Return what keeps a structure set of ours from being sent: each error and warning, and what a system makes one.

    Args:
        subject: the structure set and its CT, from `read_subject`.
        systems: whose documented quirks count beside the rules, as the profile names them.

    Raises:
        StructureSetError: if a system is unknown.
    """
    quirks: list[dict[str, Quirk]] = [{}, *({quirk.rule: quirk for quirk in quirks_of(system)} for system in systems)]
    found = list(_findings(subject))
    judged = [_with_quirk(finding, own.get(finding.rule)) for own in quirks for finding in found]
    return [finding for finding in dict.fromkeys(judged) if finding.severity is not Severity.NOTE]


def _findings(subject: Subject) -> Iterator[Finding]:
    """Yield every fault, in the order of the rules."""
    for rule in RULES:
        for path, text in rule.check(subject):
            yield Finding(rule.id, rule.severity, path, text, rule.source)


def _with_quirk(finding: Finding, quirk: Quirk | None) -> Finding:
    if quirk is None:
        return finding
    text = f"{finding.text} {quirk.says}"
    return replace(finding, severity=quirk.severity, text=text, source=f"{finding.source}; {quirk.source}")
