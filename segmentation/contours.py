"""From masks to closed planar contours: trace, simplify, keyholes (pure).

The contour is a level line of a field that is above the level at the centre of every pixel of the mask and below it at
every other, so that filling the contour gives the mask back while the line itself runs between the pixels, where the
network's probabilities say. The way back is `rasterise`.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from segmentation.crossing import may_cross, pinched
from segmentation.fairing import corners_of, fair
from segmentation.keyhole import keyhole
from segmentation.level_field import doubled, field_of
from segmentation.organ_mask import OrganMask
from segmentation.profiles import CLINICAL, EXACT, FieldRule, Profile
from segmentation.rasterise import fill_contours, fill_planes

__all__ = ["CLINICAL", "EXACT", "FieldRule", "Profile", "fill_contours", "finer", "keyhole", "trace_organ"]

MOST_POINTS = 1284  # of a ring: as text, 3 x 17 bytes each, it stays below the 65534 of a DS in an explicit VR
PAD = 3  # pixels around a slice's mask: what the blur reaches, and one of background for the line to close
ABOVE_ALL = 1e9  # no field reaches it: contourpy fills between two levels


def finer(profile: Profile) -> tuple[Profile, ...]:
    """Return what to try in turn: the profile, twice with a smaller tolerance, and the one that cannot fail."""
    return profile, _as_traced(profile, 0.01), _as_traced(profile, 0.0), EXACT


def _as_traced(profile: Profile, tolerance_px: float | None = None) -> Profile:
    """Return a profile whose lines are simplified and no more, to a tolerance of its own."""

    def plain(rule: FieldRule) -> FieldRule:
        return replace(rule, tolerance_px=rule.tolerance_px if tolerance_px is None else tolerance_px, spread_px2=None)

    rule = profile.of_probability
    return replace(profile, of_probability=rule and plain(rule), of_mask=plain(profile.of_mask))


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
    planes = _trace_planes(organ, np.flatnonzero(organ.mask.any(axis=(1, 2))), profile)
    if _rule(organ, profile).spread_px2 is not None:
        planes |= _trace_planes(organ, _wrong_planes(planes, organ.mask), _as_traced(profile))
    traced = {first_slice + plane: [ring + corner for ring in rings] for plane, rings in planes.items()}
    too_long = [index for index, rings in traced.items() if max(map(len, rings), default=0) > MOST_POINTS]
    for index in too_long:
        halves = [trace_organ(half, profile) for half in _halves(organ, index - first_slice)]
        traced[index] = [ring for half in halves for ring in half[index]]
    return traced


def _rule(organ: OrganMask, profile: Profile) -> FieldRule:
    """Return how the organ's field becomes a line."""
    return profile.of_mask if organ.probability is None or profile.of_probability is None else profile.of_probability


def _wrong_planes(planes: Mapping[int, Sequence[NDArray[np.float64]]], mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the planes where a line that was moved has crossed a pixel's centre, or another line."""
    at = [plane for plane, rings in planes.items() for _ in rings]
    filled = fill_planes([ring for rings in planes.values() for ring in rings], at, mask.shape)
    wrong = (filled != mask).any(axis=(1, 2))
    for plane in np.flatnonzero(pinched(mask) & ~wrong):
        wrong[plane] = may_cross(planes[int(plane)])
    return np.flatnonzero(wrong)


def _trace_planes(organ: OrganMask, planes: NDArray[np.intp], profile: Profile) -> dict[int, list[NDArray[np.float64]]]:
    """Return the rings on some planes of the organ's box, in the box's rows and columns.

    The planes are traced as one tall image, one below the other: a call for an organ instead of one for each plane.
    """
    traced: dict[int, list[NDArray[np.float64]]] = {int(plane): [] for plane in planes}
    if not traced:
        return traced
    frame = _frame(organ.mask[planes])
    mask = _framed(organ.mask[planes], frame)
    probability = None if organ.probability is None else _framed(organ.probability[planes], frame)
    height = len(mask) // len(planes)
    rings: list[NDArray[np.float64]] = []
    places: list[tuple[int, int]] = []  # of each component, and how many rings it has
    for parts in _polygons(field_of(mask, probability, profile), profile):
        place = int(parts[0][0, 0] // height)
        places.append((place, len(parts)))
        rings += [part - (place * height, 0) for part in parts]
    rule = _rule(organ, profile)
    if rule.spread_px2 is not None:
        rings = fair(rings, rule.tolerance_px, rule.spread_px2 / 2)
    elif rule.tolerance_px > 0:
        thin = _thin(mask) if profile.keeps_thin else np.zeros_like(mask, dtype=np.bool_)
        kept = thin.reshape(len(planes), height, -1)
        on = [place for place, count in places for _ in range(count)]
        rings = [_simplified(ring, rule.tolerance_px, kept[place]) for place, ring in zip(on, rings, strict=True)]
    remaining = iter(rings)
    for place, count in places:
        outer, *holes = itertools.islice(remaining, count)
        traced[int(planes[place])].append(keyhole(outer, holes) + [side.start for side in frame])
    return traced


def _polygons(field: NDArray[np.float64], profile: Profile) -> Iterator[list[NDArray[np.float64]]]:
    """Yield the lines of each component, the outer one first, then its holes; no point is repeated at the end."""
    steps = 2 if profile.is_doubled else 1  # from pixel to pixel
    z = doubled(field) if profile.is_doubled else field
    lines = contour_generator(z=z, name="serial", fill_type=FillType.OuterOffset)
    for points, offsets in zip(*lines.filled(profile.level, ABOVE_ALL), strict=True):
        row_column = points[:, ::-1] / steps
        yield [row_column[begin : end - 1] for begin, end in itertools.pairwise(offsets)]


def _frame(planes: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and the columns that the level lines of masks depend on; they may begin below 0."""
    drawn = [np.flatnonzero(planes.any(axis=(0, across))) for across in (2, 1)]
    rows, columns = (slice(int(places[0]) - PAD, int(places[-1]) + 1 + PAD) for places in drawn)
    return rows, columns


def _framed(planes: NDArray[np.generic], frame: tuple[slice, slice]) -> NDArray[np.float64]:
    """Return the frame of planes, (planes, rows, columns), one below the other as one image; 0 where they end."""
    framed = np.zeros((len(planes), *(side.stop - side.start for side in frame)))
    there = [
        slice(max(side.start, 0), min(side.stop, size)) for side, size in zip(frame, planes.shape[1:], strict=True)
    ]
    rows, columns = (
        slice(each.start - side.start, each.stop - side.start) for each, side in zip(there, frame, strict=True)
    )
    framed[:, rows, columns] = planes[:, there[0], there[1]]
    return framed.reshape(-1, framed.shape[2])


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
    """Return the ring without the points that its shape can spare.

    Args:
        ring: float64, (points, 2), row and column.
        tolerance_px: how far the line may move.
        kept: the pixels whose points are not spared, (rows, columns).
    """
    is_kept = kept[tuple(np.rint(ring).astype(np.intp).T)]
    is_kept[corners_of(ring, tolerance_px)] = True
    return np.asarray(ring[is_kept])
