"""Structure sets as other writers encode and fill them: the right masks, or a reason."""

import copy
import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from segmentation import implicit_le
from segmentation.lint import lint_structure_set
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_reader import StructureSetMasks, read_structure_set
from tests.support.structure_sets import GEOMETRIES, Geometry, ct_headers, grid_of, identity, organs_of

HFS = GEOMETRIES["HFS"]
PLANES = {
    "sagittal": Geometry(row=(0.0, 1.0, 0.0), column=(0.0, 0.0, -1.0), stacked=(-1.0, 0.0, 0.0)),
    "coronal": Geometry(column=(0.0, 0.0, -1.0), stacked=(0.0, 1.0, 0.0)),
}
CONTOURS = struct.pack("<HH", 0x3006, 0x0039)
OBSERVATIONS = struct.pack("<HH", 0x3006, 0x0080)
UNDEFINED = 0xFFFFFFFF


def written(geometry: Geometry = HFS) -> bytes:
    ds = build_structure_set(organs_of(geometry), ct_headers(geometry), grid_of(geometry), identity())
    return encode_structure_set(ds)


def read(content: bytes, geometry: Geometry = HFS) -> StructureSetMasks:
    return read_structure_set(dcmread(BytesIO(content)), ct_headers(geometry), grid_of(geometry))


def fresh() -> FileDataset:
    return dcmread(BytesIO(written()))


def saved(ds: FileDataset, *, implicit: bool = True, little: bool = True) -> bytes:
    file = BytesIO()
    dcmwrite(file, ds, implicit_vr=implicit, little_endian=little)
    return file.getvalue()


def without_a_difference(masks: StructureSetMasks, geometry: Geometry = HFS) -> bool:
    organs = organs_of(geometry)
    same = [roi.mask is not None and np.array_equal(roi.mask.full(), organs[roi.name].full()) for roi in masks.rois]
    return len(same) == len(organs) and all(same)


def raw(item: Dataset, keyword: str, vr: str, value: bytes) -> None:
    """Put a value into an item as it is."""
    tag = Tag(keyword)
    item[tag] = RawDataElement(tag, vr, len(value), value, 0, True, True)


@pytest.mark.parametrize("geometry", PLANES.values(), ids=PLANES)
def test_a_ct_that_is_not_axial_is_written_and_read(geometry: Geometry) -> None:
    """Sagittal and coronal slices: not a voxel differs, and no rule is broken."""
    content = written(geometry)

    assert without_a_difference(read(content, geometry), geometry)
    assert lint_structure_set(content, ct_headers(geometry)) == []


def explicit_with(contours: bytes) -> bytes:
    """Return an explicit VR file in which other bytes stand for the ROI Contour Sequence."""
    ds = fresh()
    del ds.ROIContourSequence
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = saved(ds, implicit=False)
    place = content.index(OBSERVATIONS + b"SQ")
    return content[:place] + contours + content[place:]


def implicit_contours() -> bytes:
    value: bytes = fresh().get_item("ROIContourSequence").value
    return value


def of_unknown_vr() -> bytes:
    """As toolkits write what their dictionary does not have: UN, and within it all implicit (PS3.5 6.2.2)."""
    value = implicit_contours()
    return explicit_with(CONTOURS + struct.pack("<2sHI", b"UN", 0, len(value)) + value)


def of_unknown_vr_and_length() -> bytes:
    """The same, ended by a delimiter."""
    value = implicit_contours()
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return explicit_with(CONTOURS + struct.pack("<2sHI", b"UN", 0, UNDEFINED) + value + end)


def of_unknown_vr_within() -> bytes:
    """Each ROI's Contour Sequence is UN, within explicit items."""
    rois = []
    for roi in fresh().ROIContourSequence:
        value, number = roi.get_item("ContourSequence").value, f"{roi.ReferencedROINumber} "[:2].encode()
        drawn = struct.pack("<HH2sHI", 0x3006, 0x0040, b"UN", 0, len(value)) + value
        rois.append(drawn + struct.pack("<HH2sH", 0x3006, 0x0084, b"IS", len(number)) + number)
    value = implicit_le.items_of(rois)
    return explicit_with(CONTOURS + struct.pack("<2sHI", b"SQ", 0, len(value)) + value)


def of_long_data() -> bytes:
    """Contour Data as UN: what pydicom makes of more than 64 kB in an explicit VR."""
    ds = fresh()
    for roi in ds.ROIContourSequence:
        for contour in roi.ContourSequence:
            raw(contour, "ContourData", "UN", contour.get_item("ContourData").value)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return saved(ds, implicit=False)


def of_undefined_lengths() -> bytes:
    """Every sequence and item ended by a delimiter."""
    ds = fresh()
    for _, element in _sequences(ds):
        element.is_undefined_length = True
        for item in element.value:
            item.is_undefined_length_sequence_item = True
    return saved(ds)


def _sequences(ds: Dataset):
    for element in ds:
        if element.VR == "SQ":
            yield ds, element
            for item in element.value:
                yield from _sequences(item)


def deflated() -> bytes:
    """Compressed as a whole."""
    ds = fresh()
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return saved(ds, implicit=False)


def big_endian() -> bytes:
    """The other way round."""
    ds = fresh()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    list(ds.iterall())  # decoded before it is encoded the other way round
    return saved(ds, implicit=False, little=False)


def of_an_encapsulated_syntax() -> bytes:
    """Under the transfer syntax of compressed pixels, of which there are none: explicit VR little endian."""
    ds = fresh()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
    return saved(ds, implicit=False)


ENCODINGS = (
    *(of_unknown_vr, of_unknown_vr_and_length, of_unknown_vr_within, of_long_data),
    *(of_undefined_lengths, deflated, big_endian, of_an_encapsulated_syntax),
)


@pytest.mark.parametrize("encoded", ENCODINGS, ids=lambda encoded: encoded.__name__)
def test_any_encoding_gives_the_masks(encoded: Callable[[], bytes]) -> None:
    """However the sequences are written, not a voxel differs."""
    assert without_a_difference(read(encoded()))


def test_contours_of_a_roi_in_two_items_are_all_read() -> None:
    """The ROI Contour Sequence may name a ROI twice, against the Standard."""
    ds = fresh()
    first = ds.ROIContourSequence[0]
    other = copy.deepcopy(first)
    drawn = list(first.ContourSequence)
    first.ContourSequence, other.ContourSequence = drawn[:3], drawn[3:]
    ds.ROIContourSequence.append(other)

    assert without_a_difference(read(saved(ds)))


def test_an_image_reference_that_is_empty_says_nothing() -> None:
    """It is noted, and the plane is followed, as where there is none."""
    ds = fresh()
    for contour in ds.ROIContourSequence[0].ContourSequence:
        contour.ContourImageSequence = [Dataset()]

    masks = read(saved(ds))

    assert without_a_difference(masks)
    assert "contour 1 of 9: its reference to an image is empty; the plane was followed" in masks.rois[0].notes


def test_a_name_has_no_control_characters() -> None:
    """NUL, an end of line or a terminal's escape sequence is not what the organ is called."""
    ds = fresh()
    raw(ds.StructureSetROISequence[0], "ROIName", "LO", b"Brain\x07stem\0\0\r\n ")

    assert read(saved(ds)).rois[0].name == "Brain stem"


def test_places_beyond_all_scanners_are_a_finding_and_a_refusal() -> None:
    """Numbers that overflow what is computed with them stop neither the lint nor the reader."""
    ds = fresh()
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    values = contour.get_item("ContourData").value.split(b"\\")
    values[0], values[3] = b"1e308", b"-1e308"
    data = b"\\".join(values)
    raw(contour, "ContourData", "DS", data + b" " * (len(data) % 2))
    content = saved(ds)

    assert "contour-data" in {finding.rule for finding in lint_structure_set(content, ct_headers(HFS))}
    assert read(content).refused[0].reasons == (
        "contour 1 of 9: its Contour Data is not made of triples of numbers that can be places",
    )
