"""The field whose level line is an organ's contour: on the organ's side of the level wherever the mask is (pure)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from segmentation.profiles import Profile

MIDWAY = np.array([3.0, -25.0, 150.0, 150.0, -25.0, 3.0]) / 256.0  # Deslauriers and Dubuc 1989, exact to degree 5


def field_of(
    mask: NDArray[np.float64], probability: NDArray[np.float64] | None, profile: Profile
) -> tuple[NDArray[np.float64], float]:
    """Return the field to trace, float64, (rows, columns), 0 to 1, and the simplification's tolerance in pixels."""
    if probability is not None and profile.of_probability is not None:
        field, rule = probability, profile.of_probability
    else:
        field, rule = mask, profile.of_mask
        if profile.blur_px > 0:
            blurred = cv2.GaussianBlur(mask, (0, 0), profile.blur_px, borderType=cv2.BORDER_CONSTANT)
            field = np.asarray(blurred, dtype=np.float64)
    # fmax and fmin take the clamp where a probability is not a number.
    clamped = np.where(mask > 0, np.fmax(field, 0.5 + rule.clamp), np.fmin(field, 0.5 - rule.clamp))
    return clamped, rule.tolerance_px


def doubled(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a field with a value between each two neighbours, (2 rows - 1, 2 columns - 1)."""
    across = _with_midpoints(np.ascontiguousarray(field.T))
    return _with_midpoints(np.ascontiguousarray(across.T))


def _with_midpoints(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a field with a row between each two, on the side of 0.5 where they are, if they are on one.

    So no line runs round a place between the pixels' centres, and every ring has a pixel.
    """
    midway = cv2.sepFilter2D(field, cv2.CV_64F, np.ones(1), MIDWAY, anchor=(0, 2), borderType=cv2.BORDER_REPLICATE)[:-1]
    above = field > 0.5
    astray = (above[:-1] == above[1:]) & ((midway > 0.5) != above[:-1])
    twice = np.empty((2 * len(field) - 1, field.shape[1]))
    twice[::2] = field
    twice[1::2] = np.where(astray, field[:-1], midway)
    return twice
