"""Twelve organs whose outlines are known by formula, on the CT of the figures: 512 x 512 x 150, 1 x 1 x 3 mm.

Ellipsoids that are turned about the patient's long axis, so that a slice has ellipses: one with a hole, one of two
components. What a network would say is how much of each pixel an ellipse covers, by 8 x 8 samples in the slice's plane.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask

SHAPE = (150, 512, 512)
ORIGIN_MM = (-255.5, -240.25, -210.0)
SLICE_MM = 3.0
SAMPLES = 8  # along each side of a pixel
MARGIN = 4  # pixels of an organ's box around it
TRUTH_STEP_PX = 0.01  # between the points that stand for an outline


@dataclass(frozen=True)
class Ellipse:
    """An outline in a slice: centre and radii in pixels, (row, column); the angle turns rows towards columns."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    angle: float

    def covers(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points lie within."""
        down, right = rows - self.centre[0], columns - self.centre[1]
        along = math.cos(self.angle) * down + math.sin(self.angle) * right
        across = math.cos(self.angle) * right - math.sin(self.angle) * down
        return np.asarray((along / self.radii[0]) ** 2 + (across / self.radii[1]) ** 2 <= 1)

    def outline(self) -> NDArray[np.float64]:
        """Return points on it, (points, 2), row and column, closer than can matter."""
        turn = np.linspace(0, 2 * np.pi, math.ceil(2 * np.pi * max(self.radii) / TRUTH_STEP_PX), endpoint=False)
        along, across = self.radii[0] * np.cos(turn), self.radii[1] * np.sin(turn)
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return np.stack([cosine * along - sine * across, sine * along + cosine * across], axis=1) + self.centre

    @property
    def area_px(self) -> float:
        """What it encloses, pixels."""
        return math.pi * self.radii[0] * self.radii[1]


@dataclass(frozen=True)
class Part:
    """An ellipsoid.

    Args:
        centre: slice, row, column.
        radii: slices, rows, columns.
        angle: in the slice, radians.
        is_hole: whether it is taken away.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    angle: float = 0.0
    is_hole: bool = False

    def on(self, index: int) -> Ellipse | None:
        """Return its outline on a slice, None where it has none."""
        height = (index - self.centre[0]) / self.radii[0]
        if abs(height) >= 1:
            return None
        scale = math.sqrt(1 - height**2)
        return Ellipse(self.centre[1:], (self.radii[1] * scale, self.radii[2] * scale), self.angle)


PARTS: dict[str, tuple[Part, ...]] = {
    "Brainstem": (Part((90.3, 260.4, 255.7), (9.2, 16.0, 17.0)),),
    "SpinalCord": (Part((55.5, 285.3, 256.1), (25.4, 6.0, 7.0)),),
    "Bone_Mandible": (
        Part((62.2, 190.6, 255.4), (9.4, 36.2, 45.3)),
        Part((62.2, 192.1, 255.2), (9.4, 26.4, 34.7), is_hole=True),
    ),
    "Pituitary": (Part((100.1, 236.2, 255.9), (2.1, 4.0, 5.0)),),
    "Parotid_L": (Part((74.2, 245.7, 318.3), (9.3, 20.0, 14.0), 0.3),),
    "Parotid_R": (
        Part((74.1, 238.3, 192.6), (9.4, 12.3, 11.1), -0.3),
        Part((73.6, 266.4, 199.9), (6.2, 9.2, 8.4), 0.4),
    ),
    "Lens_L": (Part((99.2, 160.3, 287.6), (1.6, 2.2, 4.6), 0.2),),
    "Lens_R": (Part((98.8, 160.9, 223.2), (1.6, 2.2, 4.6), -0.2),),
    "OpticNrv_L": (Part((99.7, 195.4, 275.8), (1.7, 12.0, 2.3), 0.45),),
    "OpticNrv_R": (Part((100.3, 195.2, 235.1), (1.7, 12.0, 2.3), -0.45),),
    "Lobe_Temporal_L": (Part((102.3, 232.8, 303.4), (10.3, 34.0, 22.0), -0.2),),
    "Lobe_Temporal_R": (Part((102.1, 233.1, 207.7), (10.4, 34.0, 22.0), 0.2),),
}


def analytic_grid() -> Grid:
    """Return the grid of the organs."""
    origins = np.array([[*ORIGIN_MM[:2], ORIGIN_MM[2] + SLICE_MM * index] for index in range(SHAPE[0])])
    return Grid(origins, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), 1.0, 1.0, SHAPE[1], SHAPE[2])


def outlines_of(parts: Sequence[Part], index: int) -> list[tuple[Ellipse, bool]]:
    """Return an organ's outlines on a slice, each with whether it is a hole's; none without an outer one."""
    drawn = [(ellipse, part.is_hole) for part in parts if (ellipse := part.on(index)) is not None]
    return drawn if any(not is_hole for _, is_hole in drawn) else []


def organ_of(parts: Sequence[Part]) -> OrganMask:
    """Return an organ with its probabilities."""
    outer = [part for part in parts if not part.is_hole]
    low = np.min([np.array(part.centre) - _reach(part) for part in outer], axis=0).round().astype(int)
    high = np.max([np.array(part.centre) + _reach(part) for part in outer], axis=0).round().astype(int)
    planes = [_covered(outlines_of(parts, index), low[1:], high[1:]) for index in range(low[0], high[0])]
    probability = np.stack(planes)
    tight = OrganMask.from_full(probability > 0.5, probability)
    start = tuple(int(first + more) for first, more in zip(low, tight.start, strict=True))
    return replace(tight, grid_shape=SHAPE, start=(start[0], start[1], start[2]))


def _reach(part: Part) -> NDArray[np.float64]:
    across = max(part.radii[1:]) + MARGIN
    return np.array([part.radii[0] + 1, across, across])


def _covered(
    outlines: Sequence[tuple[Ellipse, bool]], low: NDArray[np.intp], high: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return how much of each pixel from `low` to `high` the outlines enclose."""
    rows, columns = (
        np.arange(first - 0.5 + 0.5 / SAMPLES, last - 0.5, 1 / SAMPLES)
        for first, last in zip(low.astype(float), high.astype(float), strict=True)
    )
    inside = np.zeros((len(rows), len(columns)), dtype=np.bool_)
    for ellipse, is_hole in sorted(outlines, key=lambda outline: outline[1]):
        covered = ellipse.covers(rows[:, None], columns[None])
        inside = inside & ~covered if is_hole else inside | covered
    pixels = inside.reshape(len(rows) // SAMPLES, SAMPLES, len(columns) // SAMPLES, SAMPLES)
    return pixels.mean(axis=(1, 3)).astype(np.float32)


@dataclass(frozen=True)
class Accuracy:
    """How contours lie to the true outlines, over all slices that have a contour.

    Args:
        distance_px: mean distance, from the contours to the outlines and back, pixels.
        area_bias: (their area - true area) / true area.
    """

    distance_px: float
    area_bias: float


def accuracy_of(parts: Sequence[Part], contours: Mapping[int, Sequence[NDArray[np.float64]]]) -> Accuracy:
    """Compare an organ's contours, float64, (points, 2), row and column, by slice index, with the truth."""
    sums = np.zeros(4)  # of distances, of lengths, of areas, of true areas
    for index, rings in contours.items():
        outlines = outlines_of(parts, index)
        truth = np.concatenate([ellipse.outline() for ellipse, _ in outlines])
        points, weights = along_rings(rings)
        there = KDTree(truth).query(points)[0] @ weights
        back = KDTree(points).query(truth)[0].mean() * weights.sum()
        area = abs(sum(_area_px(ring) for ring in rings))
        sums += there + back, 2 * weights.sum(), area, sum(-e.area_px if hole else e.area_px for e, hole in outlines)
    return Accuracy(float(sums[0] / sums[1]), float(sums[2] / sums[3] - 1))


def along_rings(rings: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points on the rings' edges and the length that each stands for.

    A bridge to a hole, gone there and back, counts nothing.
    """
    points, weights = [], []
    for ring in rings:
        following = np.roll(ring, -1, axis=0)
        edges = {(tuple(a), tuple(b)) for a, b in zip(ring.tolist(), following.tolist(), strict=True)}
        for a, b in edges:
            if (b, a) not in edges:
                start, end = np.array(a), np.array(b)
                length = float(np.hypot(*(end - start)))
                count = max(1, math.ceil(length / TRUTH_STEP_PX))
                points.append(start + (np.arange(count)[:, None] + 0.5) / count * (end - start))
                weights.append(np.full(count, length / count))
    return np.concatenate(points), np.concatenate(weights)


def _area_px(ring: NDArray[np.float64]) -> float:
    row, column = ring.T
    return float(np.sum(row * np.roll(column, -1) - column * np.roll(row, -1))) / 2
