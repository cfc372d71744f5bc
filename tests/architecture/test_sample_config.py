"""The sample configuration says everything that can be set, and nothing else."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import BaseModel

from dicomnode.config import Configuration, load_configuration
from dicomnode.peers import Peer
from dicomnode.routing import DEFAULT_RULES, Rule

SAMPLE = Path(__file__).parents[2] / "etc" / "dicomnode.toml"
DOCUMENT = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
SECTIONS = {
    name: set(field.annotation.model_fields)
    for name, field in Configuration.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}
LISTS = {"peers": {field.name for field in fields(Peer)}, "rules": {field.name for field in fields(Rule)}}


def test_the_sample_is_the_default_configuration() -> None:
    """What the sample sets is what holds without a file, but for the one peer that it shows."""
    sample = load_configuration(SAMPLE)

    assert sample.model_copy(update={"peers": ()}) == Configuration()
    assert sample.rules == DEFAULT_RULES


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_every_key_of_a_section_is_in_the_sample_and_the_other_way_round(section: str) -> None:
    """Neither the code nor the sample has a key that the other lacks."""
    assert set(DOCUMENT[section]) == SECTIONS[section]


@pytest.mark.parametrize("name", sorted(LISTS))
def test_the_first_peer_and_the_first_rule_show_every_key(name: str) -> None:
    """The first entry of a list shows all that an entry can have."""
    assert set(DOCUMENT[name][0]) == LISTS[name]


def test_the_sample_has_every_section_and_no_other() -> None:
    """A section cannot be forgotten."""
    assert set(DOCUMENT) == set(Configuration.model_fields)


def test_every_key_has_a_comment_where_it_first_stands() -> None:
    """An operator need not look elsewhere for what a key means."""
    bare = [line for line in SAMPLE.read_text(encoding="utf-8").splitlines() if re.match(r"^\w+ = ", line)]
    shown_before = {"name", "action", "attributes"}

    assert [line for line in bare if " # " not in line and line.split(" = ")[0] not in shown_before] == []
