"""What the rules of the lint look at: a structure set and its CT, every value as it is written in the file (pure)."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError

from segmentation.errors import StructureSetError
from segmentation.lint_closed import ClosedContours, Contour, Placed
from segmentation.lint_slices import Slices, read_slices
from segmentation.lint_values import elements_of, encodings_of, items_of, raw_bytes, text_of

DAMAGED = (  # what pydicom raises
    *(AttributeError, TypeError, ValueError, LookupError, ArithmeticError, NotImplementedError),
    *(OSError, BytesLengthException, struct.error),
)


@dataclass(frozen=True, eq=False)
class Subject:
    """A structure set and, where it is at hand, its CT.

    Args:
        ds: the structure set.
        encodings: its character sets, as Python names them.
        elements: path, VR and encoded value of every attribute of the Standard, as from `elements_of`.
        contours: the contours of each item of the ROI Contour Sequence.
        ct: None where only the structure set is looked at.
    """

    ds: Dataset
    encodings: tuple[str, ...]
    elements: tuple[tuple[str, str, bytes], ...]
    contours: tuple[tuple[Contour, ...], ...]
    ct: Slices | None

    @property
    def every_contour(self) -> Iterator[Contour]:
        """All contours of all ROIs."""
        return (contour for drawn in self.contours for contour in drawn)

    @cached_property
    def closed(self) -> ClosedContours | None:
        """The contours that enclose something, measured together; None if there is none."""
        closed = tuple(contour for contour in self.every_contour if contour.encloses)
        return ClosedContours(closed) if closed else None

    @cached_property
    def placed(self) -> Placed | None:
        """The same on the slices of the CT; None where one or the other is not there."""
        return Placed(self.closed, self.ct) if self.closed and self.ct else None


def read_subject(content: bytes, headers: Sequence[Dataset] = ()) -> Subject:
    """Return what the rules look at.

    Args:
        content: a DICOM file with a structure set.
        headers: the CT's datasets in any order, none to look at the structure set alone.

    Raises:
        StructureSetError: if this is no structure set, or a slice does not say where it lies.
    """
    try:
        ds = dcmread(BytesIO(content))
        elements = tuple(elements_of(ds))  # all sequences are read here, so that a damaged one is found here
    except (InvalidDicomError, EOFError) as error:
        raise StructureSetError("this is no DICOM file, or is cut off") from error
    except DAMAGED as error:
        raise StructureSetError(f"the file is damaged: {type(error).__name__} while it was read") from error
    if text_of(ds, "Modality") != "RTSTRUCT":
        raise StructureSetError(f"the modality is {text_of(ds, 'Modality') or 'missing'}, not RTSTRUCT")
    contours = tuple(
        tuple(
            _read_contour(item, f"ROIContourSequence[{position}].ContourSequence[{place}]")
            for place, item in enumerate(items_of(drawn, "ContourSequence"))
        )
        for position, drawn in enumerate(items_of(ds, "ROIContourSequence"))
    )
    return Subject(ds, tuple(encodings_of(ds)), elements, contours, read_slices(headers) if headers else None)


def _read_contour(item: Dataset, path: str) -> Contour:
    data = (raw_bytes(item, "ContourData") or b"").decode("ascii", "replace").strip(" \0")
    return Contour(path, item, text_of(item, "ContourGeometricType"), tuple(data.split("\\")) if data else ())
