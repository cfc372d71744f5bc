"""Solids that anatomy is made of, each as a signed distance (pure).

All coordinates are millimetres in the frame of the anatomy: the origin is the centroid of the brainstem, x to the
patient's left, y to the back, z to the head. A distance is negative inside; it is exact enough near the surface, where
edges are drawn, and only of the right sign far from it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]
Point: TypeAlias = tuple[float, float, float]
Box: TypeAlias = tuple[Point, Point]

TINY = np.float32(1e-6)  # keeps the centre of an ellipsoid, where the direction is undefined, from dividing by zero


class Shape(Protocol):
    """A solid."""

    @property
    def box(self) -> Box:
        """The corners of a box, axes aligned, that holds the solid, mm."""

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance of points, mm; x, y, z are of one shape, and so is the result."""


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, or, where `boxy`, the superellipsoid of power 4, which fills more of its box.

    Args:
        centre: mm.
        semi: half of each axis, mm, before it is turned.
        tilt_deg: about x: positive brings the top to the front.
        lean_deg: about y: positive brings the top to the left.
        turn_deg: about z: positive brings the front to the left.
        boxy: whether of power 4.
    """

    centre: Point
    semi: Point
    tilt_deg: float = 0.0
    lean_deg: float = 0.0
    turn_deg: float = 0.0
    boxy: bool = False

    @cached_property
    def axes(self) -> NDArray[np.float32]:
        """The solid's own axes, a row each, (3, 3)."""
        return rotation(self.tilt_deg, self.lean_deg, self.turn_deg).T.astype(np.float32)

    @property
    def box(self) -> Box:
        """See `Shape`."""
        reach = np.abs(self.axes.T) @ np.asarray(self.semi)
        if not self.boxy:
            reach = np.sqrt((self.axes.T**2) @ np.asarray(self.semi) ** 2)
        return around(np.array([self.centre]), reach)

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`: to first order, (rho - 1) / |grad rho| for the level function rho that is 1 on the surface."""
        offsets = [axis - np.float32(c) for axis, c in zip((x, y, z), self.centre, strict=True)]
        if self.tilt_deg or self.lean_deg or self.turn_deg:
            offsets = [row[0] * offsets[0] + row[1] * offsets[1] + row[2] * offsets[2] for row in self.axes]
        scaled = [offset * np.float32(1 / semi) for offset, semi in zip(offsets, self.semi, strict=True)]
        if self.boxy:
            return distance_of_power_4(scaled, self.semi)
        squares = [u * u for u in scaled]
        rho = np.sqrt(squares[0] + squares[1] + squares[2])
        weighted = [square * np.float32(1 / semi**2) for square, semi in zip(squares, self.semi, strict=True)]
        slope = np.sqrt(weighted[0] + weighted[1] + weighted[2]) + TINY
        return np.asarray((rho - 1) * rho / slope)


def distance_of_power_4(scaled: list[Array], semi: Point) -> Array:
    """Return the signed distance from a superellipsoid of power 4, mm; `scaled` are coordinates over semi-axes."""
    squares = [u * u for u in scaled]
    fourth = squares[0] * squares[0] + squares[1] * squares[1] + squares[2] * squares[2]
    rho = np.sqrt(np.sqrt(fourth))
    cubes = [square * u * np.float32(1 / s) for square, u, s in zip(squares, scaled, semi, strict=True)]
    slope = np.sqrt(cubes[0] * cubes[0] + cubes[1] * cubes[1] + cubes[2] * cubes[2]) + TINY
    return np.asarray((rho - 1) * rho * rho * rho / slope)


@dataclass(frozen=True)
class Tube:
    """A rounded tube along straight pieces between points.

    Args:
        points: mm, two or more.
        radii: at each point, mm.
        height: how many times taller along z than wide the cross-section of a level piece is.
    """

    points: tuple[Point, ...]
    radii: tuple[float, ...]
    height: float = 1.0

    @property
    def box(self) -> Box:
        """See `Shape`."""
        radius = max(self.radii)
        return around(np.array(self.points), np.array([radius, radius, radius * self.height]))

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`: the distance from the nearest piece, in coordinates where the tube is round."""
        flat = z * np.float32(1 / self.height)
        nodes = [(a, b, c / self.height) for a, b, c in self.points]
        ends = list(zip(nodes, self.radii, strict=True))
        nearest = distance_of_piece((x, y, flat), ends[0], ends[1])
        for first, second in pairwise(ends[1:]):
            np.minimum(nearest, distance_of_piece((x, y, flat), first, second), out=nearest)
        return nearest


def distance_of_piece(
    points: tuple[Array, Array, Array], start: tuple[Point, float], stop: tuple[Point, float]
) -> Array:
    """Return the signed distance, mm, from a straight piece with round ends, each a point and a radius."""
    (first, r1), (second, r2) = start, stop
    dx, dy, dz = (np.float32(b - a) for a, b in zip(first, second, strict=True))
    ox, oy, oz = (axis - np.float32(a) for axis, a in zip(points, first, strict=True))
    along = np.clip((ox * dx + oy * dy + oz * dz) / (dx * dx + dy * dy + dz * dz), 0, 1)
    ox -= along * dx
    oy -= along * dy
    oz -= along * dz
    return np.asarray(np.sqrt(ox * ox + oy * oy + oz * oz) - (np.float32(r1) + along * np.float32(r2 - r1)))


@dataclass(frozen=True)
class Loft:
    """Ellipses in level planes, joined; the ends are flat.

    Args:
        z: ascending, mm.
        x: of each ellipse's centre, mm.
        y: of each ellipse's centre, mm.
        semi_x: half of each ellipse's width, mm.
        semi_y: half of each ellipse's depth, mm.
    """

    z: tuple[float, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    semi_x: tuple[float, ...]
    semi_y: tuple[float, ...]

    @property
    def box(self) -> Box:
        """See `Shape`."""
        low_x, high_x = (op(np.array(self.x) + s * np.array(self.semi_x)) for op, s in ((np.min, -1), (np.max, 1)))
        low_y, high_y = (op(np.array(self.y) + s * np.array(self.semi_y)) for op, s in ((np.min, -1), (np.max, 1)))
        return (float(low_x), float(low_y), self.z[0]), (float(high_x), float(high_y), self.z[-1])

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """Centre x, y and 1 / semi-axes x, y at every half millimetre from the lowest ellipse, (4, heights)."""
        heights = np.arange(self.z[0], self.z[-1] + 0.5, 0.5)
        columns = [np.interp(heights, self.z, values) for values in (self.x, self.y, self.semi_x, self.semi_y)]
        return np.stack([columns[0], columns[1], 1 / columns[2], 1 / columns[3]]).astype(np.float32)

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`: of the level ellipse, and of the flat ends."""
        index = np.clip((z - np.float32(self.z[0])) * 2 + np.float32(0.5), 0, self.table.shape[1] - 1).astype(np.intp)
        centre_x, centre_y, inverse_x, inverse_y = (np.take(column, index) for column in self.table)
        u, v = (x - centre_x) * inverse_x, (y - centre_y) * inverse_y
        uu, vv = u * u, v * v
        rho = np.sqrt(uu + vv)
        slope = np.sqrt(uu * inverse_x * inverse_x + vv * inverse_y * inverse_y) + TINY
        level = (rho - 1) * rho / slope
        ends = np.maximum(np.float32(self.z[0]) - z, z - np.float32(self.z[-1]))
        return np.asarray(np.maximum(level, ends))


@dataclass(frozen=True)
class Mirrored:
    """A solid of the left side, on the right."""

    left: Shape

    @property
    def box(self) -> Box:
        """See `Shape`."""
        low, high = self.left.box
        return (-high[0], low[1], low[2]), (-low[0], high[1], high[2])

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        return self.left.distance(-x, y, z)


def rotation(tilt_deg: float, lean_deg: float, turn_deg: float) -> NDArray[np.float64]:
    """Return the matrix, (3, 3), that turns a column vector about z, then y, then x."""
    (ca, sa), (cb, sb), (cc, sc) = (
        (math.cos(math.radians(angle)), math.sin(math.radians(angle))) for angle in (tilt_deg, lean_deg, turn_deg)
    )
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)


def around(points: NDArray[np.float64], reach: NDArray[np.float64]) -> Box:
    """Return the box of points, (n, 3), grown by `reach`, (3,)."""
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))
