"""Stored values to HU, held against arithmetic without limits."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segmentation.pixel_data import AIR_HU, stored_values, to_hounsfield

BITS = arrays(np.uint16, (4, 5), elements=st.integers(0, 65535))
WHOLE = st.integers(-40, 40).filter(bool).map(float)


def slow_values(bits, bits_stored, *, signed):
    kept = [[int(value) % 2**bits_stored for value in row] for row in bits]
    half = 2 ** (bits_stored - 1)
    return [[value - 2**bits_stored if signed and value >= half else value for value in row] for row in kept]


@given(BITS, st.integers(1, 16), st.booleans())
def test_stored_values_drop_what_stands_above_bits_stored(bits, bits_stored, signed):
    """The lowest bits count, the highest of them is the sign where values are signed."""
    expected = slow_values(bits, bits_stored, signed=signed)

    assert stored_values(bits.copy(), bits_stored, signed=signed).tolist() == expected


@given(BITS, st.integers(1, 16), st.booleans(), WHOLE | st.floats(0.1, 4.0), st.integers(-70000, 70000).map(float))
def test_hounsfield_units_are_what_slope_and_intercept_say(bits, bits_stored, signed, slope, intercept):
    """Every HU is exact in int16 where all fit, and the nearest float32 where one does not."""
    values = slow_values(bits, bits_stored, signed=signed)
    exact = np.array([[value * slope + intercept for value in row] for row in values])

    hu = to_hounsfield(stored_values(bits.copy(), bits_stored, signed=signed), bits_stored, (slope, intercept), None)

    fits = slope.is_integer() and exact.min() >= -32768 and exact.max() <= 32767
    assert hu.dtype == (np.int16 if fits else np.float32)
    np.testing.assert_array_equal(hu, exact.astype(hu.dtype))


@example(np.full((4, 5), 33792, dtype=np.uint16), 30792, 3000)
@given(BITS, st.integers(0, 65535), st.integers(0, 3000))
def test_padding_is_air_and_does_not_choose_the_type(bits, first, width):
    """What stands for no scan becomes air; what is left decides whether 16 bits hold the series."""
    padding = (first, first + width)
    scanned = (bits < first) | (bits > first + width)

    hu = to_hounsfield(bits.copy(), 16, (1.0, -1024.0), padding)

    exact = bits[scanned].astype(np.int64) - 1024
    assert (hu[~scanned] == AIR_HU).all()
    np.testing.assert_array_equal(hu[scanned], exact)
    assert hu.dtype == (np.int16 if not scanned.any() or exact.max() <= 32767 else np.float32)


@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_whole_values_stay_in_the_memory_that_they_were_read_into(slope):
    """No second array is made of a slice that fits 16 bits."""
    bits = np.arange(20, dtype=np.uint16).reshape(4, 5)

    hu = to_hounsfield(stored_values(bits, 12, signed=False), 12, (slope, -1024.0), None)

    assert np.shares_memory(hu, bits)
