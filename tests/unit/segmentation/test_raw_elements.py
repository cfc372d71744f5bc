"""The quick walk over a header, held against pydicom's own reader."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from segmentation.raw_elements import plain_header
from tests.support.series import series_of, small_phantom


def encoded(ds, syntax=ExplicitVRLittleEndian):
    ds.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture
def ct():
    return series_of(small_phantom(1, rows=16, columns=16, pixel_mm=12.0, slice_mm=6.0, slices=1, top_mm=20.0))[0]


def by_pydicom(data):
    file = BytesIO(data)
    return dcmread(file, stop_before_pixels=True), file.tell()


def raw(ds):
    return {tag: ds.get_item(tag) for tag in ds.keys()}  # noqa: SIM118 (iterating decodes)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_it_finds_what_pydicom_finds(ct, syntax):
    """Each element, its VR, bytes and place, the meta information and the offset of the pixels are the same."""
    ct.add_new(0x00091010, "UN", b"private")
    ct.PatientComments = ""
    data = encoded(ct, syntax)

    ds, offset = plain_header(data)
    expected, expected_offset = by_pydicom(data)

    assert offset == expected_offset
    assert raw(ds).keys() == raw(expected).keys()
    assert ds == expected
    assert raw(ds.file_meta).keys() == raw(expected.file_meta).keys()
    assert ds.file_meta == expected.file_meta
    assert ds.original_encoding == expected.original_encoding


@pytest.mark.parametrize(
    ("charset", "name"),
    [("ISO_IR 192", "Größe^Ünal"), ("ISO_IR 100", "Größe^Ünal"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎")],
)
def test_names_are_read_in_the_character_set_of_the_file(ct, charset, name):
    """A name in any character set is the same as pydicom reads it."""
    ct.SpecificCharacterSet, ct.PatientName = charset, name
    data = encoded(ct)

    ds, _ = plain_header(data)

    assert ds.PatientName == by_pydicom(data)[0].PatientName
    assert ds.original_character_set == by_pydicom(data)[0].original_character_set


def test_a_sequence_of_known_length_is_kept_for_pydicom_to_read(ct):
    """A sequence is one raw value, and reads as what was written."""
    item = Dataset()
    item.CodeValue = "113100"
    ct.DeidentificationMethodCodeSequence = Sequence([item])

    ds, _ = plain_header(encoded(ct))

    assert ds.DeidentificationMethodCodeSequence[0].CodeValue == "113100"


def undefined_length(ct):
    ct.DeidentificationMethodCodeSequence = Sequence([Dataset()])
    ct["DeidentificationMethodCodeSequence"].is_undefined_length = True
    return encoded(ct)


def no_pixels(ct):
    del ct.PixelData
    return encoded(ct)


@pytest.mark.parametrize(
    "spoil",
    [
        undefined_length,
        no_pixels,
        lambda ct: encoded(ct)[:700],
        lambda ct: encoded(ct)[132:],
        lambda _ct: b"",
        lambda ct: encoded(ct).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")[:2000],
        lambda ct: encoded(ct).replace(ExplicitVRLittleEndian.encode() + b"\0", ExplicitVRBigEndian.encode() + b"\0"),
        lambda ct: encoded(ct).replace(b"CS", b"cs"),
    ],
    ids=["undefined length", "no pixels", "cut off", "no preamble", "empty", "deflated", "big endian", "no VR"],
)
def test_what_is_not_plain_is_left_to_pydicom(ct, spoil):
    """The walk says that it cannot, and never guesses."""
    assert plain_header(spoil(ct)) is None


@given(st.binary(max_size=300), st.integers(0, 600), st.integers(0, 40))
def test_spoilt_bytes_never_raise(junk, at, cut):
    """Whatever stands in the first bytes of a file, the walk ends with an answer."""
    whole = SOUND[: len(SOUND) - cut]
    spoilt = whole[:at] + junk + whole[at + len(junk) :]

    found = plain_header(spoilt)

    assert found is None or found[1] < len(spoilt)


SOUND = encoded(series_of(small_phantom(1, rows=16, columns=16, pixel_mm=12.0, slice_mm=6.0, slices=1, top_mm=20.0))[0])
