"""What each association brought: counted as long as the node runs, and told to the audit when it is over."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from dicomnode.acceptance import Instance
from dicomnode.audit.message import Event, Kind, Outcome, Party, Role, Study
from dicomnode.errors import (
    ClassNotSupported,
    ConflictingContent,
    DataSetMismatch,
    LedgerUnavailable,
    NotAuthorised,
    NotUnderstood,
    Refusal,
    SpoolFull,
)

Tell = Callable[[Event], None]
"""Takes an event for the audit; never waits."""

REASON_OF: dict[type[Refusal], str] = {
    SpoolFull: "no space",
    LedgerUnavailable: "ledger unavailable",
    DataSetMismatch: "data set mismatch",
    NotUnderstood: "not understood",
    ConflictingContent: "conflicting content",
    ClassNotSupported: "class not supported",
    NotAuthorised: "not authorised",
}
"""Refusal -> the word by which metrics and audit count it."""

HOSTILE = frozenset({DataSetMismatch, NotUnderstood, ClassNotSupported, NotAuthorised})
"""What a well-meaning peer does not send; the others are this node's own trouble or the operator's to decide."""

ALERT_EVERY = timedelta(minutes=1)  # for the same address: a flood at the door is no flood of audit records
MOST_STRANGERS = 1000  # remembered at once
MOST_STUDIES = 100  # of one association, before they are told


@dataclass
class _Visit:
    """One open association; `is_ours` where this node asked for it, to have something sent."""

    ae_title: str
    address: str
    is_ours: bool = False
    studies: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)
    hostile: Counter[str] = field(default_factory=Counter)


class Visits:
    """The open associations and the sums of all; safe to use from many threads.

    Args:
        ae_title: of this node.
        tell: takes the events for the audit.
        clock: the present time in UTC.
    """

    def __init__(self, ae_title: str, tell: Tell, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._ae_title = ae_title
        self._tell = tell
        self._now = clock
        self._lock = threading.Lock()
        self._open: dict[str, _Visit] = {}
        self._strangers: dict[str, tuple[datetime, int]] = {}
        self._associations: Counter[str] = Counter(accepted=0, rejected=0)
        self._received: Counter[str] = Counter()
        self._refused: Counter[str] = Counter(dict.fromkeys(REASON_OF.values(), 0))

    @property
    def open_associations(self) -> int:
        """How many associations are open."""
        return len(self._open)

    @property
    def associations(self) -> dict[str, int]:
        """How many associations were accepted and rejected."""
        with self._lock:
            return dict(self._associations)

    @property
    def received(self) -> dict[str, int]:
        """How many instances each peer was told that they are kept, by its AE title."""
        with self._lock:
            return dict(self._received)

    @property
    def refused(self) -> dict[str, int]:
        """How many instances were refused, by reason."""
        with self._lock:
            return dict(self._refused)

    def accepted(self, key: str, ae_title: str, address: str) -> None:
        """Note that an association was accepted."""
        with self._lock:
            self._associations["accepted"] += 1
            self._open[key] = _Visit(ae_title, address)

    def begun(self, key: str, ae_title: str, address: str) -> None:
        """Note that this node has asked a peer to send something on an association of its own."""
        with self._lock:
            self._open[key] = _Visit(ae_title, address, is_ours=True)

    def rejected(self, ae_title: str, address: str, reason: str) -> None:
        """Note that an association was rejected; the audit hears at most once a minute of the same address.

        Args:
            ae_title: as they call themselves, which proves nothing.
            address: where they came from.
            reason: in words.
        """
        now = self._now()
        with self._lock:
            self._associations["rejected"] += 1
            last, silent = self._strangers.get(address, (None, 0))
            if last is not None and timedelta() <= now - last < ALERT_EVERY:
                self._strangers[address] = (last, silent + 1)
                return
            if len(self._strangers) >= MOST_STRANGERS:
                self._strangers.clear()
            self._strangers[address] = (now, 0)
        text = f"association rejected: {reason}{f'; and {silent} times before' if silent else ''}"
        stranger = Party(ae_title or "?", Role.SOURCE, address, is_requestor=True)
        self._tell(Event(Kind.STRANGER, now, (stranger, self._own()), Outcome.MINOR_FAILURE, text))

    def kept(self, key: str, instance: Instance) -> None:
        """Note that an instance was taken."""
        header = instance.header
        study = (instance.study_instance_uid, header.text("PatientID"), header.text("PatientName"))
        with self._lock:
            visit = self._open.setdefault(key, _Visit("?", ""))
            self._received[visit.ae_title] += 1
            visit.studies.setdefault(study, Counter())[header.text("SOPClassUID")] += 1
            if len(visit.studies) <= MOST_STUDIES:
                return
            told = replace(visit)
            visit.studies = {}
        self._tell_studies(told)

    def refused_one(self, key: str, refusal: Refusal) -> None:
        """Note that an instance was refused."""
        reason = REASON_OF[type(refusal)]
        with self._lock:
            self._refused[reason] += 1
            if key in self._open and type(refusal) in HOSTILE:
                self._open[key].hostile[reason] += 1

    def over(self, key: str) -> None:
        """Note that an association is over, and tell what it brought; one that is not known is no fault."""
        with self._lock:
            visit = self._open.pop(key, None)
        if visit is None:
            return
        self._tell_studies(visit)
        if visit.hostile:
            text = ", ".join(f"{reason}: {count}" for reason, count in sorted(visit.hostile.items()))
            event = Event(
                Kind.HOSTILE_INPUT,
                self._now(),
                self._parties(visit),
                Outcome.MINOR_FAILURE,
                f"instances refused: {text}",
            )
            self._tell(event)

    def _tell_studies(self, visit: _Visit) -> None:
        for (study_instance_uid, patient_id, patient_name), instances in visit.studies.items():
            study = Study(study_instance_uid, patient_id, patient_name, dict(instances))
            self._tell(Event(Kind.INSTANCES_RECEIVED, self._now(), self._parties(visit), study=study))

    def _parties(self, visit: _Visit) -> tuple[Party, Party]:
        sender = Party(visit.ae_title, Role.SOURCE, visit.address, is_requestor=not visit.is_ours)
        return sender, self._own(is_requestor=visit.is_ours)

    def _own(self, *, is_requestor: bool = False) -> Party:
        return Party(self._ae_title, Role.DESTINATION, is_requestor=is_requestor)
