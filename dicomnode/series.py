"""A series on its way: its states, which may follow which, and when it is whole (pure)."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from dicomnode.errors import TransitionError


class State(StrEnum):
    """Where a CT series is. Held, blind, failed and sent ones wait for nobody but the operator or another instance."""

    RECEIVING = "receiving"  # instances arrive, or it has not been quiet for long enough
    HELD = "held"  # cannot be contoured honestly; the reasons are in the row
    COMPLETE = "complete"  # waits for the contouring process, or is in it
    CONTOURED = "contoured"  # the structure set is on disk and on its way
    SENT = "sent"  # every peer of the route has it
    BLIND = "blind"  # the structure set is on disk and nobody gets it, so that the physician draws from nothing
    UNDELIVERED = "undelivered"  # a delivery was given up; the structure set is on disk
    FAILED = "failed"  # contouring failed for a reason that is not the series'


NEXT: dict[State, frozenset[State]] = {
    # Back to where it was, if what came again brought nothing new.
    State.RECEIVING: frozenset({State.COMPLETE, State.HELD, State.CONTOURED, State.BLIND, State.FAILED}),
    State.HELD: frozenset({State.COMPLETE, State.RECEIVING}),  # the operator releases it, or a late slice mends it
    State.COMPLETE: frozenset({State.CONTOURED, State.BLIND, State.HELD, State.FAILED, State.RECEIVING}),
    State.CONTOURED: frozenset({State.SENT, State.UNDELIVERED, State.RECEIVING, State.COMPLETE}),
    State.SENT: frozenset({State.RECEIVING, State.COMPLETE, State.CONTOURED}),  # a late slice, or the operator
    State.BLIND: frozenset({State.COMPLETE, State.RECEIVING}),  # the operator releases it, or a late slice
    State.UNDELIVERED: frozenset({State.RECEIVING, State.COMPLETE, State.CONTOURED, State.SENT}),
    State.FAILED: frozenset({State.COMPLETE, State.RECEIVING}),
}


DELIVERED = (State.SENT,)
UNFINISHED = (State.HELD, State.BLIND, State.FAILED, State.UNDELIVERED)
OVER = DELIVERED + UNFINISHED
"""Nothing is done with a series in one of these unless somebody asks for it."""


def advance(current: State, to: State) -> State:
    """Return `to` if a series may go there from `current`.

    Raises:
        TransitionError: if it may not.
    """
    if to not in NEXT[current]:
        raise TransitionError(f"a series that is {current} cannot become {to}")
    return to


def is_whole(*, is_fed: bool, last_received: datetime, now: datetime, quiet: timedelta) -> bool:
    """Whether a series can be taken to be whole.

    DICOM has no end-of-series message: a series is whole when no open association feeds it and no instance has arrived
    for `quiet`. A clock that was set back must not make it wait for ever, so a last instance from the future counts as
    quiet.
    """
    return not is_fed and (now - last_received >= quiet or last_received - now > quiet)


def content_digest(instance_digests: Iterable[str]) -> str:
    """Return the hex SHA-256 that stands for what a series consists of, whatever the order of arrival."""
    return hashlib.sha256("\n".join(sorted(instance_digests)).encode()).hexdigest()
