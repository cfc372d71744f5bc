"""The quick walk over a header, held against pydicom's own reader."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from segmentation.raw_elements import HeaderWalk
from tests.support.series import series_of, small_phantom


def encoded(ds, syntax=ExplicitVRLittleEndian):
    ds.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture
def ct():
    return series_of(small_phantom(1, rows=16, columns=16, pixel_mm=12.0, slice_mm=6.0, slices=1, top_mm=20.0))[0]


def plain_header(data):
    return HeaderWalk().plain_header(data)


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
        lambda ct: encoded(ct)[:132] + b"\1\0\1\0LO\0\0" + encoded(ct)[132:],
    ],
    ids=[
        "undefined length",
        "no pixels",
        "cut off",
        "no preamble",
        "empty",
        "deflated",
        "big endian",
        "no VR",
        "group 0001",
    ],
)
def test_what_is_not_plain_is_left_to_pydicom(ct, spoil):
    """The walk says that it cannot, and never guesses."""
    assert plain_header(spoil(ct)) is None


def contents(header):
    """Everything but where a value was in its file."""
    if header is None:
        return None
    ds, offset = header
    elements = [(tag, element.VR, element.value) for part in (ds.file_meta, ds) for tag, element in raw(part).items()]
    return elements, offset, ds.original_encoding, ds.original_character_set


SPOILT = {"junk": st.binary(max_size=300), "at": st.integers(0, 900), "cut": st.integers(0, 40)}


@given(**SPOILT)
def test_spoilt_bytes_never_raise(junk, at, cut):
    """Whatever stands in the first bytes of a file, the walk ends with an answer."""
    spoilt = spoil_slice(SLICES[0], junk, at, cut)

    found = plain_header(spoilt)

    assert found is None or found[1] < len(spoilt)


def spoil_slice(data, junk, at, cut):
    return data[:at] + junk + data[at + len(junk) : len(data) - cut]


@given(st.sampled_from(range(4)), st.sampled_from(range(4)), *SPOILT.values())
def test_a_header_is_read_the_same_behind_any_other(before, number, junk, at, cut):
    """What is remembered of the header before changes nothing, be it of another length, syntax or order."""
    spoilt, walk = spoil_slice(SLICES[number], junk, at, cut), HeaderWalk()
    walk.plain_header(SLICES[before])

    after_it, again, sound = (walk.plain_header(data) for data in (spoilt, spoilt, SLICES[before]))

    assert contents(after_it) == contents(again) == contents(plain_header(spoilt))
    assert contents(sound) == contents(plain_header(SLICES[before]))


def test_what_one_dataset_decodes_or_changes_is_its_own(ct):
    """Datasets that share what was read do not share what becomes of it."""
    walk, data = HeaderWalk(), encoded(ct)
    (one, _), (other, _) = walk.plain_header(data), walk.plain_header(data)

    one.PatientID = "ANOTHER"
    del one.Modality

    assert (other.PatientID, other.Modality) == (ct.PatientID, "CT")
    assert walk.plain_header(data)[0] == by_pydicom(data)[0]


def made_slices():
    made = series_of(small_phantom(1, rows=16, columns=16, pixel_mm=12.0, slice_mm=6.0, slices=2, top_mm=20.0))
    plain, longer, implicit = map(encoded, made + made[:1], [ExplicitVRLittleEndian] * 2 + [ImplicitVRLittleEndian])
    made[1].PatientComments, made[1].ImageType = "one element more", ["DERIVED", "SECONDARY"]
    return [plain, longer, implicit, encoded(made[1])]


SLICES = made_slices()
