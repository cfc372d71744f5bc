"""What the meta information of anybody's DICOM file says, and where its data set begins, PS3.10 7.1 (pure)."""

from dataclasses import dataclass
from struct import error, unpack_from

from dicomnode.errors import NotUnderstood

LONGEST_META = 8192  # bytes that are looked at; meta information has some hundred
_BEGIN = 132  # behind preamble and prefix
_LONG_VRS = frozenset({b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_CLASS, _INSTANCE, _SYNTAX = 0x02, 0x03, 0x10


@dataclass(frozen=True)
class FileMeta:
    """What a file says of itself.

    Args:
        sop_class_uid: of the instance.
        sop_instance_uid: of the instance.
        transfer_syntax_uid: of the data set.
        data_at: offset of the data set in the file.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_at: int


def read_meta(begin: bytes) -> FileMeta:
    """Return the meta information; its group length, which some writers get wrong, is not believed.

    Args:
        begin: the first `LONGEST_META` bytes of the file, or all of it.

    Raises:
        NotUnderstood: this is no DICOM file, or it does not say what it holds.
    """
    if begin[_BEGIN - 4 : _BEGIN] != b"DICM":
        raise NotUnderstood("no DICOM file")
    values, position = {}, _BEGIN
    try:
        while position < len(begin) and unpack_from("<H", begin, position)[0] == 2:
            number, vr, length = unpack_from("<H2sH", begin, position + 2)
            start = position + 8
            if vr in _LONG_VRS:
                length, start = unpack_from("<I", begin, start)[0], start + 4
            position = start + length
            values[number] = begin[start:position].decode("ascii", "replace").strip(" \0")
    except error:
        raise NotUnderstood("a DICOM file that ends in its meta information") from None
    meta = FileMeta(values.get(_CLASS, ""), values.get(_INSTANCE, ""), values.get(_SYNTAX, ""), position)
    if not (meta.sop_class_uid and meta.sop_instance_uid and meta.transfer_syntax_uid):
        raise NotUnderstood("a DICOM file that does not say which instance it holds")
    return meta
