"""What a model did on one case, as JSON and back (pure)."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from adaptation.comparison import OrganComparison
from adaptation.errors import AdaptationError
from adaptation.evaluate import Score
from adaptation.evidence import Harm

DEFINITION = 4
"""Of the numbers in a file: raised with every change of the code by which the same bundle gets others on the same case.

It is part of the file's name, so that what an earlier release kept is never held against what this one computes.
2: a cord is judged from its lowest contour upwards. 3: parts that lie far from an organ are not drawn.
4: an organ in several parts is flagged.
"""
DIGITS = 20  # of a model's digest, in a file's name


@dataclass(frozen=True)
class CaseOutcome:
    """What a model did on one case.

    Args:
        scores: of each organ that was drawn.
        harms: that no model may do.
        is_flagged: whether the checks of what is drawn have something to say.
    """

    scores: tuple[Score, ...]
    harms: tuple[Harm, ...]
    is_flagged: bool


def ending_of(digest: str) -> str:
    """Return what the names of files end with that hold what a model did, as it is judged now.

    Args:
        digest: of the model.
    """
    return f".{digest[:DIGITS]}.{DEFINITION}.json"


def encode_outcome(outcome: CaseOutcome) -> bytes:
    """Return an outcome as the JSON of its file; what is no number is null there."""
    return json.dumps(_plain(asdict(outcome)), allow_nan=False).encode()


def parse_outcome(content: bytes) -> CaseOutcome:
    """Return the outcome of a file.

    Raises:
        AdaptationError: where it is none.
    """
    try:
        values = json.loads(content)
        return CaseOutcome(
            tuple(Score(one["case"], one["organ"], _comparison(one["comparison"])) for one in values["scores"]),
            tuple(Harm(**one) for one in values["harms"]),
            bool(values["is_flagged"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise AdaptationError(f"the scores of a case cannot be read: {type(error).__name__}") from error


def _comparison(values: dict[str, Any]) -> OrganComparison:
    numbers = {name: _number(values[name]) for name in ("dsc", "hd95_mm", "added_path_mm")}
    first, second = values["volumes_cm3"]
    return OrganComparison(
        organ=values["organ"],
        names=(values["names"][0], values["names"][1]),
        surface_dsc={float(tolerance): _number(value) for tolerance, value in values["surface_dsc"].items()},
        volumes_cm3=(_number(first), _number(second)),
        note=values["note"],
        **numbers,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
