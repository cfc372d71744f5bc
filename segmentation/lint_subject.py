"""What the rules of the lint look at: a structure set and its CT, every value as it is written in the file (pure)."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.charset import decode_bytes, python_encoding
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

from segmentation.errors import StructureSetError

LARGEST_OFF_PLANE_MM = 0.5
DELIMITERS = {
    0x5C,
    0x5E,
    0x3D,
}  # backslash ^ = after which a value in ISO 2022 is in its first character set again, PS3.5 6.1.2.5.3
DAMAGED = (  # what pydicom raises
    *(AttributeError, TypeError, ValueError, LookupError, ArithmeticError, NotImplementedError),
    *(OSError, BytesLengthException, struct.error),
)
FILLED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})


@cache
def _tag(keyword: str) -> BaseTag:
    """Return the tag of a keyword, which each contour asks for anew."""
    return Tag(keyword)


def raw_bytes(item: Dataset, tag: BaseTag) -> bytes | None:
    """Return a value as it is encoded, with its padding; None if there is no such attribute."""
    element = item.get_item(tag)
    if element is None:
        return None
    value = element.value
    if isinstance(value, bytes):
        return value
    # Read by pydicom already, as the character set always is; that it took the padding away is no fault of the file.
    values = value if isinstance(value, MultiValue) else [] if value is None else [value]
    text = "\\".join(map(str, values)).encode("latin-1", "replace")
    return text + b" " * (len(text) % 2)


def text_of(item: Dataset, keyword: str, encodings: Sequence[str] = ("iso8859",)) -> str:
    """Return the text of an attribute without its padding, empty where there is none."""
    value = (raw_bytes(item, _tag(keyword)) or b"").strip(b" \0")
    if b"\x1b" in value:
        return str(decode_bytes(value, list(encodings), DELIMITERS))
    return value.decode(encodings[0], "replace")


def items_of(item: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence, none where it is absent."""
    tag = _tag(keyword)
    return list(item[tag].value or []) if tag in item else []


def places(ds: Dataset, sequences: tuple[str, ...], path: str = "") -> Iterator[tuple[str, Dataset]]:
    """Yield the path and the item of every item of a nested sequence; the data set itself for no sequence."""
    if not sequences:
        yield path, ds
        return
    for index, item in enumerate(items_of(ds, sequences[0])):
        yield from places(item, sequences[1:], f"{path}{sequences[0]}[{index}].")


def encodings_of(ds: Dataset) -> list[str]:
    """Return Python's names of a data set's character sets; an unknown one is passed over."""
    terms = text_of(ds, "SpecificCharacterSet").split("\\")
    return [python_encoding[term.strip()] for term in terms if term.strip() in python_encoding] or ["iso8859"]


def elements_of(ds: Dataset, path: str = "") -> Iterator[tuple[str, str, bytes]]:
    """Yield path, VR and encoded value of every attribute of the Standard, those in sequences too."""
    for tag in list(ds.keys()):
        vr = getattr(ds.get_item(tag), "VR", None) or (dictionary_VR(tag) if dictionary_has_tag(tag) else "UN")
        here = f"{path}{keyword_for_tag(tag) or tag}"
        if vr == "SQ":
            for index, item in enumerate(ds[tag].value or []):
                yield from elements_of(item, f"{here}[{index}].")
        elif not tag.is_private:
            yield here, vr, raw_bytes(ds, tag) or b""


@dataclass(frozen=True, eq=False)
class Contour:
    """One item of a Contour Sequence.

    Args:
        path: where it stands.
        item: as it was read.
        kind: Contour Geometric Type.
        texts: the values of Contour Data.
    """

    path: str
    item: Dataset
    kind: str
    texts: tuple[str, ...]

    @cached_property
    def points(self) -> NDArray[np.float64] | None:
        """Patient mm, (points, 3); None where Contour Data is not made of triples of finite numbers."""
        try:
            numbers = np.array([float(text) for text in self.texts])
        except ValueError:
            return None
        return numbers.reshape(-1, 3) if len(numbers) % 3 == 0 and np.isfinite(numbers).all() else None

    @property
    def filled_points(self) -> NDArray[np.float64] | None:
        """The points of a contour that encloses something, None for any other."""
        return self.points if self.kind in FILLED and self.points is not None and len(self.points) >= 3 else None

    @cached_property
    def image_uids(self) -> list[str]:
        """The images that it says it was drawn on."""
        return [text_of(image, "ReferencedSOPInstanceUID") for image in items_of(self.item, "ContourImageSequence")]


@dataclass(frozen=True, eq=False)
class Ct:
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
    def off_plane_mm(self) -> float:
        """How far a point may lie from its plane: a quarter of the smallest slice spacing, at most 0.5 mm."""
        gaps = np.diff(self.positions_mm)
        return min(LARGEST_OFF_PLANE_MM, float(gaps.min()) / 4) if len(gaps) else LARGEST_OFF_PLANE_MM

    def nearest(self, points: NDArray[np.float64]) -> tuple[int, float]:
        """Return the slice that lies nearest to the first point, and how far the farthest point is off it, mm."""
        along = points @ self.normal
        index = int(np.abs(self.positions_mm - along[0]).argmin())
        return index, float(np.abs(along - self.positions_mm[index]).max())


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
    ct: Ct | None

    @property
    def every_contour(self) -> Iterator[Contour]:
        """All contours of all ROIs."""
        return (contour for drawn in self.contours for contour in drawn)


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
    return Subject(ds, tuple(encodings_of(ds)), elements, contours, _read_ct(headers) if headers else None)


def _read_contour(item: Dataset, path: str) -> Contour:
    data = (raw_bytes(item, _tag("ContourData")) or b"").decode("ascii", "replace").strip(" \0")
    return Contour(path, item, text_of(item, "ContourGeometricType"), tuple(data.split("\\")) if data else ())


def _read_ct(headers: Sequence[Dataset]) -> Ct:
    try:
        origins = np.array([_numbers(header, "ImagePositionPatient", 3) for header in headers])
        orientation = np.array(_numbers(headers[0], "ImageOrientationPatient", 6))
        rows, columns = _numbers(headers[0], "PixelSpacing", 2)
        shape = int(headers[0].Rows), int(headers[0].Columns)
    except (ValueError, AttributeError) as error:
        raise StructureSetError("a slice of the CT does not say where it lies or how large it is") from error
    order = np.argsort(origins @ np.cross(orientation[:3], orientation[3:]))
    return Ct(
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
