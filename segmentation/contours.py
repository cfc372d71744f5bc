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

from segmentation.organ_mask import OrganMask
from segmentation.profiles import CLINICAL, EXACT, FieldRule, Profile
from segmentation.rasterise import fill_contours

__all__ = ["CLINICAL", "EXACT", "FieldRule", "Profile", "fill_contours", "finer", "keyhole", "trace_organ"]

MOST_POINTS = 1284  # of a ring: as text, 3 x 17 bytes each, it stays below the 65534 of a DS in an explicit VR
PAD = 3  # pixels around a slice's mask: what the blur reaches, and one of background for the line to close
MIDWAY = np.array([3.0, -25.0, 150.0, 150.0, -25.0, 3.0]) / 256.0  # Deslauriers and Dubuc 1989, exact to degree 5
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
    field, tolerance_px = _field(mask, probability, profile)
    height = organ.mask.shape[1] + 2 * PAD
    thin = (_thin(mask) if profile.keeps_thin else np.zeros_like(mask, dtype=np.bool_)).reshape(len(planes), height, -1)
    steps = 2 if profile.is_doubled else 1  # from pixel to pixel
    lines = contour_generator(
        z=_doubled(field) if profile.is_doubled else field, name="serial", fill_type=FillType.OuterOffset
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


def _field(
    mask: NDArray[np.float64], probability: NDArray[np.float64] | None, profile: Profile
) -> tuple[NDArray[np.float64], float]:
    """Return the field to trace, float64, (rows, columns), 0 to 1, and the simplification's tolerance in pixels."""
    if probability is not None and profile.of_probability is not None:
        field, rule = probability, profile.of_probability
    else:
        field, rule = mask, profile.of_mask
        if profile.blur_px > 0:
            blurred = cv2.GaussianBlur(mask, (0, 0), profile.blur_px, borderType=cv2.BORDER_CONSTANT)
            field = np.asarray(blurred, dtype=np.float64)
    # fmax and fmin take the clamp where a probability is not a number.
    clamped = np.where(mask > 0, np.fmax(field, 0.5 + rule.clamp), np.fmin(field, 0.5 - rule.clamp))
    return clamped, rule.tolerance_px


def _doubled(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a field with a value between each two neighbours, (2 rows - 1, 2 columns - 1)."""
    across = _with_midpoints(np.ascontiguousarray(field.T))
    return _with_midpoints(np.ascontiguousarray(across.T))


def _with_midpoints(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a field with a row between each two, on the side of 0.5 where they are, if they are on one.

    So no line runs round a place between the pixels' centres, and every ring has a pixel.
    """
    midway = cv2.sepFilter2D(field, cv2.CV_64F, np.ones(1), MIDWAY, anchor=(0, 2), borderType=cv2.BORDER_REPLICATE)[:-1]
    above = field > 0.5
    astray = (above[:-1] == above[1:]) & ((midway > 0.5) != above[:-1])
    doubled = np.empty((2 * len(field) - 1, field.shape[1]))
    doubled[::2] = field
    doubled[1::2] = np.where(astray, field[:-1], midway)
    return doubled


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


def keyhole(outer: NDArray[np.float64], holes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return one ring that goes round the outer and, over bridges of no width, round its holes.

    PS3.3 C.8.8.6.3 shows the keyhole as the way to a hole in a CLOSED_PLANAR contour: every reader fills it, whereas
    CLOSEDPLANAR_XOR is newer than many.

    Args:
        outer: float64, (points, 2), row and column.
        holes: the same, each within `outer`, none within another.
    """
    ring = outer
    # From the rightmost on, so that the way to the right is free of holes that are not joined yet.
    for hole in sorted(holes, key=lambda points: -float(points[:, 1].max())):
        ring = _joined(ring, hole)
    return ring


def _joined(ring: NDArray[np.float64], hole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ring with a hole, joined along the hole's row from its rightmost point to the ring's nearest edge."""
    begin = int(hole[:, 1].argmax())
    row, column = hole[begin]
    following = np.roll(ring, -1, axis=0)
    crossed = np.flatnonzero((ring[:, 0] <= row) != (following[:, 0] <= row))
    here, there = ring[crossed], following[crossed]
    at = here[:, 1] + (row - here[:, 0]) / (there[:, 0] - here[:, 0]) * (there[:, 1] - here[:, 1])
    to_the_right = np.flatnonzero(at >= column)
    if len(to_the_right):
        nearest = to_the_right[at[to_the_right].argmin()]
        edge, landing = int(crossed[nearest]), np.array([row, at[nearest]])
    else:  # simplification has pushed the hole through the ring: any bridge does, for it is walked there and back
        edge = int(np.hypot(*(ring - hole[begin]).T).argmin())
        landing = ring[edge]
    round_the_hole = np.roll(hole, -begin, axis=0)
    return np.concatenate([ring[: edge + 1], [landing], round_the_hole, hole[[begin]], [landing], ring[edge + 1 :]])
