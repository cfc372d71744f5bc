"""What the rules of the lint look at of the CT: where its slices lie, in ascending order (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from segmentation.errors import StructureSetError
from segmentation.lint_values import text_of

LARGEST_OFF_PLANE_MM = 0.5


@dataclass(frozen=True, eq=False)
class Slices:
    """The slices of the CT.

    Args:
        headers: in ascending order along the normal.
        origins: float64, (slices, 3), patient mm.
        row: unit vector along which the column index grows.
        column: unit vector along which the row index grows.
        spacing_mm: between rows, between columns.
        shape: rows, columns.
    """

    headers: tuple[Dataset, ...]
    origins: NDArray[np.float64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the slices."""
        return np.cross(self.row, self.column)

    @cached_property
    def positions_mm(self) -> NDArray[np.float64]:
        """The slices' places along the normal, ascending."""
        return self.origins @ self.normal

    @cached_property
    def index_of_uid(self) -> dict[str, int]:
        """Slice index by SOP Instance UID."""
        return {text_of(header, "SOPInstanceUID"): index for index, header in enumerate(self.headers)}

    @cached_property
    def z_texts(self) -> list[str]:
        """The third coordinate of each slice's origin, as it is written."""
        return [text_of(header, "ImagePositionPatient").split("\\")[2].strip() for header in self.headers]

    @cached_property
    def off_plane_mm(self) -> float:
        """How far a point may lie from its plane: a quarter of the smallest slice spacing, at most 0.5 mm."""
        gaps = np.diff(self.positions_mm)
        return min(LARGEST_OFF_PLANE_MM, float(gaps.min()) / 4) if len(gaps) else LARGEST_OFF_PLANE_MM


def read_slices(headers: Sequence[Dataset]) -> Slices:
    """Return where the slices of a CT lie; their headers may come in any order.

    Raises:
        StructureSetError: if a slice does not say where it lies or how large it is.
    """
    try:
        origins = np.array([_numbers(header, "ImagePositionPatient", 3) for header in headers])
        orientation = np.array(_numbers(headers[0], "ImageOrientationPatient", 6))
        rows, columns = _numbers(headers[0], "PixelSpacing", 2)
        shape = int(headers[0].Rows), int(headers[0].Columns)
    except (ValueError, AttributeError) as error:
        raise StructureSetError("a slice of the CT does not say where it lies or how large it is") from error
    order = np.argsort(origins @ np.cross(orientation[:3], orientation[3:]))
    return Slices(
        headers=tuple(headers[index] for index in order),
        origins=origins[order],
        row=orientation[:3],
        column=orientation[3:],
        spacing_mm=(rows, columns),
        shape=shape,
    )


def _numbers(header: Dataset, keyword: str, count: int) -> list[float]:
    numbers = [float(text) for text in text_of(header, keyword).split("\\")]
    if len(numbers) != count:
        raise ValueError(keyword)
    return numbers
