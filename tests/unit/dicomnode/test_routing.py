"""The first rule that matches decides."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.routing import (
    CT_IMAGE_STORAGE,
    DEFAULT_RULES,
    RT_STRUCTURE_SET_STORAGE,
    InstanceFacts,
    Rule,
    decide,
    wanted_attributes,
)

WORDS = st.sampled_from(["", "CT", "TPS", "QA", "HEAD", "NECK"])
RULES = st.builds(
    Rule,
    name=st.sampled_from(["one", "two", "three"]),
    action=st.sampled_from(["contour", "learn", "ignore"]),
    called_ae_title=WORDS,
    calling_ae_title=WORDS,
    attributes=st.dictionaries(st.sampled_from(["PatientID", "BodyPartExamined"]), WORDS, max_size=2),
    bundle=st.sampled_from(["starter", "demo"]),
    send_to=st.sampled_from([(), ("TPS",), ("TPS", "PACS")]),
)
FACTS = st.builds(
    InstanceFacts,
    sop_class_uid=st.sampled_from([CT_IMAGE_STORAGE, RT_STRUCTURE_SET_STORAGE]),
    called_ae_title=WORDS,
    calling_ae_title=WORDS,
    attributes=st.dictionaries(st.sampled_from(["PatientID", "BodyPartExamined"]), WORDS, max_size=2),
)


def obvious(rules: list[Rule], facts: InstanceFacts) -> tuple[str, str, tuple[str, ...]]:
    """Return name, action and receivers, decided in the slow and obvious way."""
    matching = []
    for rule in rules:
        fits = []
        if rule.action == "contour":
            fits.append(facts.sop_class_uid == CT_IMAGE_STORAGE)
        if rule.action == "learn":
            fits.append(facts.sop_class_uid == RT_STRUCTURE_SET_STORAGE)
        if rule.called_ae_title != "":
            fits.append(re.match(f"^(?:{rule.called_ae_title})$", facts.called_ae_title) is not None)
        if rule.calling_ae_title != "":
            fits.append(re.match(f"^(?:{rule.calling_ae_title})$", facts.calling_ae_title) is not None)
        for name in rule.attributes:
            value = facts.attributes[name] if name in facts.attributes else ""  # noqa: SIM401 (the obvious way)
            fits.append(rule.attributes[name] in value)
        if all(fits):
            matching.append(rule)
    if not matching:
        return "", "ignore", ()
    first = matching[0]
    return first.name, first.action, first.send_to or (facts.calling_ae_title,)


@given(st.lists(RULES, max_size=6), FACTS)
def test_a_decision_is_that_of_the_first_rule_of_which_everything_holds(
    rules: list[Rule], facts: InstanceFacts
) -> None:
    """The decision is the one that going through all rules by hand gives."""
    decision = decide(rules, facts)

    assert (decision.rule, decision.action, decision.send_to) == obvious(rules, facts)


def facts(sop_class: str = CT_IMAGE_STORAGE, **attributes: str) -> InstanceFacts:
    return InstanceFacts(sop_class, "DICOMNODE", "TPS", attributes)


@pytest.mark.parametrize(
    ("given_facts", "action"),
    [
        (facts(PatientID="4711", ImageType="ORIGINAL\\PRIMARY\\AXIAL"), "contour"),
        (facts(PatientID="4711", ImageType="ORIGINAL\\PRIMARY\\LOCALIZER"), "ignore"),
        (facts(PatientID="QA_2020"), "ignore"),
        (facts(PatientID="1", PatientName="CATPHAN^600"), "ignore"),
        (facts(PatientID="1", PatientName="Qadir^Phantomas"), "contour"),
        (facts(RT_STRUCTURE_SET_STORAGE, PatientID="1"), "learn"),
        (facts("1.2.840.10008.5.1.4.1.1.4", PatientID="1"), "ignore"),
    ],
)
def test_the_shipped_rules_contour_patients_only(given_facts: InstanceFacts, action: str) -> None:
    """Phantoms and localizers are ignored, structure sets learnt from, and a patient called Qadir is contoured."""
    assert decide(DEFAULT_RULES, given_facts).action == action


def test_a_decision_says_why_without_any_value() -> None:
    """Each rule up to the one that matched has its reason, and no reason holds the patient's ID."""
    why = decide(DEFAULT_RULES, facts(PatientID="4711")).why

    assert len(why) == len(DEFAULT_RULES)
    assert why[0].startswith("quality assurance phantom, by its ID: PatientID does not match")
    assert why[3] == "structure sets: it is for structure sets only"
    assert why[4] == "planning CT: matches"
    assert "4711" not in " ".join(why)


def test_the_attributes_that_rules_look_at_are_known_beforehand() -> None:
    """So that only these are read from an instance."""
    assert wanted_attributes(DEFAULT_RULES) == {"PatientID", "PatientName", "ImageType"}


def test_an_expression_that_cannot_be_compiled_makes_no_rule() -> None:
    """A rule that exists can be asked."""
    with pytest.raises(ValueError, match="no regular expression"):
        Rule("bad", "ignore", attributes={"PatientID": "["})
