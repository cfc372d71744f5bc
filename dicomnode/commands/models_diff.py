"""Two models beside each other: what they say of themselves, their figures, and where their weights are other."""

from typing import Any

from adaptation.integrity import differing_places
from dicomnode.node import Books
from segmentation.bundle import Manifest


def diff_models(books: Books, one: str, other: str) -> dict[str, Any]:
    """Return in what two models differ: manifest, figures by organ, and the places that have other weights.

    Args:
        books: of the node.
        one: NAME, NAME@current, or NAME@VERSION.
        other: likewise.
    """
    models = books.examiner.models
    first, second = models.called(one), models.called(other)
    is_same_network = first.manifest.variant == second.manifest.variant and len(first.manifest.organs) == len(
        second.manifest.organs
    )
    return {
        "one": {"version": first.manifest.version, "digest": first.digest},
        "other": {"version": second.manifest.version, "digest": second.digest},
        "manifest": _changes(first.manifest, second.manifest),
        "dice": _dice(first.manifest, second.manifest),
        "weights": differing_places(first.folder, second.folder) if is_same_network else ["another network"],
    }


def _changes(one: Manifest, other: Manifest) -> dict[str, list[Any]]:
    first, second = one.model_dump(mode="json"), other.model_dump(mode="json")
    shown = [key for key in first if key not in {"measured", "sha256"}]
    return {key: [first[key], second[key]] for key in shown if first[key] != second[key]}


def _dice(one: Manifest, other: Manifest) -> dict[str, list[float | None]]:
    """Return by organ what either reached, each on its own cases: no comparison, which is the gate's."""
    first, second = (dict(each.measured.dice) if each.measured else {} for each in (one, other))
    return {organ: [first.get(organ), second.get(organ)] for organ in dict.fromkeys((*first, *second))}
