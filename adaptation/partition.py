"""Whether a patient is learnt from, says when to stop, or is the gate's: decided once, and kept with the case (pure).

The salted pseudonym decides, so that a patient whose mapping was kept meets the same part again. What a patient became
stands in the case and is never decided anew: a gate that was learnt from proves nothing.
"""

import json
from enum import StrEnum
from hashlib import sha256

from adaptation.errors import CaseError
from adaptation.limits import PartLimits

PURPOSE = b"part of adaptation: "  # so that no other use of the pseudonym goes along with the part


class Part(StrEnum):
    """What a patient's cases are for."""

    TRAIN = "train"
    TUNE = "tune"
    GATE = "gate"


def part_for(pseudonym: str, gate_size: int, limits: PartLimits | None = None) -> Part:
    """Return the part of a patient who has none yet.

    Args:
        pseudonym: salted, of the patient.
        gate_size: patients that the gate has now; once it is full, newcomers of its share are learnt from.
        limits: how patients are parted.
    """
    limits = limits or PartLimits()
    drawn = int.from_bytes(sha256(PURPOSE + pseudonym.encode()).digest()[:8]) / 2**64  # even over [0, 1)
    if drawn < limits.train:
        return Part.TRAIN
    if drawn < limits.train + limits.tune:
        return Part.TUNE
    return Part.GATE if gate_size < limits.gate_full else Part.TRAIN


def encode_place(part: Part, generation: int) -> bytes:
    """Return what a patient is for as the JSON of its file.

    Args:
        part: of the patient.
        generation: of the gate's cases; 1 where the part is another.
    """
    return json.dumps({"part": part.value, "generation": generation}).encode()


def parse_place(content: bytes) -> tuple[Part, int]:
    """Return part and generation of a patient's file.

    Raises:
        CaseError: it cannot be read.
    """
    try:
        values = json.loads(content)
        return Part(values["part"]), int(values["generation"])
    except (ValueError, KeyError, TypeError) as error:
        raise CaseError(f"the part of a patient cannot be read: {type(error).__name__}") from error
