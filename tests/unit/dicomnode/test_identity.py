"""UIDs from content, model and settings; labels from the time."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from dicomnode.identity import structure_set_label, structure_set_series_uid, structure_set_uid

MARCH = datetime(2026, 3, 2, 9, 5)  # noqa: DTZ001 (the site's local time, as the label has it)
TEXT = st.text("0123456789abcdef", min_size=1, max_size=64)


@given(TEXT, TEXT, TEXT)
def test_the_uid_is_valid_and_the_same_for_the_same_work(content: str, model: str, settings: str) -> None:
    """A repeat is the same instance, under a UID that PS3.5 allows."""
    uid = structure_set_uid(content, model, settings)

    assert UID(uid).is_valid
    assert uid == structure_set_uid(content, model, settings)


@pytest.mark.parametrize("changed", [("x", "b", "c"), ("a", "x", "c"), ("a", "b", "x")])
def test_the_uid_is_another_if_anything_differs(changed: tuple[str, str, str]) -> None:
    """Another content, model or setting is another structure set."""
    assert structure_set_uid(*changed) != structure_set_uid("a", "b", "c")


def test_the_series_of_a_structure_set_is_its_own() -> None:
    """Neither the CT's nor another structure set's."""
    assert structure_set_series_uid("2.25.1") not in {"2.25.1", structure_set_series_uid("2.25.2")}


def test_the_first_label_says_when() -> None:
    """Month, day, hour and minute."""
    assert structure_set_label(MARCH, 1) == "AI_0302_0905"


@pytest.mark.parametrize("version", [2, 10, 99, 1234])
def test_a_later_label_says_that_it_supersedes_and_fits(version: int) -> None:
    """The version stands in it, in 16 characters."""
    label = structure_set_label(MARCH, version)

    assert label.startswith(f"AI_v{version}_0302")
    assert len(label) <= 16
