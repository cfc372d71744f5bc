"""Tests of reading a compressed frame's size without decoding it."""

import contextlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.codestream import rle_bytes_per_sample, samples_declared
from segmentation.errors import SeriesError
from segmentation.pixel_data import CODECS, RLE, decode_frame

PIXELS = np.random.default_rng(1).integers(0, 4096, (31, 17)).astype(np.uint16)
FRAMES = {
    "1.2.840.10008.1.2.4.70": imagecodecs.ljpeg_encode(PIXELS, bitspersample=12),
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode(PIXELS),
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_encode(PIXELS, codecformat="j2k", reversible=True, level=0),
}
BOXED = imagecodecs.jpeg2k_encode(PIXELS, codecformat="jp2", reversible=True, level=0)


def encapsulated(frame):
    item = b"\xfe\xff\x00\xe0"
    return item + bytes(4) + item + len(frame).to_bytes(4, "little") + frame


@pytest.mark.parametrize("frame", [*FRAMES.values(), BOXED], ids=["JPEG", "JPEG-LS", "JPEG 2000", "JP2"])
def test_the_declared_size_is_read(frame):
    """Rows, columns and components stand in the header that every codec writes."""
    assert samples_declared(frame) == (31, 17, 1)


def test_colour_is_seen():
    """A frame of three components says so."""
    colour = np.zeros((8, 6, 3), np.uint8)

    assert samples_declared(imagecodecs.jpegls_encode(colour)) == (8, 6, 3)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_size_or_none(frame):
    """No bytes make the reader fail or run on."""
    samples_declared(b"\xff\xd8" + frame)
    samples_declared(b"\xff\x4f\xff\x51" + frame)
    assert 0 <= rle_bytes_per_sample(frame) <= 15


@pytest.mark.parametrize("syntax", FRAMES)
def test_a_bomb_is_refused_unopened(syntax):
    """A frame that declares 65535 x 65535 pixels is refused by its header."""
    frame = FRAMES[syntax]
    width = 4 if syntax.endswith("90") else 2
    rows, columns = (31).to_bytes(width, "big"), (17).to_bytes(width, "big")
    size = columns + rows if syntax.endswith("90") else rows + columns
    bomb = frame.replace(size, (65535).to_bytes(width, "big") * 2, 1)

    with pytest.raises(SeriesError, match="are 65535 x 65535 x 1 where 31 x 17 x 1 are declared"):
        decode_frame(encapsulated(bomb), syntax, PIXELS.shape)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*FRAMES]), st.data())
def test_damaged_frames_are_told_or_decoded(syntax, data):
    """Any one byte changed gives pixels of the declared size or an error in words."""
    frame = bytearray(FRAMES[syntax])
    frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))

    with contextlib.suppress(SeriesError):
        assert decode_frame(encapsulated(bytes(frame)), syntax, PIXELS.shape).shape == PIXELS.shape


@given(st.binary(max_size=300), st.sampled_from([*CODECS, RLE]))
def test_noise_is_told(noise, syntax):
    """Bytes that are no encapsulated frame are an error in words."""
    with pytest.raises(SeriesError):
        decode_frame(noise, syntax, PIXELS.shape)
