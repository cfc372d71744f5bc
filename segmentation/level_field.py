"""The field whose level line is an organ's contour: on the organ's side of the level wherever the mask is (pure)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from segmentation.profiles import Profile

MIDWAY = np.array([3.0, -25.0, 150.0, 150.0, -25.0, 3.0]) / 256.0  # Deslauriers and Dubuc 1989, exact to degree 5
ALONE = np.ones(1)


def field_of(
    mask: NDArray[np.float64], probability: NDArray[np.float64] | None, profile: Profile
) -> NDArray[np.float64]:
    """Return the field to trace, float64, (rows, columns), 0 to 1."""
    if probability is not None and profile.of_probability is not None:
        field, rule = probability, profile.of_probability
    else:
        field, rule = mask, profile.of_mask
        if profile.blur_px > 0:
            blurred = cv2.GaussianBlur(mask, (0, 0), profile.blur_px, borderType=cv2.BORDER_CONSTANT)
            field = np.asarray(blurred, dtype=np.float64)
    # fmax and fmin take the clamp where a probability is not a number.
    return np.where(mask > 0, np.fmax(field, 0.5 + rule.clamp), np.fmin(field, 0.5 - rule.clamp))


def doubled(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a field with a value between each two neighbours, (2 rows - 1, 2 columns - 1)."""
    wide = np.empty((len(field), 2 * field.shape[1] - 1))
    wide[:, ::2], wide[:, 1::2] = field, _midpoints(field, axis=1)
    twice = np.empty((2 * len(wide) - 1, wide.shape[1]))
    twice[::2], twice[1::2] = wide, _midpoints(wide, axis=0)
    return twice


def _midpoints(field: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return a value between each two neighbours along an axis, on the side of 0.5 where they are, if they are on one.

    So no line runs round a place between the pixels' centres, and every ring has a pixel.
    """
    along_rows, along_columns = (ALONE, MIDWAY) if axis == 0 else (MIDWAY, ALONE)
    anchor = (0, 2) if axis == 0 else (2, 0)
    midway = cv2.sepFilter2D(
        field, cv2.CV_64F, along_rows, along_columns, anchor=anchor, borderType=cv2.BORDER_REPLICATE
    )
    first, second = (field[:-1], field[1:]) if axis == 0 else (field[:, :-1], field[:, 1:])
    midway = midway[: first.shape[0], : first.shape[1]]
    above = midway > 0.5
    astray = np.nonzero(((first > 0.5) ^ above) & ((second > 0.5) ^ above))
    midway[astray] = first[astray]
    return np.asarray(midway)
