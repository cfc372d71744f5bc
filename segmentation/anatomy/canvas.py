"""Voxels that solids are painted on, one over the other, with edges as wide as the scanner's blur (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from segmentation.anatomy.parts import Part
from segmentation.anatomy.patient import Patient
from segmentation.anatomy.shapes import Array, Shape
from segmentation.anatomy.tissues import TISSUES
from segmentation.structures import ORGANS

Index: TypeAlias = tuple[slice, slice, slice]

FAR_MM = np.float32(60)  # outside of every solid of a union
LATTICE_MM = 8.0  # how far apart the points are by which a solid's voxels are found
FASCIA_MM = np.float32(1.5)  # of fat around each muscle, by which one is told from the next
LABELS = {organ.name: number for number, organ in enumerate(ORGANS, start=1)}


@dataclass(frozen=True, eq=False)
class Lattice:
    """Every few voxels' coordinates, to find quickly which voxels may lie in a box.

    Args:
        points: x, y, z, mm, each float32, (a, b, c).
        steps: how many voxels lie between neighbours, along slices, rows, columns.
        reach_mm: no voxel is further from its nearest point of the lattice, along any axis.
        shape: of the voxels.
    """

    points: tuple[Array, Array, Array]
    steps: tuple[int, int, int]
    reach_mm: float
    shape: tuple[int, ...]

    def find(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> Index | None:
        """Return the voxels that may lie in the box from `low` to `high`, mm, (3,); None if there are none."""
        inside = np.ones(self.points[0].shape, np.bool_)
        for coordinate, a, b in zip(self.points, low - self.reach_mm, high + self.reach_mm, strict=True):
            inside &= (coordinate > a) & (coordinate < b)
        slices = []
        for axis, (step, size) in enumerate(zip(self.steps, self.shape, strict=True)):
            hit = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
            if not len(hit):
                return None
            slices.append(slice(max(int(hit[0] - 1) * step + 1, 0), min(int(hit[-1] + 1) * step, size)))
        return slices[0], slices[1], slices[2]


def build_lattice(coordinates: tuple[Array, Array, Array], spacing_mm: tuple[float, float, float]) -> Lattice:
    """Return the lattice of a canvas."""
    a, b, c = (max(1, int(LATTICE_MM // spacing)) for spacing in spacing_mm)
    reach = 0.75 * max(step * spacing for step, spacing in zip((a, b, c), spacing_mm, strict=True))
    x, y, z = (axis[::a, ::b, ::c].copy() for axis in coordinates)
    return Lattice((x, y, z), (a, b, c), reach, coordinates[0].shape)


@dataclass(frozen=True, eq=False)
class Canvas:
    """One patient's voxels, and what has been painted so far; painting changes `hu` and `labels` in place.

    Args:
        patient: whose anatomy it is.
        coordinates: x, y, z of each voxel's centre in the anatomy's frame, mm, each float32, (slices, rows, columns).
        spacing_mm: between slices, rows, columns.
        hu: float32, (slices, rows, columns).
        labels: uint8, the same shape; the number of the organ in `LABELS`, 0 for none.
    """

    patient: Patient
    coordinates: tuple[Array, Array, Array]
    spacing_mm: tuple[float, float, float]
    hu: Array
    labels: NDArray[np.uint8]
    lattice: Lattice = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lattice", build_lattice(self.coordinates, self.spacing_mm))

    @property
    def edge_mm(self) -> np.float32:
        """How wide an edge is."""
        return np.float32(max(1.3, 1.1 * self.spacing_mm[2]))

    def local(self, shape: Shape, group: str, margin_mm: float) -> tuple[Index, tuple[Array, Array, Array]] | None:
        """Return the voxels near a solid, and their coordinates in the table; None if there are none."""
        jitter = self.patient.groups.get(group)
        low, high = (np.array(corner) for corner in shape.box)
        if jitter is not None:
            low, high = (jitter.anchor + jitter.shift + (c - jitter.anchor) * jitter.scale for c in (low, high))
        index = self.lattice.find(low - margin_mm, high + margin_mm)
        if index is None:
            return None
        x, y, z = (axis[index] for axis in self.coordinates)
        return index, jitter.to_table((x, y, z)) if jitter is not None else (x, y, z)

    def union(self, shapes: Iterable[Shape], blend_mm: float) -> Array:
        """Return the signed distance from solids that flow into one another, at every voxel, mm, at most `FAR_MM`."""
        whole = np.full(self.hu.shape, FAR_MM, np.float32)
        for shape in shapes:
            found = self.local(shape, "", 2 * blend_mm)
            if found is not None:
                index, coordinates = found
                whole[index] = blend(whole[index], shape.distance(*coordinates), np.float32(blend_mm))
        return whole

    def paint(self, parts: Iterable[Part], brain: Array | None = None) -> None:
        """Paint solids over what is there; parts within the brain are cut to `brain`, a signed distance in mm."""
        for part in parts:
            found = self.local(part.shape, part.group, float(self.edge_mm + FASCIA_MM))
            if found is None:
                continue
            index, coordinates = found
            distance = part.shape.distance(*coordinates)
            if part.within_brain and brain is not None:
                np.maximum(distance, brain[index], out=distance)
            if part.tissue == "muscle":
                self.lay("fat", distance - FASCIA_MM, index)
            self.lay(part.tissue, distance, index)
            if not part.lets_organ:
                self.label(part.organ, distance, index)

    def lay(self, tissue: str, distance: Array, index: Index) -> None:
        """Blend a tissue in where `distance`, of the voxels at `index`, is negative."""
        about, edge = TISSUES[tissue], self.edge_mm
        there: Array = self.patient.hu[tissue] - self.hu[index]
        if about.core_hu is not None:
            inner = np.clip(np.float32(0.5) - (distance + np.float32(about.rind_mm)) / edge, 0, 1)
            there += inner * np.float32(about.core_hu - about.hu)
        if about.grain_hu:
            k = np.float32(2 * np.pi / about.grain_mm)
            x, y, z = (axis[index] for axis in self.coordinates)
            there += np.sin(x * k) * np.sin(y * k) * np.sin(z * k) * np.float32(about.grain_hu)
        there *= np.clip(np.float32(0.5) - distance / edge, 0, 1)
        self.hu[index] += there

    def label(self, organ: str | None, distance: Array, index: Index) -> None:
        """Mark the voxels at `index` whose `distance` is negative as an organ's, or as no organ's.

        An organ that slips between the voxels' centres of a coarse grid gets the voxel whose centre is nearest.
        """
        inside = distance < 0
        self.labels[index][inside] = LABELS[organ] if organ else 0
        if organ and not inside.any() and distance.min() < max(self.spacing_mm) / 2:
            nearest = np.unravel_index(np.argmin(distance), distance.shape)
            self.labels[index][nearest] = LABELS[organ]


def blend(first: Array, second: Array, width_mm: np.float32) -> Array:
    """Return the signed distance from two solids joined with a fillet (polynomial smooth minimum)."""
    overlap = np.maximum(width_mm - np.abs(first - second), 0)
    return np.asarray(np.minimum(first, second) - overlap * overlap * (np.float32(0.25) / width_mm))
