"""The few values that the node itself looks at."""

import pytest
from pydicom.dataset import Dataset

from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.encoded import walk
from dicomnode.errors import NotUnderstood
from dicomnode.header import Header
from tests.support.instances import ct_instance, encode


def header(ds: Dataset, syntax: str = EXPLICIT_VR_LE) -> Header:
    data = encode(ds, syntax)
    implicit = syntax == IMPLICIT_VR_LE
    return Header(data, walk(data, implicit=implicit), implicit=implicit)


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Modality", "CT"),
        ("ImageType", "ORIGINAL\\PRIMARY\\AXIAL"),
        ("0008,0060", "CT"),
        ("Rows", "8"),
        ("StudyDescription", ""),
        ("PixelData", ""),
        ("SourceImageSequence", ""),
    ],
)
def test_a_value_is_text(syntax: str, name: str, text: str) -> None:
    """By keyword or tag, in both encodings; what has no text has an empty one."""
    assert header(ct_instance(), syntax).text(name) == text


@pytest.mark.parametrize(
    ("character_set", "name"), [("ISO_IR 192", "Günther^Łukasz"), ("ISO_IR 100", "Günther"), (None, "Gunther")]
)
def test_text_is_decoded_in_its_character_set(character_set: str | None, name: str) -> None:
    """A rule can look for a name with an umlaut."""
    ds = Dataset()
    if character_set:
        ds.SpecificCharacterSet = character_set
    ds.PatientName = name

    assert header(ds).text("PatientName") == name


def test_a_number_is_an_unsigned_short() -> None:
    """Anything else is no number."""
    assert header(ct_instance()).number("Columns") == 6
    assert header(ct_instance()).number("Modality") == int.from_bytes(b"CT", "little")
    assert header(ct_instance()).number("PatientID") is None
    assert header(ct_instance()).number("StudyDescription") is None


def test_a_name_that_is_no_keyword_is_refused() -> None:
    """The configuration has checked its own before."""
    with pytest.raises(NotUnderstood, match="no keyword"):
        header(ct_instance()).text("NoSuchKeyword")
