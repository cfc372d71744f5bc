"""A file is a preamble of zeros, our meta information, and the bytes as received."""

from io import BytesIO

import pytest
from pydicom import dcmread

from dicomnode.errors import NotUnderstood
from dicomnode.instance_file import file_head, parse_file
from tests.support.instances import JPEG_2000, ct_instance, encode, instance_file


def test_what_is_written_is_read() -> None:
    """Everything comes back, the sender and its address too."""
    file = instance_file(ct_instance(), JPEG_2000)

    assert parse_file(file_head(file) + file.data) == file


def test_pydicom_reads_it() -> None:
    """Anyone's reader takes the file, without a warning."""
    file = instance_file(ct_instance())

    ds = dcmread(BytesIO(file_head(file) + file.data))

    assert ds.preamble == bytes(128)
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert ds.file_meta.SourceApplicationEntityTitle == "TPS"
    assert ds.PixelData == ct_instance().PixelData


def test_the_data_set_is_written_as_received() -> None:
    """Not one byte of it is touched."""
    file = instance_file(ct_instance())

    assert (file_head(file) + file.data).endswith(encode(ct_instance()))


@pytest.mark.parametrize("length", [0, 100, 132, 143, 200])
def test_a_file_that_is_cut_off_is_not_understood(length: int) -> None:
    """Before its data set begins there is nothing to be had from it."""
    file = instance_file(ct_instance())

    with pytest.raises(NotUnderstood):
        parse_file((file_head(file) + file.data)[:length])
