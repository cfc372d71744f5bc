"""From probabilities to organs: one part, on its own side, without holes, and no voxel in two organs (pure)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.bundle import PostProcessing
from segmentation.organ_mask import OrganMask
from segmentation.preprocess import NetworkGrid
from segmentation.structures import BY_NAME

Box = tuple[slice, slice, slice]
MIDLINE_ORGANS = ("Brainstem", "Bone_Mandible", "Pituitary", "SpinalCord")  # in the order in which they are trusted
SURROUND = 2  # voxels of the network's grid around a part that belong to it: where its probability falls to nothing
TRUNCATED = 4.0  # standard deviations beyond which the Gaussian ends
GAP_MM = 40.0  # that a streak of metal, or slices that are unclear, can leave between two parts of an organ
RIVAL = 0.25  # of the largest part's weight, from which weight alone does not say which of two far parts is the organ
MIN_VOXELS = 2  # of the network's grid, for a midline organ that the others are judged by


@dataclass(frozen=True, eq=False)
class Drawn:
    """One organ at the CT's resolution, in patient axes.

    Args:
        place: of the box on the CT.
        probability: float32, the box's shape.
        mask: bool, the same.
    """

    place: Box
    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Region:
    """The part of the network's grid that an organ can lie on: most of the grid says nothing of it.

    Args:
        start: slice, row, column on the grid of the region's first voxel.
        values: float32, the organ's probabilities there, smoothed.
        mask: bool, where they reach the threshold.
    """

    start: tuple[int, int, int]
    values: NDArray[np.float32]
    mask: NDArray[np.bool_]


def draw_organs(
    probabilities: Mapping[str, NDArray[np.float16]],
    grid: NetworkGrid,
    settings: Mapping[str, PostProcessing],
    ct_shape: tuple[int, int, int],
    voxel_cm3: float,
) -> dict[str, OrganMask]:
    """Return the organs that are there, on the CT's own grid and in its pixel order.

    Args:
        probabilities: of each organ on the network's grid.
        grid: that they lie on.
        settings: by organ; those that are not named have the defaults.
        ct_shape: slices, rows, columns of the CT.
        voxel_cm3: volume of one of the CT's voxels.
    """
    chosen = {organ: settings.get(organ, PostProcessing()) for organ in probabilities}
    found = {organ: region_of(values, chosen[organ]) for organ, values in probabilities.items()}
    regions = {organ: region for organ, region in found.items() if region is not None}
    middle = midline(regions, grid.shape[2])
    drawn = {}
    for organ, region in regions.items():
        part = main_part(region, organ, middle, chosen[organ].part_share, grid.voxel_mm)
        if part is not None and (whole := enlarged(region, part, grid, chosen[organ])) is not None:
            drawn[organ] = whole
    part_overlaps(drawn)
    return {
        organ: in_pixel_order(one, grid, ct_shape)
        for organ, one in drawn.items()
        if one.mask.any() and one.mask.sum() * voxel_cm3 >= chosen[organ].min_cm3
    }


def region_of(values: NDArray[np.float16], settings: PostProcessing) -> Region | None:
    """Return what the network's grid says of an organ, around the voxels that reach the threshold; None without any."""
    reach = math.ceil(TRUNCATED * settings.smoothing_slices)
    # Smoothing takes a voxel over the threshold to its neighbours, and what surrounds a part is smoothed by its own.
    margins = (2 * reach + SURROUND + 1, SURROUND + 1, SURROUND + 1)
    # Half floats that are not negative are in the order of their bits, which a processor compares much faster.
    bits, least = values.view(np.int16), int(np.float16(settings.threshold).view(np.int16))
    box = []
    for axis, margin in enumerate(margins):
        there = np.flatnonzero(bits.max(axis=tuple({0, 1, 2} - {axis})) >= least)
        if not len(there):
            return None
        box.append(slice(max(0, int(there[0]) - margin), min(values.shape[axis], int(there[-1]) + margin + 1)))
    region = smoothed(values[box[0], box[1], box[2]], settings.smoothing_slices)
    return Region((box[0].start, box[1].start, box[2].start), region, region >= settings.threshold)


def smoothed(values: NDArray[np.float16], slices: float) -> NDArray[np.float32]:
    """Return probabilities after a Gaussian along the slices, whose sigma is given in slices."""
    single = values.astype(np.float32)
    if not slices > 0:
        return single
    return ndimage.gaussian_filter1d(single, slices, axis=0, mode="nearest", truncate=TRUNCATED)


def midline(regions: Mapping[str, Region], columns: int) -> float:
    """Return the column of the body's middle, by the organs that lie there; the middle of the grid without them."""
    for organ in MIDLINE_ORGANS:
        if organ in regions:
            there = np.nonzero(regions[organ].mask)[2]
            if len(there) >= MIN_VOXELS:
                return float(there.mean()) + regions[organ].start[2]
    return (columns - 1) / 2


def main_part(
    region: Region, organ: str, middle: float, share: float, voxel_mm: tuple[float, float, float]
) -> NDArray[np.bool_] | None:
    """Return the connected part that is most of the organ, on its own side, and parts near it that weigh a share of it.

    None where there is nothing on that side. Parts that touch at a corner are one: a thin organ on a coarse grid hangs
    together by corners.
    """
    labels, count = ndimage.label(region.mask, np.ones((3, 3, 3), dtype=np.bool_))
    if not count:
        return None
    numbers = np.arange(1, count + 1)
    weights = np.asarray(ndimage.sum_labels(region.values, labels, numbers))
    side = BY_NAME[organ].laterality
    if side is not None:
        across = np.broadcast_to(np.arange(labels.shape[2]) + region.start[2], labels.shape)
        columns = np.asarray(ndimage.mean(across, labels, numbers))
        # Columns grow to the patient's left.
        weights = np.where(columns > middle if side == "L" else columns < middle, weights, 0.0)
    if not weights.max() > 0:
        return None
    heaviest = weights.max()
    sure = numbers[weights >= max(share, RIVAL) * heaviest]
    return joined(labels, sure, np.setdiff1d(numbers[weights >= share * heaviest], sure), voxel_mm)


def joined(
    labels: NDArray[np.integer[Any]],
    sure: NDArray[np.integer[Any]],
    others: NDArray[np.integer[Any]],
    voxel_mm: tuple[float, float, float],
) -> NDArray[np.bool_]:
    """Return the parts that are sure with those others that follow one of them, part by part, within `GAP_MM`.

    What lies farther off is something else that looks alike: a piece of the vault is no mandible, a rib no cord.
    """
    whole = np.asarray(np.isin(labels, sure))
    far = list(others)
    while far:
        distance_mm = ndimage.distance_transform_edt(~whole, sampling=voxel_mm)
        near = [one for one in far if distance_mm[labels == one].min() <= GAP_MM]
        if not near:
            break
        whole |= np.isin(labels, near)
        far = [one for one in far if one not in near]
    return whole


def enlarged(region: Region, part: NDArray[np.bool_], grid: NetworkGrid, settings: PostProcessing) -> Drawn | None:
    """Return a part at the CT's resolution, holes closed; None where nothing of it is left there."""
    indices = [np.flatnonzero(part.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = [
        slice(max(0, int(one[0]) - SURROUND - 1), min(size, int(one[-1]) + SURROUND + 2))
        for one, size in zip(indices, part.shape, strict=True)
    ]
    inside = (box[0], box[1], box[2])
    first, second, third = (
        slice(one.start + start, one.stop + start) for one, start in zip(box, region.start, strict=True)
    )
    near = ndimage.binary_dilation(part[inside], np.ones((3, 3, 3), dtype=np.bool_), iterations=SURROUND)
    place, probability = grid.up(np.where(near, region.values[inside], np.float32(0)), (first, second, third))
    if not probability.size:
        return None
    probability = np.clip(probability, 0, 1)  # cubic interpolation swings a little beyond the values
    labels, count = ndimage.label(probability >= settings.threshold)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    kept = np.isin(labels, 1 + np.flatnonzero(sizes >= settings.part_share * sizes.max()))
    return Drawn(place, probability, np.asarray(ndimage.binary_fill_holes(kept)))


def part_overlaps(drawn: Mapping[str, Drawn]) -> None:
    """Give each voxel that two organs claim to the one with the higher probability, in place."""
    for one, other in combinations(drawn.values(), 2):
        shared = [
            slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one.place, other.place, strict=True)
        ]
        if all(part.start < part.stop for part in shared):
            of_one, of_other = within(shared, one.place), within(shared, other.place)
            both = one.mask[of_one] & other.mask[of_other]
            first_wins = one.probability[of_one] >= other.probability[of_other]
            one.mask[of_one] &= ~(both & ~first_wins)
            other.mask[of_other] &= ~(both & first_wins)


def within(shared: list[slice], place: Box) -> Box:
    """Return a part of the CT as an index into a box that holds it."""
    first, second, third = (
        slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(shared, place, strict=True)
    )
    return first, second, third


def in_pixel_order(drawn: Drawn, grid: NetworkGrid, ct_shape: tuple[int, int, int]) -> OrganMask:
    """Return an organ turned back from patient axes to the CT's pixels."""
    turn = grid.turn
    _, rows, columns = ct_shape
    if turn.transposed:
        rows, columns = columns, rows
    slices, down, across = drawn.place
    row = rows - down.stop if turn.rows_flipped else down.start
    column = columns - across.stop if turn.columns_flipped else across.start
    return OrganMask(
        grid_shape=ct_shape,
        start=(slices.start, column, row) if turn.transposed else (slices.start, row, column),
        mask=np.ascontiguousarray(turn.to_pixels(drawn.mask)),
        probability=np.ascontiguousarray(turn.to_pixels(drawn.probability)),
    )
