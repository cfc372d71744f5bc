"""What is accepted and answered, as tables."""

import pytest
from pydicom.uid import UID

from dicomnode.dimse import (
    ACCEPTED,
    RIGHT_TO_SEND,
    STATUS_OF,
    STORAGE_COMMITMENT,
    VERIFICATION,
    accepted_contexts,
    error_comment,
)
from dicomnode.errors import Refusal


def test_every_refusal_has_a_status() -> None:
    """No refusal can reach the receiver without an answer for it."""
    assert set(STATUS_OF) == set(Refusal.__subclasses__())


@pytest.mark.parametrize("syntax", sorted({syntax for syntaxes in ACCEPTED.values() for syntax in syntaxes}))
def test_no_accepted_syntax_can_lose_a_bit(syntax: str) -> None:
    """Nothing lossy, deflated or big endian is negotiated."""
    assert UID(syntax).is_little_endian
    assert not UID(syntax).is_deflated
    assert not any(word in UID(syntax).name for word in ("Baseline", "Extended", "Near", "MPEG", "HTJ2K"))
    assert syntax != "1.2.840.10008.1.2.4.91"


def test_every_storage_class_needs_a_right() -> None:
    """A class that is added to the one table is missed in the other."""
    assert set(RIGHT_TO_SEND) == set(ACCEPTED) - {VERIFICATION, STORAGE_COMMITMENT}


def test_the_contexts_are_those_of_the_table() -> None:
    """What the receiver negotiates is the table, no more."""
    negotiated = {str(context.abstract_syntax): tuple(context.transfer_syntax) for context in accepted_contexts()}

    assert negotiated == ACCEPTED


def test_an_error_comment_fits_its_element() -> None:
    """At most 64 characters of ASCII without a backslash."""
    comment = error_comment("é\\\n" + "x" * 100)

    assert len(comment) == 64
    assert comment.startswith("?/ x")
    assert comment.endswith("...")
