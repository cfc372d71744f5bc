"""What admission looks at in an organ that was drawn: its size, shape, place and HU, as numbers (pure)."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from adaptation.labelled_ct import LabelledCt
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.plausibility import PLACES, centroid_mm, parts_of
from segmentation.structures import MIRRORED
from segmentation.volume import Volume

AIR_HU, BONE_HU = -300, 250  # below: outside the body or in an airway; above: no soft tissue, contrast medium aside
AXES = ("left", "back", "head")  # of patient coordinates
Measures = dict[str, float]


def measure(case: LabelledCt) -> dict[str, Measures]:
    """Return the measures of every organ that has a voxel, by its name.

    Of each organ: `volume` (natural logarithm of cm3), `length` (along the slices, natural logarithm of mm), `HU` (the
    mean), `air` and `bone` (shares of its voxels), `parts`, `gap` (most slices in a row, within the organ, on which
    nothing was drawn), `gaps` (how many such slices in all), `slices` (from
    its first to its last), `blunt below` and `blunt above` (area of its last slice, as a
    share of its largest), `cut` (1 where it reaches the first or last slice of the CT, else 0), `off midline` (of the
    body, mm to the left), `ratio` (of the volume to that of the other side's, natural logarithm), and for each organ
    that it is seen from `left of`, `back of` and `head of` it, mm between the centroids. Of the brainstem also
    `apart`: mm along the slices between its lower end and the upper one of the cord.
    """
    grid = case.volume.grid
    organs = {name: OrganMask.from_full(mask, margin=0) for name, mask in case.masks.items() if mask.any()}
    centroids = {name: centroid_mm(organ, grid) for name, organ in organs.items()}
    found = {name: _of_one(organ, case.volume, centroids[name]) for name, organ in organs.items()}
    for name, values in found.items():
        if MIRRORED[name] != name and MIRRORED[name] in found:
            values["ratio"] = values["volume"] - found[MIRRORED[name]]["volume"]
        values.update(_places(name, centroids))
    if "Brainstem" in organs and "SpinalCord" in organs:
        cord, stem = organs["SpinalCord"], organs["Brainstem"]
        upper = grid.positions_mm[cord.start[0] + cord.mask.shape[0] - 1]
        found["Brainstem"]["apart"] = float(grid.positions_mm[stem.start[0]] - upper)
    return found


def _of_one(organ: OrganMask, volume: Volume, centroid: NDArray[np.float64]) -> Measures:
    grid = volume.grid
    hu = np.asarray(volume.hu[organ.box])[organ.mask]
    voxels = len(hu)
    areas = organ.mask.sum(axis=(1, 2))
    return {
        "volume": math.log(voxels * grid.voxel_cm3),
        "length": math.log(len(areas) * grid.slice_spacing_mm),
        "HU": float(hu.mean()),
        "air": float((hu < AIR_HU).mean()),
        "bone": float((hu > BONE_HU).mean()),
        "parts": float(len(parts_of(organ.mask))),
        "gap": float(_longest_gap(areas > 0)),
        "gaps": float((areas == 0).sum()),
        "slices": float(len(areas)),
        "blunt below": float(areas[0] / areas.max()),
        "blunt above": float(areas[-1] / areas.max()),
        "cut": float(organ.start[0] == 0 or organ.start[0] + len(areas) == grid.shape[0]),
        "off midline": _off_midline(organ, volume, grid, centroid),
    }


def _longest_gap(occupied: NDArray[np.bool_]) -> int:
    """Return the most slices in a row without the organ; it begins and ends on slices with it."""
    return int(np.diff(np.flatnonzero(occupied), prepend=-1).max()) - 1


def _off_midline(organ: OrganMask, volume: Volume, grid: Grid, centroid: NDArray[np.float64]) -> float:
    """Return how far to the left of the body's middle an organ lies, on its own slices, mm.

    A couch and a head rest are as symmetric as the body, and need not be told from it.
    """
    body = np.asarray(volume.hu[organ.box[0]]).astype(np.int16) > AIR_HU
    if not body.any():
        return math.nan
    whole = OrganMask(grid.shape, (organ.start[0], 0, 0), body)
    return float(centroid[0] - centroid_mm(whole, grid)[0])


def _places(name: str, centroids: Mapping[str, NDArray[np.float64]]) -> Measures:
    return {
        f"{axis} of {place.seen_from}": float(offset)
        for place in PLACES
        if place.organ == name and place.seen_from in centroids
        for axis, offset in zip(AXES, centroids[name] - centroids[place.seen_from], strict=True)
    }
