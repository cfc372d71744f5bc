"""Small data sets of messages, identifiers and lists of references, to bytes and back (pure)."""

from io import BytesIO
from struct import error

from pydicom import Dataset
from pydicom.errors import BytesLengthException
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from dicomnode.errors import PeerFailure

_IMPLICIT_VR_LE = "1.2.840.10008.1.2"


def encode(ds: Dataset, transfer_syntax: str) -> bytes:
    """Return a data set in an uncompressed little endian syntax.

    Raises:
        ValueError, NotImplementedError: it cannot be encoded so.
    """
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, transfer_syntax == _IMPLICIT_VR_LE
    write_dataset(buffer, ds)
    return buffer.getvalue()


def decode(data: bytes, transfer_syntax: str) -> Dataset:
    """Return what a peer sent.

    Raises:
        PeerFailure: it is no data set.
    """
    try:
        return read_dataset(BytesIO(data), transfer_syntax == _IMPLICIT_VR_LE, is_little_endian=True)
    except (error, EOFError, ValueError, KeyError, OSError, NotImplementedError, RecursionError) as fault:
        raise PeerFailure("the peer sends a data set that cannot be read", transient=True) from fault


def text_of(ds: Dataset, keyword: str) -> str:
    """Return an element's value as text, empty where it is absent or cannot be read."""
    try:
        return str(ds.get(keyword) or "").strip(" \0")
    except (BytesLengthException, ValueError, TypeError, LookupError, NotImplementedError):
        return ""
