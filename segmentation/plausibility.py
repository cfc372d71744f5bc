"""Whether organs are as large as a human's, in one piece, and lie to each other as a human's do (pure).

Volumes and places are the extremes over patients, widened: brainstem, cord, mandible and parotids from 248 patients of
OpenKBP (Babier 2021) and 25 scans of Nikolov et al. (arXiv 1809.04430), lenses and optic nerves from the latter;
pituitary and temporal lobes from this project's phantom, which was built to atlas values, with the widest margins.

Parts are counted in what was drawn, after post-processing. That leaves one part of most organs; of cord and mandible,
which a streak of metal may cut, it leaves those that are near or large, as it cannot say which is the organ. A
physician draws one: 1089 of 1091 organs of OpenKBP are in one part, and two cords were left out on slices. What
post-processing dropped is not counted: it says nothing of what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.contouring import Contouring
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask

VOLUME_CM3: dict[str, tuple[float, float]] = {
    "Brainstem": (8, 50),
    "SpinalCord": (4, 80),
    "Bone_Mandible": (25, 140),
    "Pituitary": (0.1, 1.8),
    "Parotid_L": (5, 65),
    "Parotid_R": (5, 65),
    "Lens_L": (0.04, 0.5),
    "Lens_R": (0.04, 0.5),
    "OpticNrv_L": (0.2, 2.0),
    "OpticNrv_R": (0.2, 2.0),
    "Lobe_Temporal_L": (40, 150),
    "Lobe_Temporal_R": (40, 150),
}


@dataclass(frozen=True)
class Place:
    """Where an organ's centroid lies, seen from another's.

    Args:
        organ: whose centroid.
        seen_from: the other organ.
        low: least x (to the left), y (to the back), z (to the head), mm.
        high: most.
    """

    organ: str
    seen_from: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]


PLACES: tuple[Place, ...] = (
    Place("SpinalCord", "Brainstem", (-35, -30, -320), (35, 105, -25)),
    Place("Bone_Mandible", "Brainstem", (-25, -115, -100), (25, -35, -5)),
    Place("Parotid_L", "Brainstem", (35, -60, -80), (90, 12, 12)),
    Place("Parotid_R", "Brainstem", (-90, -60, -80), (-35, 12, 12)),
    Place("Parotid_L", "Parotid_R", (80, -30, -30), (160, 30, 30)),
    Place("Parotid_L", "Bone_Mandible", (35, 15, -35), (90, 85, 60)),
    Place("Parotid_R", "Bone_Mandible", (-90, 15, -35), (-35, 85, 60)),
    Place("Pituitary", "Brainstem", (-15, -55, -15), (15, -12, 40)),
    Place("Lens_L", "Brainstem", (12, -115, -30), (52, -62, 70)),
    Place("Lens_R", "Brainstem", (-52, -115, -30), (-12, -62, 70)),
    Place("OpticNrv_L", "Brainstem", (7, -85, -20), (42, -32, 60)),
    Place("OpticNrv_R", "Brainstem", (-42, -85, -20), (-7, -32, 60)),
    Place("Lens_L", "Lens_R", (40, -20, -20), (95, 20, 20)),
    Place("OpticNrv_L", "OpticNrv_R", (25, -20, -20), (70, 20, 20)),
    Place("Lobe_Temporal_L", "Brainstem", (18, -40, -25), (70, 35, 50)),
    Place("Lobe_Temporal_R", "Brainstem", (-70, -40, -25), (-18, 35, 50)),
    Place("Lobe_Temporal_L", "Lobe_Temporal_R", (55, -25, -25), (125, 25, 25)),
)
MOST_PARTS = {"OpticNrv_L": 3, "OpticNrv_R": 3}  # as Nikolov's observers drew nerves across slices; else one
REAL_PART = 0.05  # of an organ's volume: what is smaller is a stray click and no part
SAME_PART = np.ones((3, 3, 3), dtype=np.bool_)  # voxels that touch at a corner are one part
NOT_OF_THE_HEAD = ("SpinalCord",)  # is in a thorax too
ENOUGH = 2  # organs of the head that must be as large and lie to each other as they should


def implausible(organs: Mapping[str, OrganMask], grid: Grid) -> tuple[str, ...]:
    """Return what is wrong with organs that were drawn, each a sentence for whoever reviews them."""
    return tuple(sentence for sentences in doubts_about(organs, grid).values() for sentence in sentences)


def doubts_about(organs: Mapping[str, OrganMask], grid: Grid) -> dict[str, tuple[str, ...]]:
    """Return by organ what is wrong with it; an organ that is as it should be is not there."""
    volumes = {organ: one.mask.sum() * grid.voxel_cm3 for organ, one in organs.items()}
    centroids = {organ: centroid_mm(one, grid) for organ, one in organs.items() if one.mask.any()}
    doubts = [
        (organ, f"{organ} has {volume:.2g} cm3, expected are {VOLUME_CM3[organ][0]:g} to {VOLUME_CM3[organ][1]:g}.")
        for organ, volume in volumes.items()
        if not is_usual_volume(organ, float(volume))
    ]
    doubts += [
        (organ, f"{organ} is in {len(shares)} parts that do not touch, of {_listed(shares, volumes[organ])} cm3.")
        for organ, one in organs.items()
        if len(shares := parts_of(one.mask)) > MOST_PARTS.get(organ, 1)
    ]
    doubts += [
        (place.organ, f"{place.organ} does not lie where it should, seen from {place.seen_from}.")
        for place in PLACES
        if place.organ in centroids and place.seen_from in centroids and not lies_in(place, centroids)
    ]
    return {
        organ: tuple(sentence for of, sentence in doubts if of == organ)
        for organ in dict.fromkeys(of for of, _ in doubts)
    }


def has_head_and_neck(contouring: Contouring, grid: Grid) -> tuple[str, ...]:
    """Return the reasons why a CT does not show a head and neck; none where it does.

    A network draws something on most pictures. That two organs of the head are of human size and lie to each other
    as they should does not happen by accident; a thorax, an abdomen or a cylinder has no such pair.

    Args:
        contouring: of the CT.
        grid: of the CT.
    """
    organs = {
        name: organ
        for name, organ in contouring.organs.items()
        if name not in NOT_OF_THE_HEAD and is_usual_volume(name, float(organ.mask.sum() * grid.voxel_cm3))
    }
    centroids = {name: centroid_mm(organ, grid) for name, organ in organs.items()}
    in_place = {
        name
        for place in PLACES
        if place.organ in centroids and place.seen_from in centroids and lies_in(place, centroids)
        for name in (place.organ, place.seen_from)
    }
    if len(in_place) >= ENOUGH:
        return ()
    found = ", ".join(sorted(contouring.organs)) or "none"
    return (
        f"no head and neck was found: no two organs of the head are of human size and in their places (found: {found})",
    )


def is_usual_volume(organ: str, cm3: float) -> bool:
    """Return whether an organ has a volume that humans have."""
    low, high = VOLUME_CM3[organ]
    return low <= cm3 <= high


def parts_of(mask: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return which share of an organ's voxels each of its parts has, the largest first; stray voxels are no part."""
    labels, _ = ndimage.label(mask, SAME_PART)
    sizes = np.sort(np.bincount(labels.ravel())[1:])[::-1]
    return tuple(float(size / sizes.sum()) for size in sizes if size > REAL_PART * sizes.sum())


def _listed(shares: Sequence[float], cm3: float) -> str:
    """Return the volumes of parts in words, as "31 and 14"."""
    *others, last = [f"{share * cm3:.2g}" for share in shares]
    return f"{', '.join(others)} and {last}"


def lies_in(place: Place, centroids: Mapping[str, NDArray[np.float64]]) -> bool:
    """Return whether an organ lies where it should, seen from the other."""
    offset = centroids[place.organ] - centroids[place.seen_from]
    return bool(np.all(offset >= place.low) and np.all(offset <= place.high))


def centroid_mm(organ: OrganMask, grid: Grid) -> NDArray[np.float64]:
    """Return the centroid of an organ (not empty), float64, (3,), patient mm."""
    slices, rows, columns = (
        indices + start for indices, start in zip(np.nonzero(organ.mask), organ.start, strict=True)
    )
    origin = grid.origins[slices].mean(axis=0)
    return np.asarray(
        origin
        + columns.mean() * grid.column_spacing_mm * grid.row_direction
        + rows.mean() * grid.row_spacing_mm * grid.column_direction
    )
