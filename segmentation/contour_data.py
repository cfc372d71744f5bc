"""The numbers of Contour Data, PS3.3 C.8.8.6, as some writer left them (pure)."""

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.tag import Tag

CONTOUR_DATA = Tag("ContourData")
FARTHEST_MM = 1e6  # from the origin of patient coordinates: no scanner is a kilometre long


def points_of(item: Dataset) -> NDArray[np.float64]:
    """Return the points of an item of a Contour Sequence, (points, 3), patient mm; none where it has no data.

    Raises:
        ValueError: in words, if they are no triples of numbers that can be places. A backslash at the end is passed
            over; a value left out between others is not, for it would shift all that follow.
    """
    if CONTOUR_DATA not in item:
        return np.zeros((0, 3))
    value = item.get_item(CONTOUR_DATA).value  # raw where it can be: pydicom checks and converts each number
    if isinstance(value, bytes):
        text = value.strip(b" \0").rstrip(b"\\")
        values = text.split(b"\\") if text else []
        plain = b"_" not in text  # Python reads 1_0 as ten
    else:
        values, plain = list(value or []), True
    try:
        numbers = np.array([float(each) for each in values])
    except (TypeError, ValueError):
        plain = False
    if not plain:
        raise ValueError("its Contour Data is not made of numbers")
    if len(numbers) % 3 or not np.all(np.abs(numbers) < FARTHEST_MM):  # not so for what is no number
        raise ValueError("its Contour Data is not made of triples of numbers that can be places")
    return numbers.reshape(-1, 3)
