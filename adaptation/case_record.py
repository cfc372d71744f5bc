"""What is known of a case beside its arrays: whose drawing it is, by a pseudonym, and what became of it (pure)."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from adaptation.errors import CaseError
from adaptation.partition import Part

FORMAT = 1  # of the file; a reader refuses another


class Status(StrEnum):
    """Whether a case may be learnt from."""

    ADMITTED = "admitted"
    SET_ASIDE = "set aside"  # by admission, with reasons: a person decides
    REJECTED = "rejected"  # by a person


class Origin(StrEnum):
    """How the contours of an organ came about."""

    DE_NOVO = "de novo"
    EDITED = "edited"
    UNTOUCHED = "untouched"


@dataclass(frozen=True)
class Edit:
    """How far the approved contours of an organ are from ours; NaN where a distance has no meaning.

    Args:
        dice: DSC, 0 to 1.
        surface_dice: surface DSC, 0 to 1, at the organ's tolerance.
        hd95_mm: 95th percentile Hausdorff distance.
        added_path_mm: what of the approved contours is not in ours, over all slices.
        volume_ratio: approved volume divided by ours.
        edited_slices: share of the slices of either that differ, 0 to 1.
    """

    dice: float
    surface_dice: float
    hd95_mm: float
    added_path_mm: float
    volume_ratio: float
    edited_slices: float


@dataclass(frozen=True)
class Structure:
    """One organ of a case.

    Args:
        origin: how its contours came about.
        edit: how far they are from ours; None where we sent none.
        measures: what admission looked at, by its name; the population's statistics are made of them.
        blind: how far they are from those that nobody had seen, as the CT was contoured blind; None where it was not.
    """

    origin: Origin
    edit: Edit | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    blind: Edit | None = None


@dataclass(frozen=True)
class Ruling:
    """Something that was decided of a case.

    Args:
        at: UTC.
        status: that it has from then on.
        by: a person, or `admission`.
        why: in a word; of admission all reasons.
    """

    at: datetime
    status: Status
    by: str
    why: str


@dataclass(frozen=True)
class CaseRecord:
    """One approved structure set with its CT, in the case store.

    Args:
        patient: pseudonym; all of a patient's cases have the same.
        revision: of the patient's cases, from 1.
        filed: UTC, when it came.
        structures: TG-263 name to what was drawn; an organ that is not here was not drawn.
        part: what the patient is for, decided once.
        history: what was decided, oldest first; the last one holds.
        reasons: why admission set it aside, all of them; empty where it found nothing.
        notes: what could not be taken of the structure set, and why.
        ct: pseudonym of the CT series: a later set on the same CT replaces this one.
        ct_digest: SHA-256 of the voxels, by which the same CT is known under another name.
        source: pseudonym of the structure set: filed twice, it is one case.
        model_digest: of the model that drew what we sent; empty where we sent nothing.
        scanner: pseudonym.
        month: in which it was approved, as `2026-03`.
        generation: of the gate's cases; the first, too, where the part is another.
    """

    patient: str
    revision: int
    filed: datetime
    structures: Mapping[str, Structure]
    part: Part
    history: tuple[Ruling, ...]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ct: str = ""
    ct_digest: str = ""
    source: str = ""
    model_digest: str = ""
    scanner: str = ""
    month: str = ""
    generation: int = 1

    @property
    def name(self) -> str:
        """By which the case is called everywhere."""
        return f"{self.patient}-{self.revision}"

    @property
    def status(self) -> Status:
        """Whether it may be learnt from, as was last decided."""
        return self.history[-1].status


def encode_record(record: CaseRecord) -> bytes:
    """Return a record as the JSON of its file; what is no number is null there."""
    return json.dumps({"format": FORMAT, **_plain(asdict(record))}, indent=1, allow_nan=False).encode()


def as_json(record: CaseRecord) -> dict[str, Any]:
    """Return a record as `--json` shows it."""
    return {"name": record.name, "status": record.status.value, **_plain(asdict(record))}


def parse_record(content: bytes) -> CaseRecord:
    """Return the record of a file.

    Raises:
        CaseError: it is none, or of another format.
    """
    try:
        values = json.loads(content)
        if values.pop("format") != FORMAT:
            raise CaseError("a case was filed by another release")
        return CaseRecord(
            **values
            | {
                "filed": datetime.fromisoformat(values["filed"]),
                "structures": {organ: _structure(one) for organ, one in values["structures"].items()},
                "part": Part(values["part"]),
                "history": tuple(_ruling(one) for one in values["history"]),
                "reasons": tuple(values["reasons"]),
                "notes": tuple(values["notes"]),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CaseError(f"a case's record cannot be read: {type(error).__name__}") from error


def _structure(values: dict[str, Any]) -> Structure:
    return Structure(
        Origin(values["origin"]),
        _edit(values["edit"]),
        {name: _number(value) for name, value in values["measures"].items()},
        _edit(values.get("blind")),  # a release before had none
    )


def _edit(values: dict[str, Any] | None) -> Edit | None:
    return None if values is None else Edit(**{each.name: _number(values[each.name]) for each in fields(Edit)})


def _ruling(values: dict[str, Any]) -> Ruling:
    return Ruling(datetime.fromisoformat(values["at"]), Status(values["status"]), values["by"], values["why"])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: times as text, NaN as null."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value
