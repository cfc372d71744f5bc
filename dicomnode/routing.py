"""What an instance is for: to contour, to learn from, or to ignore (pure)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Action = Literal["contour", "learn", "ignore"]

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"  # PS3.4 B.5
RT_STRUCTURE_SET_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
ONLY_FOR: dict[str, tuple[str, str]] = {
    "contour": (CT_IMAGE_STORAGE, "CT images"),
    "learn": (RT_STRUCTURE_SET_STORAGE, "structure sets"),
}
"""The one SOP class that an action makes sense for; a rule with that action passes over the others."""


@dataclass(frozen=True)
class Rule:
    r"""One line of the routing table: what must be so, and what then happens.

    Args:
        name: as the log, the ledger and `rules test` call it.
        action: contour a CT, learn from a structure set, or keep the instance and do nothing.
        called_ae_title: regular expression that the whole called AE title must match; empty: any.
        calling_ae_title: the same of the sender's AE title.
        attributes: keyword or `gggg,eeee` -> regular expression to be found in the value's text. All must be found.
            Several values are joined by a backslash; a missing attribute is an empty text.
        bundle: the model that contours.
        send_to: AE titles of the peers that get the result; empty: back to the sender.

    Raises:
        ValueError: an expression that cannot be compiled, in words.
    """

    # The configuration builds rules through pydantic, which reads this: an unknown key is a fault.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    action: Action
    called_ae_title: str = ""
    calling_ae_title: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    bundle: str = "starter"
    send_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("name must not be empty")
        patterns = {"called_ae_title": self.called_ae_title, "calling_ae_title": self.calling_ae_title}
        for key, pattern in {**patterns, **self.attributes}.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{key}: {pattern!r} is no regular expression: {error}") from None


@dataclass(frozen=True)
class InstanceFacts:
    """What the rules may look at.

    Args:
        sop_class_uid: of the instance.
        called_ae_title: the name by which the sender called this node.
        calling_ae_title: the sender.
        attributes: the text of each attribute that a rule names, by the name that the rule uses.
    """

    sop_class_uid: str
    called_ae_title: str
    calling_ae_title: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Decision:
    """What is to be done with an instance.

    Args:
        rule: name of the rule that matched; empty if none did.
        action: what the rule says; `ignore` if none matched.
        bundle: the model that contours.
        send_to: AE titles that get the result, the sender where the rule names none.
        why: for each rule up to the one that matched, its name and why it matched or not; no value of the instance.
    """

    rule: str
    action: Action
    bundle: str
    send_to: tuple[str, ...]
    why: tuple[str, ...]


TO_LEARN_FROM = Decision("", "learn", "", (), ("its series is being fetched to be learnt from",))
"""What a CT is for that the node itself asked a peer for, because a structure set was approved on it."""

DEFAULT_RULES: tuple[Rule, ...] = (
    Rule(
        "quality assurance phantom, by its ID",
        "ignore",
        attributes={"PatientID": r"(?i)(^|[^a-z])(qa|qc|phantom|catphan)([^a-z]|$)"},
    ),
    Rule(
        "quality assurance phantom, by its name",
        "ignore",
        attributes={"PatientName": r"(?i)(^|[^a-z])(qa|qc|phantom|catphan)([^a-z]|$)"},
    ),
    Rule("localizer", "ignore", attributes={"ImageType": r"(?i)(^|\\)(localizer|scout|topogram)(\\|$)"}),
    Rule("structure sets", "learn"),
    Rule("planning CT", "contour"),
)
"""The rules that the project ships; a configuration with rules of its own replaces them."""


def wanted_attributes(rules: Sequence[Rule]) -> frozenset[str]:
    """Return every attribute that a rule looks at, by the name that it uses."""
    return frozenset(name for rule in rules for name in rule.attributes)


def mismatch(rule: Rule, facts: InstanceFacts) -> str:
    """Return why the rule does not match, or an empty text; never a value of the instance."""
    sop_class, meaning = ONLY_FOR.get(rule.action, (facts.sop_class_uid, ""))
    if sop_class != facts.sop_class_uid:
        return f"it is for {meaning} only"
    if rule.called_ae_title and not re.fullmatch(rule.called_ae_title, facts.called_ae_title):
        return f"called AE title {facts.called_ae_title} does not match {rule.called_ae_title}"
    if rule.calling_ae_title and not re.fullmatch(rule.calling_ae_title, facts.calling_ae_title):
        return f"calling AE title {facts.calling_ae_title} does not match {rule.calling_ae_title}"
    for name, pattern in rule.attributes.items():
        if not re.search(pattern, facts.attributes.get(name, "")):
            return f"{name} does not match {pattern}"
    return ""


def decide(rules: Sequence[Rule], facts: InstanceFacts) -> Decision:
    """Return what the first rule that matches says; an instance that no rule wants is ignored."""
    why: list[str] = []
    for rule in rules:
        reason = mismatch(rule, facts)
        why.append(f"{rule.name}: {reason or 'matches'}")
        if not reason:
            return Decision(rule.name, rule.action, rule.bundle, rule.send_to or (facts.calling_ae_title,), tuple(why))
    return Decision("", "ignore", "", (), (*why, "no rule matches"))
