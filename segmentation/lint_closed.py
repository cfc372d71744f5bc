"""Contours as the rules of the lint look at them: one by one, and those that enclose something all at once (pure).

A rule that measures is asked of some hundred contours: one call for all of them instead of one for each.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from segmentation.contour_data import FARTHEST_MM
from segmentation.lint_slices import Slices
from segmentation.lint_values import items_of, text_of

FILLED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})


@dataclass(frozen=True, eq=False)
class Contour:
    """One item of a Contour Sequence.

    Args:
        path: where it stands.
        item: as it was read.
        kind: Contour Geometric Type.
        texts: the values of Contour Data.
    """

    path: str
    item: Dataset
    kind: str
    texts: tuple[str, ...]

    @cached_property
    def points(self) -> NDArray[np.float64] | None:
        """Patient mm, (points, 3); None where Contour Data is not made of triples of numbers that can be places."""
        try:
            numbers = np.array(list(map(float, self.texts)))
        except ValueError:
            return None
        is_good = len(numbers) % 3 == 0 and bool(np.all(np.abs(numbers) < FARTHEST_MM))  # not so for what is no number
        return numbers.reshape(-1, 3) if is_good else None

    @property
    def encloses(self) -> bool:
        """Whether it is a closed contour of three points at least."""
        return self.kind in FILLED and self.points is not None and len(self.points) >= 3

    @cached_property
    def image_uids(self) -> list[str]:
        """The images that it says it was drawn on."""
        return [text_of(image, "ReferencedSOPInstanceUID") for image in items_of(self.item, "ContourImageSequence")]


@dataclass(frozen=True, eq=False)
class ClosedContours:
    """All closed contours of a structure set that enclose something.

    Args:
        contours: one at least.
    """

    contours: tuple[Contour, ...]

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """The points of all, patient mm, (points, 3)."""
        return np.concatenate([contour.points for contour in self.contours if contour.points is not None])

    @cached_property
    def lengths(self) -> NDArray[np.intp]:
        """How many points each has."""
        return np.array([len(contour.points) for contour in self.contours if contour.points is not None])

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """Where each begins among the points."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    @cached_property
    def spokes(self) -> NDArray[np.float64]:
        """The points as seen from the first of their contour, mm."""
        return np.asarray(self.points - np.repeat(self.points[self.starts], self.lengths, axis=0))

    @property
    def repeats_first(self) -> NDArray[np.bool_]:
        """Whether the last point of each is its first."""
        return np.asarray(~self.spokes[self.starts + self.lengths - 1].any(axis=1))

    @property
    def areas_mm2(self) -> NDArray[np.float64]:
        """What each encloses."""
        swept = np.zeros_like(self.points)
        swept[:-1] = np.cross(self.spokes[:-1], self.spokes[1:])  # from contour to contour nothing: spokes begin at 0
        return np.asarray(np.linalg.norm(np.add.reduceat(swept, self.starts), axis=1) / 2)

    @property
    def off_flat_mm(self) -> NDArray[np.float64]:
        """How far a point of each lies off the plane that fits it best."""
        middle = np.add.reduceat(self.spokes, self.starts) / self.lengths[:, None]
        about = self.spokes - np.repeat(middle, self.lengths, axis=0)
        reach = self.farthest(np.abs(about).max(axis=1))
        unit = about / np.repeat(np.maximum(reach, np.finfo(float).tiny), self.lengths)[:, None]
        scatter = np.add.reduceat(unit[:, :, None] * unit[:, None, :], self.starts)
        across = np.linalg.eigh(scatter)[1][:, :, 0]
        return self.farthest(np.abs(np.sum(about * np.repeat(across, self.lengths, axis=0), axis=1)))

    def where(self, is_so: NDArray[np.bool_]) -> list[Contour]:
        """Return the contours of which something is so."""
        return [self.contours[index] for index in np.flatnonzero(is_so)]

    def farthest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the largest of some values of the points for each contour."""
        return np.asarray(np.maximum.reduceat(values, self.starts))


@dataclass(frozen=True, eq=False)
class Placed:
    """Closed contours on the slices of a CT."""

    closed: ClosedContours
    ct: Slices

    @cached_property
    def slices(self) -> NDArray[np.intp]:
        """The slice that lies nearest to each one's first point."""
        first = self.closed.points[self.closed.starts] @ self.ct.normal
        return np.asarray(np.abs(self.ct.positions_mm - first[:, None]).argmin(axis=1))

    @cached_property
    def off_mm(self) -> NDArray[np.float64]:
        """How far the farthest point of each is off that slice."""
        places = np.repeat(self.ct.positions_mm[self.slices], self.closed.lengths)
        return self.closed.farthest(np.abs(self.closed.points @ self.ct.normal - places))

    @cached_property
    def row_column(self) -> NDArray[np.float64]:
        """Fractional row and column of each point."""
        origins = np.repeat(self.ct.origins[self.slices], self.closed.lengths, axis=0)
        axes = np.stack([self.ct.column, self.ct.row], axis=1)
        return np.asarray((self.closed.points - origins) @ axes / self.ct.spacing_mm)
