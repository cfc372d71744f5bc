"""From masks to closed planar contours: trace, simplify, keyholes (pure).

The contour is a level line of a field that is above the level at the centre of every pixel of the mask and below it at
every other, so that filling the contour gives the mask back while the line itself runs between the pixels, where the
network's probabilities say. The way back is `rasterise`.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from segmentation.keyhole import keyhole
from segmentation.level_field import doubled, field_of
from segmentation.organ_mask import OrganMask
from segmentation.profiles import CLINICAL, EXACT, FieldRule, Profile
from segmentation.rasterise import fill_contours

__all__ = ["CLINICAL", "EXACT", "FieldRule", "Profile", "fill_contours", "finer", "keyhole", "trace_organ"]

MOST_POINTS = 1284  # of a ring: as text, 3 x 17 bytes each, it stays below the 65534 of a DS in an explicit VR
PAD = 3  # pixels around a slice's mask: what the blur reaches, and one of background for the line to close
ABOVE_ALL = 1e9  # no field reaches it: contourpy fills between two levels


def finer(profile: Profile) -> tuple[Profile, ...]:
    """Return what to try in turn: the profile, twice with a smaller tolerance, and the one that cannot fail."""
    return profile, _with_tolerance(profile, 0.01), _with_tolerance(profile, 0.0), EXACT


def _with_tolerance(profile: Profile, tolerance_px: float) -> Profile:
    rule = profile.of_probability
    return replace(
        profile,
        of_probability=rule and replace(rule, tolerance_px=tolerance_px),
        of_mask=replace(profile.of_mask, tolerance_px=tolerance_px),
    )


def trace_organ(organ: OrganMask, profile: Profile) -> dict[int, list[NDArray[np.float64]]]:
    """Return the contours of an organ, slice by slice.

    Args:
        organ: its mask, with probabilities or without.
        profile: how to draw.

    Returns:
        For each slice index on the CT that the organ touches, ascending: its rings, one for each component, float64,
        (points, 2), fractional row and column on the CT; not closed by a repeated point, holes joined by keyholes.
    """
    first_slice, *corner = organ.start
    occupied = np.flatnonzero(organ.mask.any(axis=(1, 2)))
    traced: dict[int, list[NDArray[np.float64]]] = {first_slice + int(index): [] for index in occupied}
    for place, ring in _trace_planes(organ, occupied, profile):
        traced[first_slice + int(occupied[place])].append(ring + corner)
    too_long = [index for index, rings in traced.items() if max(map(len, rings), default=0) > MOST_POINTS]
    for index in too_long:
        halves = [trace_organ(half, profile) for half in _halves(organ, index - first_slice)]
        traced[index] = [ring for half in halves for ring in half[index]]
    return traced


def _trace_planes(
    organ: OrganMask, planes: NDArray[np.intp], profile: Profile
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the rings on some slices of the organ's box, each with the place of its slice among them.

    The slices are traced as one tall image, one below the other: a call for an organ instead of one for each slice.
    """
    mask = _padded(organ.mask[planes])
    probability = None if organ.probability is None else _padded(organ.probability[planes])
    field, tolerance_px = field_of(mask, probability, profile)
    height = organ.mask.shape[1] + 2 * PAD
    thin = (_thin(mask) if profile.keeps_thin else np.zeros_like(mask, dtype=np.bool_)).reshape(len(planes), height, -1)
    steps = 2 if profile.is_doubled else 1  # from pixel to pixel
    lines = contour_generator(
        z=doubled(field) if profile.is_doubled else field, name="serial", fill_type=FillType.OuterOffset
    )
    for points, offsets in zip(*lines.filled(profile.level, ABOVE_ALL), strict=True):
        place = int(points[0, 1] // (steps * height))
        rows_columns = points[:, ::-1] / steps - (place * height, 0)
        # contourpy closes its rings; the outer comes first, its holes follow.
        parts = (rows_columns[begin : end - 1] for begin, end in itertools.pairwise(offsets))
        outer, *holes = (_simplified(part, tolerance_px, thin[place]) for part in parts)
        yield place, keyhole(outer, holes) - PAD


def _padded(planes: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return planes, (planes, rows, columns), one below the other as one image, background around each."""
    padded = np.pad(planes.astype(np.float64), ((0, 0), (PAD, PAD), (PAD, PAD)))
    return padded.reshape(-1, padded.shape[2])


def _halves(organ: OrganMask, plane: int) -> Iterator[OrganMask]:
    """Yield what an organ has on one slice of its box, cut in two across the longer side of what is there."""
    drawn = organ.mask[plane]
    axis = max((0, 1), key=lambda side: np.ptp(np.flatnonzero(drawn.any(axis=1 - side))))
    middle = np.flatnonzero(drawn.any(axis=1 - axis)).mean()
    is_before = np.expand_dims(np.arange(drawn.shape[axis]) <= middle, 1 - axis)
    for half in (is_before, ~is_before):
        mask = np.zeros_like(organ.mask)
        mask[plane] = drawn & half
        yield replace(organ, mask=mask)


def _thin(mask: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the pixels of a padded mask that are in no two by two block of it."""
    drawn = mask > 0
    block = drawn[:-1, :-1] & drawn[:-1, 1:] & drawn[1:, :-1] & drawn[1:, 1:]
    drawn[:-1, :-1] &= ~block
    drawn[:-1, 1:] &= ~block
    drawn[1:, :-1] &= ~block
    drawn[1:, 1:] &= ~block
    return drawn


def _simplified(ring: NDArray[np.float64], tolerance_px: float, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the ring without the points that its shape can spare (Douglas and Peucker 1973), or as it is if tiny.

    Args:
        ring: float64, (points, 2), row and column.
        tolerance_px: how far the line may move.
        kept: the pixels whose points are not spared, (rows, columns).
    """
    if tolerance_px <= 0:
        return ring
    short = ring.astype(np.float32)
    fewer = cv2.approxPolyDP(short[:, None, :], tolerance_px, closed=True)[:, 0, :]
    rows, columns = np.rint(ring).astype(np.intp).T
    is_kept = kept[rows, columns]
    if is_kept.any():
        is_corner = np.isin(short.view(np.complex64)[:, 0], fewer.view(np.complex64)[:, 0])
        return np.asarray(ring[is_kept | is_corner])
    return fewer.astype(np.float64) if len(fewer) >= 3 else ring
