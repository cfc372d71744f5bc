"""What is taken for a physician's approval."""

import pytest

from segmentation.approval import ApprovalRule, judge_approval
from segmentation.rtstruct_summary import StructureSetSummary

OWN = ApprovalRule(label="(?i)final.*", calling_ae_title="ECLIPSE|MIM")


def summary(status="APPROVED", label="Plan", *, is_signed=True):
    """Return what a structure set says of itself."""
    return StructureSetSummary(label, status, is_signed, ("1.2.3",), ())


def test_approved_and_signed_is_approved():
    """Approval Status APPROVED with all of the review is what the Standard asks for."""
    approval = judge_approval(summary())

    assert approval.is_approved
    assert "APPROVED" in approval.reason


@pytest.mark.parametrize(
    ("status", "is_signed", "reason"),
    [
        ("UNAPPROVED", True, "is UNAPPROVED"),
        ("REJECTED", True, "is REJECTED"),
        ("", True, "no Approval Status"),
        ("APPROVED", False, "reviewer is missing"),
    ],
)
def test_nothing_else_is_approved_by_the_standard(status, is_signed, reason):
    """The reason names what is missing."""
    approval = judge_approval(summary(status, is_signed=is_signed))

    assert not approval.is_approved
    assert reason in approval.reason


@pytest.mark.parametrize("status", ["", "UNAPPROVED"])
def test_a_site_has_a_rule_of_its_own(status):
    """Label and sender that match make up for a status that the planning system never sets."""
    approval = judge_approval(summary(status, "FINAL_2", is_signed=False), OWN, calling_ae_title="MIM")

    assert approval.is_approved
    assert "label and sender match" in approval.reason


@pytest.mark.parametrize(
    ("label", "sender", "reason"),
    [
        ("Plan", "MIM", "its label does not match"),
        ("Final", "MIMOSA", "its sender does not match"),
        ("Final", "", "its sender is unknown"),
        ("not Final", "MIM", "its label does not match"),
    ],
)
def test_the_rule_must_match_whole(label, sender, reason):
    """A part of a label or of an AE title is not the label or the title."""
    approval = judge_approval(summary("", label), OWN, calling_ae_title=sender)

    assert not approval.is_approved
    assert reason in approval.reason


def test_what_is_rejected_stays_rejected():
    """No rule of a site makes a rejected structure set an approved one."""
    assert not judge_approval(summary("REJECTED", "Final"), OWN, calling_ae_title="MIM").is_approved


def test_a_site_may_not_go_by_the_status():
    """Where every export is APPROVED, only the site's own rule counts."""
    rule = ApprovalRule(by_status=False, label="Final")

    assert not judge_approval(summary("APPROVED", "Plan"), rule).is_approved
    assert not judge_approval(summary("APPROVED", "Final"), ApprovalRule(by_status=False)).is_approved
    assert judge_approval(summary("APPROVED", "Final"), rule).is_approved


def test_an_expression_must_compile():
    """The fault names the key."""
    with pytest.raises(ValueError, match=r"label: .* is no regular expression"):
        ApprovalRule(label="(")
