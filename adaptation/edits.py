"""How an approved organ came about, seen from what we sent: drawn from nothing, edited, or left as it was (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.case_record import Edit, Origin
from adaptation.comparison import on_common_box
from adaptation.limits import SMALL_ORGANS
from adaptation.metrics import dice
from adaptation.surface import added_path_mm, surface_distances
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask

TOLERANCE_MM, SMALL_TOLERANCE_MM = 2.0, 1.0  # of the surface DSC
SAME_SHARE = 0.03  # of a slice's pixels: what a planning system's own raster leaves of a contour that nobody touched
SAME_PIXELS = 2  # likewise, of the few pixels of a lens
SMOOTHED = 0.95  # DSC from which an organ whose slices all differ was edited as a whole, as by smoothing
DERIVED = 0.1  # share of the slices left as they were, from which an organ was edited and not drawn from nothing
BY_A_PROGRAM = frozenset({"AUTOMATIC", "SEMIAUTOMATIC"})  # ROI Generation Algorithm, PS3.3 C.8.8.5


@dataclass(frozen=True, eq=False)
class Sent:
    """What we sent of a CT before it was approved.

    Args:
        model_digest: of the model that drew it.
        organs: by their TG-263 names.
    """

    model_digest: str
    organs: Mapping[str, OrganMask]


def nearest(approved: Mapping[str, OrganMask], sent: Iterable[Sent]) -> Sent | None:
    """Return which of several things that we sent was edited: the one most like what was approved; the last of equals.

    Args:
        approved: the organs, by name.
        sent: oldest first.
    """
    best, likeness = None, -1.0
    for one in sent:
        both = [name for name in approved if name in one.organs]
        alike = sum(dice(*on_common_box(approved[name], one.organs[name])) for name in both) / max(len(both), 1)
        if alike >= likeness:
            best, likeness = one, alike
    return best


def compare_with_sent(organ: str, approved: OrganMask, sent: OrganMask, grid: Grid) -> Edit:
    """Return how far an approved organ is from what we sent of it; neither may be empty."""
    distances = surface_distances(sent, approved, grid)
    one, other = on_common_box(sent, approved)
    tolerance = SMALL_TOLERANCE_MM if organ in SMALL_ORGANS else TOLERANCE_MM
    return Edit(
        dice=dice(one, other),
        surface_dice=distances.surface_dice(tolerance),
        hd95_mm=distances.hausdorff_mm(),
        added_path_mm=float(added_path_mm(sent, approved, grid).sum()),
        volume_ratio=float(approved.mask.sum() / sent.mask.sum()),
        edited_slices=edited_slices(one, other),
    )


def edited_slices(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the share of the slices of either mask on which the two differ, 0 to 1.

    Args:
        one: bool, (slices, rows, columns).
        other: bool, the same shape.
    """
    either, apart = ((which).sum(axis=(1, 2)) for which in (one | other, one ^ other))
    there = either > 0
    differs = apart[there] > np.maximum(SAME_SHARE * either[there], SAME_PIXELS)
    return float(differs.mean()) if differs.size else 0.0


def origin_of(edit: Edit | None, algorithm: str) -> Origin:
    """Return how an organ came about.

    Nobody can see an edit of every slice: it counts as drawn from nothing unless the planning system says that a
    program drew it, or it is so much alike that it was smoothed as a whole.

    Args:
        edit: how far it is from what we sent; None where we sent nothing.
        algorithm: ROI Generation Algorithm of the approved ROI.
    """
    if edit is None:
        return Origin.DE_NOVO
    if edit.edited_slices == 0:
        return Origin.UNTOUCHED
    derived = 1 - edit.edited_slices >= DERIVED or edit.dice >= SMOOTHED
    return Origin.EDITED if derived or algorithm.strip().upper() in BY_A_PROGRAM else Origin.DE_NOVO
