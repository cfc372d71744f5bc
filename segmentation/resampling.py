"""Separable resampling as one small matrix an axis, for grids of any spacing (pure)."""

import math

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.float64]
Matrix = NDArray[np.float32]


def averaging_matrix(of: Places, at: Places, width: float) -> Matrix:
    """Return the matrix that takes values at places `of` to their means over `width` around places `at`.

    Between the given places the values are straight lines and beyond them constant; so a coarser grid gets averages
    without aliasing, and a finer one linear interpolation.

    Args:
        of: float64, (n,), ascending, mm; unevenly spaced is allowed.
        at: float64, (m,), mm.
        width: mm; what a sample of the new grid covers.

    Returns:
        float32, (m, n); rows sum to 1.
    """
    if len(of) == 1:
        return np.ones((len(at), 1), dtype=np.float32)
    samples = max(1, math.ceil(width / float(np.min(np.diff(of))) - 1e-6))
    offsets = ((np.arange(samples) + 0.5) / samples - 0.5) * width
    places = np.clip(at[:, None] + offsets, of[0], of[-1])  # (m, samples)
    left = np.clip(np.searchsorted(of, places, side="right") - 1, 0, len(of) - 2)
    share = (places - of[left]) / (of[left + 1] - of[left])
    matrix = np.zeros((len(at), len(of)))
    rows = np.broadcast_to(np.arange(len(at))[:, None], left.shape)
    np.add.at(matrix, (rows, left), (1 - share) / samples)
    np.add.at(matrix, (rows, left + 1), share / samples)
    return matrix.astype(np.float32)


def cubic_matrix(size: int, at: Places) -> Matrix:
    """Return the matrix that takes values at 0, 1, ..., size - 1 to places `at` by cubic convolution.

    Keys 1981 with a = -1/2; the values beyond the ends are those at the ends. It passes through the given values and
    is smooth between them, where straight lines would draw facets.

    Args:
        size: how many values there are.
        at: float64, (m,), in steps of the values' grid.

    Returns:
        float32, (m, size); rows sum to 1.
    """
    base = np.floor(at).astype(np.int64)
    matrix = np.zeros((len(at), size))
    for step in (-1, 0, 1, 2):
        x = np.abs(at - (base + step))
        near = (1.5 * x - 2.5) * x * x + 1
        far = ((-0.5 * x + 2.5) * x - 4) * x + 2
        np.add.at(matrix, (np.arange(len(at)), np.clip(base + step, 0, size - 1)), np.where(x <= 1, near, far))
    return matrix.astype(np.float32)


def resample(values: NDArray[np.float32], along: tuple[Matrix, Matrix, Matrix]) -> NDArray[np.float32]:
    """Return a box, (slices, rows, columns), taken along each axis through its matrix."""
    slices, rows, columns = along
    return np.asarray(
        np.tensordot(slices, rows @ (values @ columns.T), axes=(1, 0)),
        dtype=np.float32,
    )
