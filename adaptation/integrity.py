"""G0 of the gate: whether a candidate's files are what they should be, and whether it is fast enough."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from adaptation.evidence import Integrity
from segmentation.bundle import WEIGHTS, Manifest, verify_bundle
from segmentation.errors import BundleError, GeometryError
from segmentation.golden import golden_volume, lost_organs
from segmentation.network.checkpoint import read_tensors
from segmentation.network.engine import Engine
from segmentation.network.places import place_of, places
from segmentation.predict import Predictor, load_predictor
from segmentation.volume import Volume

ROUNDS = 3  # each model in turn, so that what else the machine does touches both


def examine_integrity(
    candidate: Path,
    base: Path,
    current: Path,
    *,
    trained: frozenset[str],
    device: str = "auto",
    engine: Engine = "auto",
    volume: Callable[[], Volume] = golden_volume,
    clock: Callable[[], float] = time.monotonic,
) -> Integrity:
    """Return what does not hold of a candidate: digests, strict load, finite weights, locked places, golden case.

    Args:
        candidate: bundle under judgement.
        base: bundle that it was trained from.
        current: bundle in service.
        trained: places that the training was allowed to change.
        device: as the node contours on.
        engine: likewise.
        volume: the golden case.
        clock: in seconds.
    """
    try:
        manifest = verify_bundle(candidate)
        judged = load_predictor(candidate, device, engine)
        faults = [*_differences(manifest, verify_bundle(base)), *changed_places(candidate, base, trained)]
        serving = load_predictor(current, device, engine)
    except BundleError as error:
        return Integrity((str(error),), float("nan"))
    ct = volume()
    try:
        faults += lost_organs(judged.predict(ct), serving.predict(ct))
        return Integrity(tuple(faults), _ratio(judged, serving, ct, clock))
    except GeometryError as error:
        return Integrity((*faults, str(error)), float("nan"))


def changed_places(candidate: Path, base: Path, trained: frozenset[str]) -> list[str]:
    """Return the places that should be the base's to the bit and are not, a sentence where there are any.

    Raises:
        BundleError: the weights of one cannot be read.
    """
    changed = [place for place in differing_places(candidate, base) if place not in trained]
    return [f"{', '.join(changed)}: locked, and not the base's to the bit"] if changed else []


def differing_places(one: Path, other: Path) -> list[str]:
    """Return the places, from the input on, in which two bundles of a network have other weights or statistics.

    Raises:
        BundleError: the weights of one cannot be read.
    """
    ours, theirs = read_tensors(one / WEIGHTS), read_tensors(other / WEIGHTS)
    changed = {
        place_of(name)
        for name, value in theirs.items()
        if not name.startswith("tails.")
        and value.is_floating_point()
        and not (name in ours and torch.equal(value, ours[name]))
    }
    return [place for place in places(verify_bundle(other).variant) if place in changed]


def _differences(ours: Manifest, theirs: Manifest) -> list[str]:
    return [
        f"it differs from its base in {part}"
        for part in ("purpose", "organs", "variant", "preprocessing")
        if getattr(ours, part) != getattr(theirs, part)
    ]


def _ratio(judged: Predictor, serving: Predictor, ct: Volume, clock: Callable[[], float]) -> float:
    """Return how long a case takes one model over how long it takes another; both have run once before."""
    took: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(ROUNDS):
        for index, predictor in enumerate((judged, serving)):
            begun = clock()
            predictor.predict(ct)
            took[index].append(clock() - begun)
    return median(took[0]) / median(took[1])
