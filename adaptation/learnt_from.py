"""Which cases a bundle has learnt from, kept beside its weights: it is not judged on them."""

import json
from collections.abc import Iterable
from pathlib import Path

from adaptation.errors import AdaptationError
from segmentation.durable import write_whole

FILE = "learnt_from.json"


def write_learnt_from(bundle: Path, names: Iterable[str]) -> None:
    """Write the names of cases, which are pseudonyms, into a bundle's folder."""
    write_whole(bundle / FILE, encode_learnt_from(names))


def encode_learnt_from(names: Iterable[str]) -> bytes:
    """Return the names of cases as the file has them."""
    return (json.dumps(sorted(set(names)), indent=1) + "\n").encode()


def read_learnt_from(bundle: Path) -> frozenset[str]:
    """Return the names of the cases that a bundle and what it began with have learnt from; none where it is not said.

    Raises:
        AdaptationError: where the file is damaged.
    """
    path = bundle / FILE
    if not path.exists():
        return frozenset()
    try:
        return frozenset(str(name) for name in json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise AdaptationError(f"{path} does not tell which cases were learnt from: {error}") from error
