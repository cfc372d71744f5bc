"""Two structure sets on one CT, organ by organ: how alike, how far apart, how much would have to be redrawn (pure)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.metrics import dice
from adaptation.surface import added_path_mm, surface_distances
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct_rois import volume_cm3

TOLERANCES_MM = (1.0, 2.0, 3.0)
Masks = Mapping[str, OrganMask | None]


@dataclass(frozen=True)
class OrganComparison:
    """One organ in two structure sets, A and B; what needs a mask on both sides is NaN where one has none.

    Args:
        organ: what the row is called: the organ that both names mean, else the ROI name.
        names: the ROI names in A and B; empty where a side has no such ROI.
        dsc: Dice coefficient, 0 to 1.
        hd95_mm: 95th percentile Hausdorff distance.
        surface_dsc: tolerance in mm to surface DSC, 0 to 1.
        added_path_mm: what of B's contours is not in A's, over all slices.
        volumes_cm3: of A and B; 0 for a mask without a voxel, NaN for a ROI that is not there or was refused.
        note: why a value is NaN; empty where none is.
    """

    organ: str
    names: tuple[str, str]
    dsc: float
    hd95_mm: float
    surface_dsc: Mapping[float, float]
    added_path_mm: float
    volumes_cm3: tuple[float, float]
    note: str = ""

    @property
    def volume_ratio(self) -> float:
        """A's volume divided by B's; NaN where either has none."""
        one, other = self.volumes_cm3
        return one / other if one > 0 and other > 0 else math.nan


def pair_names(
    one: Sequence[str], other: Sequence[str], organ_of: Callable[[str], str | None] = lambda _name: None
) -> list[tuple[str, str, str]]:
    """Return organ, name in A and name in B of every ROI of both structure sets, A's order first.

    ROIs of the same name are a pair; of the others those that are the only ones to mean an organ, in A as in B. What
    has no counterpart stands with an empty name.

    Args:
        one: A's ROI names, each its own.
        other: B's.
        organ_of: the organ that a ROI name means; None where it means none or more than one.
    """
    organs_a = {name: organ_of(name) for name in one}
    organs_b = {name: organ_of(name) for name in other}
    counterpart = {name: name for name in one if name in organs_b}
    for name, organ in organs_a.items():
        mean_the_same = [each for each, meant in organs_b.items() if meant == organ and each not in organs_a]
        is_alone = list(organs_a.values()).count(organ) == 1 and list(organs_b.values()).count(organ) == 1
        if organ is not None and name not in counterpart and is_alone and mean_the_same:
            counterpart[name] = mean_the_same[0]
    pairs = [
        (organs_a[name] or name if counterpart.get(name, name) != name else name, name, counterpart.get(name, ""))
        for name in one
    ]
    return pairs + [(name, "", name) for name in other if name not in counterpart.values()]


def compare_masks(
    one: Masks,
    other: Masks,
    grid: Grid,
    *,
    tolerances_mm: Sequence[float] = TOLERANCES_MM,
    organ_of: Callable[[str], str | None] = lambda _name: None,
) -> list[OrganComparison]:
    """Return the comparison of every ROI of two structure sets.

    Args:
        one: A's masks by ROI name; None for a ROI without a voxel on the CT.
        other: B's, which is taken for what was wanted where the two are not treated alike (the added path).
        grid: where the voxels lie; slices may be unevenly spaced.
        tolerances_mm: of the surface DSC.
        organ_of: as in `pair_names`.
    """
    return [
        _compare(organ, (name_a, name_b), (one, other), grid, tolerances_mm)
        for organ, name_a, name_b in pair_names(list(one), list(other), organ_of)
    ]


def _compare(
    organ: str, names: tuple[str, str], sides: tuple[Masks, Masks], grid: Grid, tolerances_mm: Sequence[float]
) -> OrganComparison:
    """Compare one organ; `names` is empty on the side that does not have it."""
    masks = [side.get(name) for side, name in zip(sides, names, strict=True)]
    volumes = [
        math.nan if not name else volume_cm3(mask, grid) if mask else 0.0
        for name, mask in zip(names, masks, strict=True)
    ]
    first, second = masks
    if first is None or second is None or not first.mask.any() or not second.mask.any():
        notes = [
            f"not in {side}" if not name else f"no voxel in {side}"
            for side, name, mask in zip("AB", names, masks, strict=True)
            if mask is None or not mask.mask.any()
        ]
        nothing = dict.fromkeys(tolerances_mm, math.nan)
        is_in_both = all(names) and volumes != [0.0, 0.0]
        return OrganComparison(
            organ,
            names,
            dsc=0.0 if is_in_both else math.nan,
            hd95_mm=math.nan,
            surface_dsc=nothing,
            added_path_mm=math.nan,
            volumes_cm3=(volumes[0], volumes[1]),
            note="; ".join(notes),
        )
    distances = surface_distances(first, second, grid)
    return OrganComparison(
        organ,
        names,
        dsc=dice(*on_common_box(first, second)),
        hd95_mm=distances.hausdorff_mm(),
        surface_dsc={tolerance: distances.surface_dice(tolerance) for tolerance in tolerances_mm},
        added_path_mm=float(added_path_mm(first, second, grid).sum()),
        volumes_cm3=(volumes[0], volumes[1]),
    )


def on_common_box(one: OrganMask, other: OrganMask) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return two masks of one grid cut to the smallest box that holds both, bool, (slices, rows, columns)."""
    start = np.minimum(one.start, other.start)
    stop = np.maximum(np.add(one.start, one.mask.shape), np.add(other.start, other.mask.shape))
    placed = []
    for organ in (one, other):
        whole = np.zeros(stop - start, dtype=np.bool_)
        begin = np.subtract(organ.start, start)
        whole[tuple(slice(a, a + n) for a, n in zip(begin, organ.mask.shape, strict=True))] = organ.mask
        placed.append(whole)
    return placed[0], placed[1]


def worst_slice(one: OrganMask, other: OrganMask) -> int:
    """Return the slice of the CT on which most pixels are in one of two masks only."""
    first, second = on_common_box(one, other)
    return int((first ^ second).sum(axis=(1, 2)).argmax()) + min(one.start[0], other.start[0])
