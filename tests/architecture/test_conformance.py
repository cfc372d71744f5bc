"""The conformance statement says what the code does."""

import re

import pytest

from dicomnode.series import State
from tests.support.conformance import DOCUMENT, TABLES, written

SECTIONS = (
    "Overview",
    "Introduction",
    "Implementation model",
    "Service and interoperability description",
    "Network communication details",
    "Configuration",
    "Security",
    "Support of character sets",
    "Annexes",
)
"""Of the template, PS3.2 annex N."""


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_the_code_has(name: str) -> None:
    """The table is what `python -m tests.support.conformance` would write."""
    assert written(name) == TABLES[name](), "run python -m tests.support.conformance"


def test_the_sections_are_those_of_the_template() -> None:
    """A reader of other statements finds everything at its place."""
    headings = re.findall(r"^## \d+ (.*)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)

    assert tuple(headings) == SECTIONS


def test_states_that_are_named_exist() -> None:
    """What the statement says of a series is said in the node's own words."""
    named = re.findall(r"becomes `(\w+)`", DOCUMENT.read_text(encoding="utf-8"))

    assert named
    assert set(named) <= set(State)
