"""The states of a series, and when it is whole."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.errors import TransitionError
from dicomnode.series import NEXT, State, advance, content_digest, is_whole

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUIET = timedelta(seconds=15)


@pytest.mark.parametrize("current", State)
@pytest.mark.parametrize("to", State)
def test_only_the_listed_transitions_are_allowed(current: State, to: State) -> None:
    """A series goes where the table says, and nowhere else."""
    if to in NEXT[current]:
        assert advance(current, to) is to
    else:
        with pytest.raises(TransitionError, match=f"{current} cannot become {to}"):
            advance(current, to)


def test_every_state_can_be_left() -> None:
    """No state is a dead end: at least another instance, or the operator, gets a series out of it."""
    assert all(NEXT[state] for state in State)


@given(
    received=st.lists(st.integers(0, 100), min_size=1),
    later=st.integers(-100, 200),
    is_fed=st.booleans(),
)
def test_whole_agrees_with_looking_second_by_second(received: list[int], later: int, is_fed: bool) -> None:
    """A series is whole if none of the last fifteen seconds saw an instance and nobody feeds it."""
    last, now = max(received), max(received) + later
    silent = all(second not in received for second in range(now - 14, now + 1)) and now >= last
    clock_was_set_back = last - now > QUIET.total_seconds()

    whole = is_whole(
        is_fed=is_fed,
        last_received=NOON + timedelta(seconds=last),
        now=NOON + timedelta(seconds=now),
        quiet=QUIET,
    )

    assert whole == (not is_fed and (silent or clock_was_set_back))


@given(st.lists(st.text("0123456789abcdef", min_size=4, max_size=4), unique=True), st.randoms())
def test_content_does_not_depend_on_the_order_of_arrival(digests: list[str], random: object) -> None:
    """The same instances are the same content, however they were sent."""
    shuffled = digests.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert content_digest(shuffled) == content_digest(digests)


def test_content_depends_on_every_instance() -> None:
    """One slice more is another content."""
    assert content_digest(["aa", "bb"]) != content_digest(["aa"])
