"""A data set is whole, and lies where the walk says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.encoded import DEEPEST, PIXEL_DATA, find, sequence_items, walk
from dicomnode.errors import NotUnderstood
from tests.support.instances import COMPRESSED, ct_instance, encode, structure_set

SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE, *COMPRESSED)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_walk_finds_what_was_written(syntax: str) -> None:
    """Tags in their order, to the last byte."""
    data = encode(ct_instance(), syntax)

    elements = walk(data, implicit=syntax == IMPLICIT_VR_LE)

    assert [each.tag for each in elements] == [int(each.tag) for each in ct_instance()]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_data_set_that_is_cut_off_is_not_whole(syntax: str) -> None:
    """Wherever it is cut but between two top-level elements, the walk says so."""
    data = encode(ct_instance(), syntax)
    elements = walk(data, implicit=syntax == IMPLICIT_VR_LE)
    borders = {each.offset for each in elements}

    for length in (each for each in range(1, len(data)) if each not in borders):
        with pytest.raises(NotUnderstood):
            walk(data[:length], implicit=syntax == IMPLICIT_VR_LE)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_walked_or_not_understood(data: bytes, implicit: bool) -> None:
    """Nothing else can come of what a stranger sends."""
    try:
        elements = walk(data, implicit=implicit)
    except NotUnderstood:
        return
    assert all(0 <= each.offset < each.start <= each.end <= len(data) for each in elements)


@given(st.data())
def test_a_changed_byte_is_walked_or_not_understood(data: st.DataObject) -> None:
    """Nor of what a transmission error makes of a data set."""
    syntax = data.draw(st.sampled_from(SYNTAXES))
    encoded = bytearray(encode(ct_instance(), syntax))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))

    try:
        walk(bytes(encoded), implicit=syntax == IMPLICIT_VR_LE)
    except NotUnderstood:
        return


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_sequences_are_walked_into(syntax: str) -> None:
    """Items are found, also where implicit VR shows a sequence only as bytes."""
    implicit = syntax == IMPLICIT_VR_LE
    data = encode(structure_set(), syntax)
    rois = find(walk(data, implicit=implicit), 0x30060020)

    assert rois is not None
    assert len(sequence_items(data, rois, implicit=implicit)) == 2


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize(("depth", "whole"), [(DEEPEST, True), (DEEPEST + 1, False), (3000, False)])
def test_nesting_has_an_end(depth: int, *, whole: bool, undefined: bool) -> None:
    """3000 nested sequences are refused, not a RecursionError."""
    data = b""
    for _ in range(depth):
        if undefined:
            item = bytes.fromhex("feff00e0ffffffff") + data + bytes.fromhex("feff0de000000000")
            data = bytes.fromhex("08004011 5351 0000 ffffffff") + item + bytes.fromhex("feffdde000000000")
        else:
            item = bytes.fromhex("feff00e0") + len(data).to_bytes(4, "little") + data
            data = bytes.fromhex("08004011 5351 0000") + len(item).to_bytes(4, "little") + item

    if whole:
        assert len(walk(data, implicit=False)) == 1
    else:
        with pytest.raises(NotUnderstood, match="deeper"):
            walk(data, implicit=False)


def test_an_element_that_comes_twice_is_refused() -> None:
    """Two readers could take two different values from it."""
    element = encode(_with_id("A"))

    with pytest.raises(NotUnderstood, match="twice"):
        walk(element + encode(_with_id("B")), implicit=False)


def test_fragments_are_found() -> None:
    """An offset table and one fragment."""
    data = encode(ct_instance(), COMPRESSED[0])
    pixels = find(walk(data, implicit=False), PIXEL_DATA)

    assert pixels is not None
    assert pixels.fragments is not None
    assert len(pixels.fragments) == 2


def _with_id(patient_id: str) -> Dataset:
    ds = Dataset()
    ds.PatientID = patient_id
    return ds
