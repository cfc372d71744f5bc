"""Two encodings of one instance are the same; two instances are not."""

from collections.abc import Iterator
from functools import partial

import pytest
from pydicom.dataset import Dataset

from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.errors import NotUnderstood
from dicomnode.instance_file import InstanceFile
from dicomnode.intake import IsSame
from dicomnode.pixel_decoder import Frame, PixelDecoder
from dicomnode.sameness import is_same, same_value
from tests.support.instances import COMPRESSED, JPEG_LS, RLE, ct_instance, instance_file, structure_set

ALL_SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE, *COMPRESSED)


@pytest.fixture(scope="module")
def same() -> Iterator[IsSame]:
    decoder = PixelDecoder()
    yield partial(is_same, decode=decoder.digest)
    decoder.close()


def no_decoder(_data: bytes, _frame: Frame) -> str:
    pytest.fail("uncompressed pixels need no decoder")


@pytest.mark.parametrize("syntax", ALL_SYNTAXES)
def test_another_transfer_syntax_is_not_another_content(same: IsSame, syntax: str) -> None:
    """The same slice in any two syntaxes that we take is the same instance."""
    assert same(instance_file(ct_instance()), instance_file(ct_instance(), syntax))


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_another_pixel_is_another_content(same: IsSame, syntax: str) -> None:
    """One changed pixel is seen through every compression."""
    other = ct_instance()
    other.PixelData = b"\x01" + other.PixelData[1:] if other.PixelData[0] != 1 else b"\x02" + other.PixelData[1:]

    assert not same(instance_file(ct_instance()), instance_file(other, syntax))


def test_two_compressions_of_the_same_pixels_are_the_same(same: IsSame) -> None:
    """Neither side needs to be uncompressed."""
    assert same(instance_file(ct_instance(), RLE), instance_file(ct_instance(), JPEG_LS))


@pytest.mark.parametrize("changes", [{"PatientName": "Someone^Else"}, {"SliceThickness": "5"}, {"StudyDate": None}])
def test_another_value_is_another_content(changes: dict[str, object]) -> None:
    """A value that differs, or is missing, makes another instance."""
    changed = instance_file(ct_instance(**changes), IMPLICIT_VR_LE)

    assert not is_same(instance_file(ct_instance()), changed, decode=no_decoder)


def test_another_value_in_an_item_is_another_content() -> None:
    """Sequences are compared item by item, also where one side shows them only as bytes."""
    other = ct_instance()
    other.SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5"

    assert not is_same(instance_file(ct_instance()), instance_file(other, IMPLICIT_VR_LE), decode=no_decoder)


def with_prefix(ds: Dataset, prefix: bytes = b"", suffix: bytes = b"") -> InstanceFile:
    """Return the instance with encoded elements before and after its own."""
    file = instance_file(ds)
    return InstanceFile(
        file.sop_class_uid,
        file.sop_instance_uid,
        file.transfer_syntax_uid,
        file.calling_ae_title,
        file.called_ae_title,
        file.peer_address,
        prefix + file.data + suffix,
    )


GROUP_LENGTH = bytes.fromhex("0800 0000 554c 0400 64000000")
META_VERSION = bytes.fromhex("0200 0100 4f42 0000 02000000 0001")
TRAILING = bytes.fromhex("fcff fcff 4f42 0000 04000000 00000000")


@pytest.mark.parametrize(("prefix", "suffix"), [(GROUP_LENGTH, b""), (META_VERSION, b""), (b"", TRAILING)])
def test_group_lengths_meta_information_and_padding_do_not_count(prefix: bytes, suffix: bytes) -> None:
    """What carries no content makes no difference."""
    assert is_same(instance_file(ct_instance()), with_prefix(ct_instance(), prefix, suffix), decode=no_decoder)


def test_structure_sets_are_compared_through_their_sequences() -> None:
    """An RTSTRUCT in implicit VR is the same as in explicit VR."""
    one, other = instance_file(structure_set()), instance_file(structure_set(), IMPLICIT_VR_LE)

    assert is_same(one, other, decode=no_decoder)


@pytest.mark.parametrize(
    ("vr", "one", "other", "expected"),
    [
        ("LO", b"Skull ", b"Skull", True),
        ("CS", b"A\\B ", b"A \\B", True),
        ("UI", b"1.2.3\0", b"1.2.3", True),
        ("DS", b"1.50", b"1.5 ", True),
        ("DS", b"1.51", b"1.5 ", False),
        ("ST", b"a\\b  ", b"a\\b", True),
        ("US", b"\x20\x00", b"\x00\x00", False),
        ("UN", b"x ", b"x", True),
        ("UN", b"x ", b"x\0", False),
        ("LO", b"a\\b", b"a", False),
    ],
)
def test_values_are_compared_without_their_padding(vr: str, one: bytes, other: bytes, *, expected: bool) -> None:
    """Padding is no content, and a number may be written in two ways; binary values are compared as they are."""
    assert same_value(vr, one, other) is expected


def test_pixels_that_cannot_be_decoded_are_not_understood(same: IsSame) -> None:
    """A broken code stream is neither the same nor another: it is refused."""
    broken = instance_file(ct_instance(), JPEG_LS)
    data = broken.data.replace(b"\xff\xd8\xff\xf7", b"\xff\xd8\xff\xf0")
    received = InstanceFile(broken.sop_class_uid, broken.sop_instance_uid, JPEG_LS, "TPS", "DICOMNODE", "::1", data)

    with pytest.raises(NotUnderstood, match="decoded"):
        same(instance_file(ct_instance()), received)
