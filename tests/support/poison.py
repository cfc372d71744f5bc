"""Sets of contours that must not be learnt from, made of good ones: what goes wrong between a TPS and a node."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adaptation.labelled_ct import LabelledCt
from segmentation.structures import MIRRORED

Masks = dict[str, NDArray[np.bool_]]
AXES = {"along the slices": 0, "to the back": 1, "to the side": 2}


@dataclass(frozen=True, eq=False)
class Bench:
    """What a poison is made of.

    Args:
        case: a good one.
        other: another patient's.
        rng: chooses organ, end and direction.
    """

    case: LabelledCt
    other: LabelledCt
    rng: np.random.Generator

    def some_organ(self) -> str:
        """Return an organ of the case."""
        return str(self.rng.choice(sorted(organ for organ, mask in self.case.masks.items() if mask.any())))


def poisoned(name: str, bench: Bench) -> LabelledCt | None:
    """Return the case with what is wrong; None where it cannot go wrong so, or nothing was changed."""
    masks = POISONS[name](bench)
    same = all(np.array_equal(masks.get(organ), mask) for organ, mask in bench.case.masks.items())
    return None if same else replace(bench.case, masks=masks)


def swapped_sides(bench: Bench) -> Masks:
    """Return each paired organ under the other side's name."""
    return {MIRRORED[organ]: mask for organ, mask in bench.case.masks.items()}


def shifted(axis: str, mm: float) -> Callable[[Bench], Masks]:
    """Return what shifts the whole set, as one of another frame of reference lies."""

    def shift(bench: Bench) -> Masks:
        return {organ: _moved(bench, mask, axis, mm) for organ, mask in bench.case.masks.items()}

    return shift


def one_shifted(axis: str, mm: float) -> Callable[[Bench], Masks]:
    """Return what shifts a single organ."""

    def shift(bench: Bench) -> Masks:
        organ = bench.some_organ()
        return {**bench.case.masks, organ: _moved(bench, bench.case.masks[organ], axis, mm)}

    return shift


def another_patients(bench: Bench) -> Masks:
    """Return the other patient's set, as if both were scanned from the head down in the same frame."""
    shape = bench.case.volume.grid.shape
    laid = {}
    for organ, mask in bench.other.masks.items():
        both = [min(one, other) for one, other in zip(shape, mask.shape, strict=True)]
        place = np.zeros(shape, dtype=np.bool_)
        place[-both[0] :, : both[1], : both[2]] = mask[-both[0] :, : both[1], : both[2]]
        laid[organ] = place
    return laid


def cropped(share: float) -> Callable[[Bench], Masks]:
    """Return what takes a share of one organ's slices away, below or above."""

    def crop(bench: Bench) -> Masks:
        organ = bench.some_organ()
        mask = bench.case.masks[organ].copy()
        slices = np.flatnonzero(mask.any(axis=(1, 2)))
        gone = round(share * len(slices))
        mask[slices[:gone] if bench.rng.random() < 0.5 else slices[len(slices) - gone :]] = False
        return {**bench.case.masks, organ: mask}

    return crop


def with_a_gap(bench: Bench) -> Masks:
    """Return one organ without two of its slices."""
    organ = bench.some_organ()
    mask = bench.case.masks[organ].copy()
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if len(slices) > 3:
        first = int(bench.rng.integers(1, len(slices) - 2))
        mask[slices[first : first + 2]] = False
    return {**bench.case.masks, organ: mask}


def _moved(bench: Bench, mask: NDArray[np.bool_], axis: str, mm: float) -> NDArray[np.bool_]:
    """Return a mask moved by whole voxels, either way; what leaves the CT is lost."""
    grid = bench.case.volume.grid
    spacing = (grid.slice_spacing_mm, grid.row_spacing_mm, grid.column_spacing_mm)[AXES[axis]]
    steps = round(mm / spacing) * (1 if bench.rng.random() < 0.5 else -1)
    moved = np.roll(mask, steps, axis=AXES[axis])
    lost = [slice(None)] * 3
    lost[AXES[axis]] = slice(0, steps) if steps > 0 else slice(steps, None)
    if steps:
        moved[tuple(lost)] = False
    return moved


POISONS: Mapping[str, Callable[[Bench], Masks]] = {
    "swapped sides": swapped_sides,
    **{f"the set {mm} mm {axis}": shifted(axis, mm) for axis in AXES for mm in (10, 20)},
    **{f"an organ {mm} mm {axis}": one_shifted(axis, mm) for axis in AXES for mm in (10, 20)},
    "another patient's set": another_patients,
    "a third of an organ cropped": cropped(1 / 3),
    "half of an organ cropped": cropped(0.5),
    "a gap of two slices": with_a_gap,
}
"""What goes wrong -> how it is made."""
