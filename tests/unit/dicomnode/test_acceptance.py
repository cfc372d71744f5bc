"""What is stored is a whole and valid instance."""

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from dicomnode.acceptance import identify, is_uid, require_content, summarise_structure_set
from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.errors import DataSetMismatch, NotUnderstood
from dicomnode.instance_file import InstanceFile
from dicomnode.records import StructureSetSummary
from tests.support.instances import COMPRESSED, JPEG_LS, RLE, SERIES, ct_instance, encode, instance_file, structure_set


def examine(file: InstanceFile) -> None:
    """Do what the intake does with a file before it writes it."""
    instance = identify(
        file.data,
        sop_class_uid=file.sop_class_uid,
        sop_instance_uid=file.sop_instance_uid,
        transfer_syntax_uid=file.transfer_syntax_uid,
    )
    require_content(instance, sop_class_uid=file.sop_class_uid, transfer_syntax_uid=file.transfer_syntax_uid)


def as_announced(ds: Dataset, syntax: str = EXPLICIT_VR_LE) -> InstanceFile:
    """Return a file whose command is that of the unchanged instance."""
    told = instance_file(ct_instance())
    return InstanceFile(
        told.sop_class_uid, told.sop_instance_uid, syntax, "TPS", "DICOMNODE", "127.0.0.1", encode(ds, syntax)
    )


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE, *COMPRESSED])
def test_a_whole_slice_is_taken_in_every_syntax(syntax: str) -> None:
    """What a scanner sends is valid."""
    examine(instance_file(ct_instance(), syntax))


@pytest.mark.parametrize("rows", [7, 8])
def test_an_odd_number_of_pixel_bytes_is_padded(rows: int) -> None:
    """PS3.5 8.1.1: the value is as long as the pixels ask for, padded to an even length."""
    ds = ct_instance(rows=rows, BitsAllocated=8, BitsStored=8, HighBit=7, Columns=5)
    ds.PixelData = bytes(rows * 5 + rows * 5 % 2)

    examine(as_announced(ds))


@pytest.mark.parametrize("changes", [{"PatientID": None}, {"PatientID": ""}, {"LossyImageCompression": "01"}])
def test_what_only_the_series_can_be_held_for_is_stored(changes: dict[str, object]) -> None:
    """The series is held later, with a reason that the operator sees; the instance is whole."""
    examine(as_announced(ct_instance(**changes)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SeriesInstanceUID": None}, "Series Instance UID"),
        ({"SeriesInstanceUID": "../../etc/passwd"}, "Series Instance UID"),
        ({"StudyInstanceUID": None}, "Study Instance UID"),
        ({"Rows": None}, "Rows"),
        ({"Columns": 0}, "Columns"),
        ({"PixelData": None}, "Pixel Data are missing"),
        ({"Rows": 65535, "Columns": 65535}, "Rows and Columns ask for 8589672450"),
        ({"PixelData": b"\0" * 10}, "have 10 bytes"),
        ({"NumberOfFrames": 2}, "one frame"),
    ],
)
def test_what_is_missing_or_inconsistent_is_not_understood(changes: dict[str, object], said: str) -> None:
    """Each fault is named in the reason."""
    with pytest.raises(NotUnderstood, match=said):
        examine(as_announced(ct_instance(**changes)))


@pytest.mark.parametrize(
    "changes", [{"SOPInstanceUID": "1.2.3.4"}, {"SOPInstanceUID": None}, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}]
)
def test_another_instance_than_announced_is_a_mismatch(changes: dict[str, object]) -> None:
    """UID and class of the data set are those of the command."""
    with pytest.raises(DataSetMismatch):
        examine(as_announced(ct_instance(**changes)))


@pytest.mark.parametrize(
    ("syntax", "frames", "said"),
    [(JPEG_LS, [b"ab", b"cd"], "more than one frame"), (RLE, [b"ab", b"cd"], "more than one frame")],
)
def test_compressed_pixels_are_one_frame(syntax: str, frames: list[bytes], said: str) -> None:
    """A second frame has no place in a CT slice."""
    ds = ct_instance()
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    data = encode(ds)
    told = instance_file(ct_instance())
    file = InstanceFile(told.sop_class_uid, told.sop_instance_uid, syntax, "TPS", "DICOMNODE", "::1", data)

    with pytest.raises(NotUnderstood, match=said):
        examine(file)


def test_pixels_that_should_be_compressed_and_are_not_are_not_understood() -> None:
    """A native value under a compressed syntax is no frame."""
    plain = as_announced(ct_instance())
    file = InstanceFile(plain.sop_class_uid, plain.sop_instance_uid, JPEG_LS, "TPS", "DICOMNODE", "::1", plain.data)

    with pytest.raises(NotUnderstood, match="not encapsulated"):
        examine(file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.2.840.10008", True), ("1", False), ("1." + "2" * 63, False), ("1..2", False), ("1.2\n", False), ("", False)],
)
def test_a_uid_has_its_form(text: str, *, expected: bool) -> None:
    """Digits and dots, at most 64 characters."""
    assert is_uid(text) is expected


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_a_structure_set_is_summarised(syntax: str) -> None:
    """Label, approval, number of ROIs and the series that it was drawn on."""
    file = instance_file(structure_set(), syntax)
    instance = identify(
        file.data,
        sop_class_uid=file.sop_class_uid,
        sop_instance_uid=file.sop_instance_uid,
        transfer_syntax_uid=syntax,
    )

    assert summarise_structure_set(instance.header) == StructureSetSummary("APPROVED BY ME", "APPROVED", 2, SERIES)
