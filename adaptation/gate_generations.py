"""The generations of the gate's cases: who renewed them and why, which one is gathered, and which one judges.

`gate.json` beside the case store lists the renewals; without it there is the first generation alone. A renewal opens a
generation: the gate's share of patients who come from then on belongs to it. The one before goes on judging until the
new one has as many cases as a run needs, and is retired from then on: it neither judges again nor is learnt from.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from adaptation.case_record import CaseRecord, Status
from adaptation.errors import AdaptationError
from adaptation.looks import Look
from adaptation.partition import Part
from segmentation.durable import write_whole

FILE = "gate.json"


@dataclass(frozen=True)
class Renewal:
    """Somebody's word that the gate's cases are to be replaced.

    Args:
        generation: that it opened; the first renewal opens the second.
        at: UTC.
        by: the person.
        why: in words.
    """

    generation: int
    at: datetime
    by: str
    why: str


def read_renewals(folder: Path) -> tuple[Renewal, ...]:
    """Return every renewal, the first one first.

    Args:
        folder: that the case store lies in.

    Raises:
        AdaptationError: the file cannot be read.
    """
    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise AdaptationError(f"the renewals of the gate cannot be read: {error.strerror}") from error
    try:
        values = json.loads(content)
        found = tuple(
            Renewal(int(one["generation"]), datetime.fromisoformat(one["at"]), str(one["by"]), str(one["why"]))
            for one in values["renewals"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise AdaptationError(f"the renewals of the gate cannot be read: {type(error).__name__}") from error
    if [one.generation for one in found] != list(range(2, len(found) + 2)):
        raise AdaptationError("the renewals of the gate are not numbered one by one")
    return found


def open_generation(folder: Path) -> int:
    """Return the generation to which newcomers of the gate's share belong.

    Raises:
        AdaptationError: the renewals cannot be read.
    """
    return 1 + len(read_renewals(folder))


def renew(folder: Path, records: Sequence[CaseRecord], least: int, *, by: str, why: str, at: datetime) -> Renewal:
    """Open the next generation of the gate; newcomers of the gate's share belong to it from then on.

    Args:
        folder: that the case store lies in.
        records: the newest revision of each case.
        least: admitted cases that a run needs of the gate.
        by: the person.
        why: in words.
        at: UTC.

    Raises:
        AdaptationError: nobody or nothing is named, the newest generation is not full yet, or the renewals cannot be
            read.
        OSError: the disk refuses.
    """
    before = read_renewals(folder)
    newest = 1 + len(before)
    if not (by.strip() and why.strip()):
        raise AdaptationError("the gate is renewed by a named person, with a reason")
    if (cases := cases_of(records, newest)) < least:
        raise AdaptationError(
            f"generation {newest} of the gate is still gathered: it has {cases} cases, and {least} are needed before"
            " the next one"
        )
    renewal = Renewal(newest + 1, at, by.strip(), why.strip())
    write_whole(folder / FILE, json.dumps({"renewals": [_plain(one) for one in (*before, renewal)]}, indent=1).encode())
    return renewal


def judging_generation(records: Sequence[CaseRecord], looks: Sequence[Look], newest: int, least: int) -> int:
    """Return the generation whose cases judge: the newest that has enough, and never one before that took a look.

    Args:
        records: the newest revision of each case.
        looks: at the gate, all of them.
        newest: generation that was opened.
        least: admitted cases that a run needs of the gate.
    """
    reached = max((look.generation for look in looks), default=1)
    enough = [number for number in range(reached, newest + 1) if cases_of(records, number) >= least]
    return max(enough, default=reached)


def cases_of(records: Sequence[CaseRecord], generation: int) -> int:
    """Return how many admitted cases a generation of the gate has."""
    return sum(record.status is Status.ADMITTED and belongs(record, generation) for record in records)


def belongs(record: CaseRecord, generation: int) -> bool:
    """Return whether a case is of a generation of the gate."""
    return record.part is Part.GATE and record.generation == generation


def taking_part(records: Sequence[CaseRecord], generation: int) -> list[CaseRecord]:
    """Return the cases that a run may use: of the gate's only those of the generation that judges."""
    return [record for record in records if record.part is not Part.GATE or record.generation == generation]


def _plain(renewal: Renewal) -> dict[str, Any]:
    return {**vars(renewal), "at": renewal.at.isoformat()}
