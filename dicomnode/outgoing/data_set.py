"""Small data sets of messages, identifiers and lists of references, to bytes and back (pure)."""

from collections.abc import Mapping
from io import BytesIO
from struct import error

from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.errors import BytesLengthException
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from dicomnode.errors import PeerFailure

IMPLICIT_VR_LE = "1.2.840.10008.1.2"


def encode(ds: Dataset, transfer_syntax: str) -> bytes:
    """Return a data set in an uncompressed little endian syntax.

    Raises:
        ValueError, NotImplementedError: it cannot be encoded so.
    """
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, transfer_syntax == IMPLICIT_VR_LE
    write_dataset(buffer, ds)
    return buffer.getvalue()


def decode(data: bytes, transfer_syntax: str) -> Dataset:
    """Return what a peer sent.

    Raises:
        PeerFailure: it is no data set.
    """
    try:
        return read_dataset(BytesIO(data), transfer_syntax == IMPLICIT_VR_LE, is_little_endian=True)
    except (error, EOFError, ValueError, KeyError, OSError, NotImplementedError, RecursionError) as fault:
        raise PeerFailure("the peer sends a data set that cannot be read", transient=True) from fault


def identifier_of(level: str, keys: Mapping[str, str]) -> Dataset:
    """Return a query's or a retrieval's identifier (PS3.4 C.2.2).

    Args:
        level: Query/Retrieve Level.
        keys: keyword -> value to match, empty: any; not judged here, as the audit has pseudonyms for UIDs.
    """
    identifier = Dataset()
    for keyword, value in {"QueryRetrieveLevel": level, **keys}.items():
        identifier.add(DataElement(keyword, dictionary_VR(keyword), value or None, validation_mode=IGNORE))
    return identifier


def text_of(ds: Dataset, keyword: str) -> str:
    """Return an element's value as text, empty where it is absent or cannot be read."""
    try:
        return str(ds.get(keyword) or "").strip(" \0")
    except (BytesLengthException, ValueError, TypeError, LookupError, NotImplementedError):
        return ""
