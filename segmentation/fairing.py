"""Level lines brought to where the edge is, with few points: what was lost on the way to them is given back (pure).

A level line that is interpolated between pixels wavers, from pixel to pixel, about the edge that it stands for. It is
smoothed, then thinned out, and then its corners are moved so that each ring encloses what it did before, and what the
line itself had lost: where values are means over a width of variance v, the line of one half runs inside a curve of
radius r by v / 2r, which takes pi v from what any ring encloses, whatever its size.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from segmentation.rasterise import following

PASSES = 2  # of smoothing, each halfway to the middle between the neighbours: a wave of two points is gone
LARGEST_MOVE_PX = 0.25  # of a corner: only at a spike more would be due


def fair(rings: Sequence[NDArray[np.float64]], tolerance_px: float, inset_px2: float) -> list[NDArray[np.float64]]:
    """Return the rings smoothed, with fewer points, and as large as what they stand for.

    Args:
        rings: level lines, float64, (points, 2), pixels, three points each at least, in either direction.
        tolerance_px: how far thinning out may move a line, before its corners are moved back.
        inset_px2: how far a line runs inside a curve of a radius of one pixel.
    """
    if not rings:
        return []
    lengths = np.array([len(ring) for ring in rings])
    starts = np.cumsum(lengths) - lengths
    traced = np.concatenate(rings)
    after = following(lengths)
    smooth = _smoothed(traced, after)
    kept = [
        first + corners_of(smooth[first : first + length], tolerance_px)
        for first, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]
    corners, counts = np.concatenate(kept), np.array([len(each) for each in kept])
    # All areas are doubled, and below zero where a ring runs the other way round.
    sweeps = _swept(smooth, smooth[after])
    before, now = np.add.reduceat(_swept(traced, traced[after]), starts), np.add.reduceat(sweeps, starts)
    owed = 2 * inset_px2 + np.sign(before) * (before - now) / (2 * np.pi)  # for each radian that the ring turns
    moved = _moved(smooth[corners], counts, _cut_off(sweeps, now, smooth[corners], corners, counts), owed)
    return np.split(moved, np.cumsum(counts)[:-1])


def corners_of(ring: NDArray[np.float64], tolerance_px: float) -> NDArray[np.intp]:
    """Return the points that a ring's shape cannot spare (Douglas and Peucker 1973), ascending; all of a tiny one."""
    short = np.ascontiguousarray(ring, dtype=np.float32)
    fewer = cv2.approxPolyDP(short[:, None], tolerance_px, closed=True)
    if len(fewer) < 3:
        return np.arange(len(ring))
    known, wanted = short.view(np.int64)[:, 0], np.ascontiguousarray(fewer[:, 0]).view(np.int64)[:, 0]
    order = known.argsort()
    return np.sort(order[np.searchsorted(known, wanted, sorter=order)])


def _smoothed(points: NDArray[np.float64], after: NDArray[np.intp]) -> NDArray[np.float64]:
    before = np.empty_like(after)
    before[after] = np.arange(len(after))
    for _ in range(PASSES):
        points = points / 2 + (points[before] + points[after]) / 4
    return points


def _swept(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return twice the area of the triangle from the origin to each edge, with a sign."""
    return np.asarray(start[:, 0] * end[:, 1] - start[:, 1] * end[:, 0])


def _cut_off(
    sweeps: NDArray[np.float64],
    whole: NDArray[np.float64],
    points: NDArray[np.float64],
    corners: NDArray[np.intp],
    counts: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return what lies between the line from each corner to the next on its ring and the chord that takes its place.

    Args:
        sweeps: of all edges of all rings.
        whole: their sum for each ring.
        points: at the corners.
        corners: indices of the corners among all points.
        counts: how many corners each ring has.
    """
    after = following(counts)
    so_far = np.concatenate([[0.0], np.cumsum(sweeps)])
    run = so_far[corners[after]] - so_far[corners]
    run[np.cumsum(counts) - 1] += whole  # from the last corner of a ring over its end to its first
    return np.asarray(run - _swept(points, points[after]))


def _moved(
    points: NDArray[np.float64], counts: NDArray[np.intp], cut: NDArray[np.float64], owed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return corners moved across the line so that it wins half of what was cut off on either side, and what is owed.

    Args:
        points: of all rings, (corners, 2).
        counts: how many corners each ring has.
        cut: between each corner and the next.
        owed: for each radian that a ring turns.
    """
    after = following(counts)
    before = np.empty_like(after)
    before[after] = np.arange(len(after))
    inbound, outbound = points - points[before], points[after] - points
    turn = np.arctan2(_swept(inbound, outbound), np.sum(inbound * outbound, axis=1))
    along = inbound + outbound
    # A move across the line from neighbour to neighbour wins its length times that of the move.
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    move = ((cut + cut[before]) / 2 + np.repeat(owed, counts) * turn) / length
    move = np.clip(move, -LARGEST_MOVE_PX, LARGEST_MOVE_PX) / length
    return np.asarray(points + np.stack([along[:, 1], -along[:, 0]], axis=1) * move[:, None])
