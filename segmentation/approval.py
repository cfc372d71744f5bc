"""Whether a physician has approved a structure set, by the Standard or by the site's own rule (pure).

The reviewer's name is asked for and never looked at: that it is there is what counts (PS3.3 C.8.8.16).
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from segmentation.rtstruct_summary import StructureSetSummary


@dataclass(frozen=True)
class ApprovalRule:
    """What a site takes for an approval; many planning systems never set Approval Status.

    Args:
        by_status: Approval Status APPROVED with review date, review time and reviewer is an approval.
        label: regular expression that a Structure Set Label must match whole; empty: any.
        calling_ae_title: regular expression that the sender's AE title must match whole; empty: any. What matches both
            is approved whatever its Approval Status, but for REJECTED. If both are empty, this rule approves nothing.

    Raises:
        ValueError: an expression that cannot be compiled, in words.
    """

    # The configuration builds rules through pydantic, which reads this: an unknown key is a fault.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    by_status: bool = True
    label: str = ""
    calling_ae_title: str = ""

    def __post_init__(self) -> None:
        for key, pattern in (("label", self.label), ("calling_ae_title", self.calling_ae_title)):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{key}: {pattern!r} is no regular expression: {error}") from None


BY_THE_STANDARD = ApprovalRule()


@dataclass(frozen=True)
class Approval:
    """The verdict.

    Args:
        is_approved: whether it may be learnt from.
        reason: why, or why not.
    """

    is_approved: bool
    reason: str


def judge_approval(
    summary: StructureSetSummary, rule: ApprovalRule = BY_THE_STANDARD, *, calling_ae_title: str = ""
) -> Approval:
    """Return whether a structure set is approved, and why.

    Args:
        summary: what it says of itself.
        rule: the site's.
        calling_ae_title: who sent it; empty for a file, of which nobody knows.
    """
    status = summary.approval_status.strip().upper()
    if status == "REJECTED":
        return Approval(False, "its Approval Status is REJECTED")
    if rule.by_status and status == "APPROVED" and summary.is_signed:
        return Approval(True, "its Approval Status is APPROVED, with review date, review time and reviewer")
    own = _by_own_rule(summary.label, calling_ae_title, rule)
    if own.is_approved:
        return own
    return Approval(False, "; ".join(filter(None, [_by_status(status, summary.is_signed, rule), own.reason])))


def _by_status(status: str, is_signed: bool, rule: ApprovalRule) -> str:
    """Return why the Approval Status does not make it approved."""
    if not rule.by_status:
        return "the site does not go by Approval Status"
    if status == "APPROVED" and not is_signed:
        return "its Approval Status is APPROVED, but review date, review time or reviewer is missing"
    return f"its Approval Status is {status}" if status else "it has no Approval Status"


def _by_own_rule(label: str, calling_ae_title: str, rule: ApprovalRule) -> Approval:
    """Return what the site's own rule says; with an empty reason if it has none."""
    asked = [
        ("label", rule.label, label.strip()),
        ("sender", rule.calling_ae_title, calling_ae_title.strip()),
    ]
    asked = [each for each in asked if each[1]]
    if not asked:
        return Approval(False, "")
    for what, pattern, value in asked:
        if not re.fullmatch(pattern, value):
            return Approval(False, f"its {what} does not match the site's rule" if value else f"its {what} is unknown")
    return Approval(True, f"its {' and '.join(what for what, _, _ in asked)} match the site's rule")
