"""How far apart the surfaces of two masks are: HD95, surface DSC, added path length (pure).

Surface DSC and the weighting by area follow Nikolov et al. (arXiv 1809.04430, 2018): an element of surface lies where
eight voxels meet of which some are inside, and is as large as the marching cubes (Lorensen and Cline 1987) make it
there. Elements are placed in patient millimetres, each slice where it is, so that slices may be unevenly spaced. Added
path length: Vaassen et al. (Phys Imaging Radiat Oncol 13:1, 2020).
"""

import math
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask

CORNERS = tuple(product((0, 1), repeat=3))  # of a cell between eight voxel centres: slice, row, column
NOTHING_INSIDE, ALL_INSIDE = 0, 255
SAME_MM = 1e-6  # what adding up places in float64 leaves; a distance of just the tolerance is within it
Edge = tuple[int, int]  # two corners, by their index


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface of a mask.

    Args:
        points_mm: float64, (elements, 3), patient mm.
        areas_mm2: float64, (elements,).
    """

    points_mm: NDArray[np.float64]
    areas_mm2: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """How far each element of a surface is from the nearest one of the other, and the other way round.

    Args:
        one_mm: float64, (elements of the first surface,).
        one_mm2: the areas of these elements.
        other_mm: float64, (elements of the second surface,).
        other_mm2: the areas of these elements.
    """

    one_mm: NDArray[np.float64]
    one_mm2: NDArray[np.float64]
    other_mm: NDArray[np.float64]
    other_mm2: NDArray[np.float64]

    def hausdorff_mm(self, percent: float = 95.0) -> float:
        """Return the percentile Hausdorff distance, by area: the larger of both directions'."""
        return max(_percentile(self.one_mm, self.one_mm2, percent), _percentile(self.other_mm, self.other_mm2, percent))

    def surface_dice(self, tolerance_mm: float) -> float:
        """Return the surface DSC, 0 to 1: which share of both surfaces is within the tolerance of the other."""
        near = self.one_mm2[self.one_mm <= tolerance_mm + SAME_MM].sum()
        near += self.other_mm2[self.other_mm <= tolerance_mm + SAME_MM].sum()
        return float(near / (self.one_mm2.sum() + self.other_mm2.sum()))

    def mean_mm(self) -> float:
        """Return the mean distance, by area, of both directions together."""
        total = self.one_mm @ self.one_mm2 + self.other_mm @ self.other_mm2
        return float(total / (self.one_mm2.sum() + self.other_mm2.sum()))


def surface_distances(one: OrganMask, other: OrganMask, grid: Grid) -> SurfaceDistances:
    """Return how far apart the surfaces of two masks on a grid are; neither may be empty."""
    first, second = surface_of(one, grid), surface_of(other, grid)
    return SurfaceDistances(
        one_mm=np.asarray(KDTree(second.points_mm).query(first.points_mm)[0]),
        one_mm2=first.areas_mm2,
        other_mm=np.asarray(KDTree(first.points_mm).query(second.points_mm)[0]),
        other_mm2=second.areas_mm2,
    )


def surface_of(organ: OrganMask, grid: Grid) -> Surface:
    """Return the surface of a mask; at the edge of the image it is closed.

    Args:
        organ: on the grid.
        grid: where the voxels lie. Areas are those of a grid without tilt; places are right with any.
    """
    voxels = np.pad(organ.mask, 1).astype(np.uint8)
    slices, rows, columns = (size - 1 for size in voxels.shape)
    codes = np.zeros((slices, rows, columns), dtype=np.uint8)
    for bit, (k, r, c) in enumerate(CORNERS):
        codes |= voxels[k : k + slices, r : r + rows, c : c + columns] << np.uint8(bit)
    cell = np.argwhere((codes != NOTHING_INSIDE) & (codes != ALL_INSIDE))
    origins = _with_neighbours(grid)
    below = cell[:, 0] + organ.start[0]  # in the origins, which begin with the neighbour
    # The corner at which eight voxels meet is half a voxel from their centres.
    row, column = (cell[:, axis, None] + organ.start[axis] - 0.5 for axis in (1, 2))
    points = (
        (origins[below] + origins[below + 1]) / 2
        + row * grid.row_spacing_mm * grid.column_direction
        + column * grid.column_spacing_mm * grid.row_direction
    )
    gaps, gap_of = np.unique(np.diff(origins @ grid.normal).round(6), return_inverse=True)
    areas = np.stack([_areas_mm2(float(gap), grid.row_spacing_mm, grid.column_spacing_mm) for gap in gaps])
    return Surface(points, areas[gap_of[below], codes[tuple(cell.T)]])


def added_path_mm(drawn: OrganMask, wanted: OrganMask, grid: Grid) -> NDArray[np.float64]:
    """Return how much of the wanted contour is not in the drawn one, and would have to be added by hand.

    A contour is the pixels of a slice that have a neighbour outside along a row or a column; a pixel of the wanted
    contour that is also one of the drawn contour need not be touched. A pixel counts for the geometric mean of its
    sides.

    Returns:
        float64, (slices of the grid,), mm.
    """
    added = np.zeros(grid.shape[0])
    kept = np.zeros((wanted.mask.shape[0], *grid.shape[1:]), dtype=np.bool_)
    for index in range(wanted.mask.shape[0]):
        inside = index + wanted.start[0] - drawn.start[0]
        if 0 <= inside < drawn.mask.shape[0]:
            kept[index][drawn.box[1:]] = _edge(drawn.mask[inside])
        added[index + wanted.start[0]] = np.count_nonzero(_edge(wanted.mask[index]) & ~kept[index][wanted.box[1:]])
    return added * math.sqrt(grid.row_spacing_mm * grid.column_spacing_mm)


def _edge(plane: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a slice's mask that have a neighbour outside; what is beyond the box is outside."""
    wide = np.pad(plane, 1)
    return plane & ~(wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:])


def _percentile(distances: NDArray[np.float64], areas: NDArray[np.float64], percent: float) -> float:
    """Return the distance that `percent` of the area do not exceed."""
    order = np.argsort(distances)
    share = np.cumsum(areas[order]) / areas.sum()
    return float(distances[order][min(int(np.searchsorted(share, percent / 100)), len(order) - 1)])


def _with_neighbours(grid: Grid) -> NDArray[np.float64]:
    """Return the grid's origins and one more at either end, as far off as the last step."""
    first, last = grid.origins[0], grid.origins[-1]
    if len(grid.origins) == 1:
        step = grid.normal * grid.slice_spacing_mm
        return np.stack([first - step, first, last + step])
    return np.concatenate([[2 * first - grid.origins[1]], grid.origins, [2 * last - grid.origins[-2]]])


def _areas_mm2(slice_mm: float, row_mm: float, column_mm: float) -> NDArray[np.float64]:
    """Return the area of the surface in a cell by which of its corners are inside, (256,), mm2."""
    sides = np.array([row_mm * column_mm, slice_mm * column_mm, slice_mm * row_mm])
    return np.asarray(np.linalg.norm(_triangles() * sides, axis=2).sum(axis=1))


@cache
def _triangles() -> NDArray[np.float64]:
    """Return half the cross products of the triangles in a cell of side 1, (256, triangles, 3), zeros at the end."""
    found = [
        [normal for ring in _rings(code) for normal in _fan(ring)] for code in range(NOTHING_INSIDE, ALL_INSIDE + 1)
    ]
    normals = np.zeros((len(found), max(map(len, found)), 3))
    for code, triangles in enumerate(found):
        if triangles:
            normals[code, : len(triangles)] = triangles
    return normals


def _fan(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the cross products of the triangles that a ring falls into seen from one of its points.

    A ring that is not flat has other triangles from another point: those of the largest area are taken, as Nikolov's.
    """
    fans = []
    for first in range(len(ring)):
        spokes = np.roll(ring, -first, axis=0)[1:] - ring[first]
        fans.append(np.cross(spokes[:-1], spokes[1:]) / 2)
    return max(fans, key=lambda fan: float(np.linalg.norm(fan, axis=1).sum().round(9)))


def _rings(code: int) -> list[NDArray[np.float64]]:
    """Return the closed lines, (points, 3) each, that the surface of a cell makes on the cell's own faces.

    Where more than half of the corners are inside, the surface is that of the others.
    """
    code = code if code.bit_count() <= len(CORNERS) // 2 else ALL_INSIDE - code
    following: dict[Edge, list[Edge]] = {}
    for face in _faces():
        for start, end in _lines_on(face, code):
            following.setdefault(start, []).append(end)
            following.setdefault(end, []).append(start)
    rings = []
    while following:
        edge, neighbours = following.popitem()
        ring = [edge]
        while neighbours:
            edge = neighbours[-1]
            ring.append(edge)
            neighbours = [other for other in following.pop(edge) if other in following]
        rings.append(np.array([np.mean([CORNERS[a], CORNERS[b]], axis=0) for a, b in ring]))
    return rings


def _faces() -> list[tuple[int, int, int, int]]:
    """Return the corners of a cell's faces, each in turn around it."""
    faces = []
    for axis, side in product(range(3), (0, 1)):
        around = [list(corner) for corner in ((0, 0), (0, 1), (1, 1), (1, 0))]
        for corner in around:
            corner.insert(axis, side)
        first, second, third, fourth = (CORNERS.index((a, b, c)) for a, b, c in around)
        faces.append((first, second, third, fourth))
    return faces


def _lines_on(face: tuple[int, int, int, int], code: int) -> list[tuple[Edge, Edge]]:
    """Return the lines between edges that part inside from outside on a face; of two corners across, each its own."""
    inside = [bool(code >> corner & 1) for corner in face]
    edges = [(min(a, b), max(a, b)) for a, b in zip(face, (*face[1:], face[0]), strict=True)]
    crossed = [edges[place] for place in range(4) if inside[place] != inside[(place + 1) % 4]]
    if len(crossed) == 4:
        return [(edges[place - 1], edges[place]) for place in range(4) if inside[place]]
    return [(crossed[0], crossed[1])] if crossed else []
