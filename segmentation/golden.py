"""The golden case: a phantom contoured by the model in service, and compared with what it drew the first time.

A constancy test: it does not say whether a model is good, but whether the whole way from voxels to organs still does
what it did when the model went into service on this machine.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from segmentation.contouring import Contouring, load_contouring, save_contouring
from segmentation.organ_mask import OrganMask
from segmentation.phantom import build_phantom
from segmentation.predict import Predictor
from segmentation.volume import Volume

SEED = 20230412  # of the phantom; any other would do, but never again another
ROWS, PIXEL_MM, SLICE_MM = 256, 2.0, 3.0
SAME_DICE = 0.99  # another order of additions moves a voxel at an edge, no more
SAME_VOXELS = 2  # which of a lens of twenty is more than that


@dataclass(frozen=True)
class GoldenOutcome:
    """What came of the golden case.

    Args:
        is_first: this model was never tried on this machine: its result is kept, and nothing was compared.
        dice: by organ, of the kept and the new mask.
        faults: sentences; none if the result is the kept one.
    """

    is_first: bool
    dice: dict[str, float]
    faults: tuple[str, ...]


def check_golden_case(predictor: Predictor, kept: Path, beside: Path | None = None) -> GoldenOutcome:
    """Contour the golden case and compare it with the kept result, which the first check makes.

    Args:
        predictor: the model in service.
        kept: file of the kept result; one for each model.
        beside: kept result of another model; an organ that only that one finds is a fault.
    """
    found = predictor.predict(golden_volume())
    lost = lost_organs(found, load_contouring(beside)) if beside else ()
    if not kept.exists():
        save_contouring(found, kept)
        return GoldenOutcome(is_first=True, dice={}, faults=lost)
    same = compare_with_kept(found, load_contouring(kept))
    return replace(same, faults=(*lost, *same.faults))


def golden_volume() -> Volume:
    """Return the CT of the golden case."""
    return build_phantom(SEED, rows=ROWS, columns=ROWS, pixel_mm=PIXEL_MM, slice_mm=SLICE_MM).volume


def compare_with_kept(found: Contouring, kept: Contouring) -> GoldenOutcome:
    """Compare organ by organ; an organ that came or went is a fault, as is one that moved."""
    names = sorted(set(found.organs) | set(kept.organs))
    beside = {name: _compare(found.organs.get(name), kept.organs.get(name)) for name in names}
    faults = [
        f"{name}: DSC {value:.4f} with the kept result"
        for name, (value, moved) in beside.items()
        if not (value >= SAME_DICE or moved <= SAME_VOXELS)
    ]
    return GoldenOutcome(
        is_first=False, dice={name: value for name, (value, _) in beside.items()}, faults=tuple(faults)
    )


def lost_organs(found: Contouring, before: Contouring) -> tuple[str, ...]:
    """Return the organs of the golden case that another model draws and this one knows and does not, a sentence each.

    Of two models that differ nothing more can be asked: the golden case is a phantom, and says nothing of patients.
    """
    missing = [name for name in before.organs if name in found.not_found]
    return tuple(f"{name} is not found on the golden case; {before.model_version} finds it" for name in missing)


def _compare(one: OrganMask | None, other: OrganMask | None) -> tuple[float, float]:
    """Return the Dice coefficient of two masks, and how many voxels only one of them has."""
    if one is None or other is None:
        return 0.0, float("inf")
    first, second = one.full(), other.full()
    moved = int((first ^ second).sum())
    return 1 - moved / int(first.sum() + second.sum()), moved
