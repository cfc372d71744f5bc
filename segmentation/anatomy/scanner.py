"""What lies around the patient on the scanner, and what the scanner does to the picture (pure)."""

import numpy as np

from segmentation.anatomy.shapes import Array

COUCH_SHELL_HU = -120.0
COUCH_FOAM_HU = -930.0
COUCH_SHELL_MM = 2.5
COUCH_THICK_MM = 42.0
COUCH_HALF_WIDTH_MM = 245.0


def add_couch(hu: Array, x: Array, y: Array, top_mm: float) -> None:
    """Paint a hollow couch below the patient, in place.

    Args:
        hu: float32, (slices, rows, columns).
        x: float32, (columns,), mm from the middle of the couch.
        y: float32, (rows,), mm, to the back.
        top_mm: y of the couch's upper face.
    """
    sagging = np.float32(top_mm) + 12 * np.abs(x / np.float32(COUCH_HALF_WIDTH_MM)) ** 6
    depth = np.minimum(y[:, None] - sagging[None, :], top_mm + COUCH_THICK_MM - y[:, None])
    depth = np.minimum(depth, COUCH_HALF_WIDTH_MM - np.abs(x)[None, :])
    inside, deep = (np.clip(0.5 + (depth - edge) / 1.5, 0, 1) for edge in (0.0, COUCH_SHELL_MM))
    material = COUCH_SHELL_HU + deep * (COUCH_FOAM_HU - COUCH_SHELL_HU)
    hu += (inside * (material + 1000)).astype(np.float32)


def add_noise(hu: Array, random: np.random.Generator, sd_hu: float) -> None:
    """Add noise that neighbouring pixels share in part, in place; `hu` is float32, (slices, rows, columns)."""
    for index in range(len(hu)):
        grain = random.standard_normal((hu.shape[1] + 1, hu.shape[2] + 1), dtype=np.float32)
        shared = grain[1:, 1:] + np.float32(0.6) * (grain[:-1, 1:] + grain[1:, :-1])
        hu[index] += shared * np.float32(sd_hu / np.sqrt(1 + 2 * 0.6**2))


def add_streaks(plane: Array, x: Array, y: Array, metal: tuple[float, float], random: np.random.Generator) -> None:
    """Add the streaks of one piece of metal to one slice, in place.

    Args:
        plane: float32, (rows, columns), HU.
        x: float32, (columns,), mm.
        y: float32, (rows,), mm.
        metal: x and y of the metal, mm.
        random: where the streaks go.
    """
    dx, dy = x[None, :] - metal[0], y[:, None] - metal[1]
    distance, angle = np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx)
    streaks = np.zeros_like(plane)
    for towards, height in zip(random.uniform(-np.pi, np.pi, 14), random.normal(0, 130, 14), strict=True):
        off = np.abs(np.sin((angle - towards) / 2)) * 2
        streaks += np.float32(height) * np.exp(-((off / 0.05) ** 2)).astype(np.float32)
    plane += streaks * (np.exp(-distance / 70) * np.clip(distance / 6, 0, 1)).astype(np.float32)
    plane[distance < 3] = 3071
