"""A DICOM file as we write it: a preamble of zeros, our own file meta information, the data set as received (pure).

PS3.10 section 7.1. The meta information also says who sent the instance to whom, so that a file whose ledger row was
lost can have it again. The preamble is zeros whatever was received: a preamble may hold a program (CVE-2019-11687).
"""

from dataclasses import dataclass
from struct import pack, unpack_from

from dicomnode.encoded import walk
from dicomnode.errors import NotUnderstood

IMPLEMENTATION_CLASS_UID = "2.25.264387302158723157083961120483946175823"
IMPLEMENTATION_VERSION_NAME = "DICOMNODE_0_1"  # PS3.7 D.3.3.2, at most 16 characters
_HEAD = bytes(128) + b"DICM"
_LENGTH_AT = len(_HEAD) + 8  # value of (0002,0000), which comes first

# Elements of the file meta information (PS3.10 Table 7.1-1).
_VERSION, _CLASS, _INSTANCE, _SYNTAX, _OUR_CLASS, _OUR_NAME = 0x01, 0x02, 0x03, 0x10, 0x12, 0x13
_SOURCE_AE, _RECEIVING_AE, _SOURCE_ADDRESS = 0x16, 0x18, 0x26
_ADDRESS_SCHEME = "dicom://"


@dataclass(frozen=True)
class InstanceFile:
    """What one file holds.

    Args:
        sop_class_uid: of the data set.
        sop_instance_uid: of the data set.
        transfer_syntax_uid: that the data set is encoded in.
        calling_ae_title: who sent it.
        called_ae_title: as whom this node was called.
        peer_address: IP address that it came from.
        data: the data set as received, without preamble and meta information; a view holds only until the association's
            next message.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    data: bytes | memoryview


def file_head(instance: InstanceFile) -> bytes:
    """Return everything that stands before the data set in the file."""
    group = b"".join(
        (
            _element(_VERSION, b"OB", b"\x00\x01"),
            _element(_CLASS, b"UI", instance.sop_class_uid.encode()),
            _element(_INSTANCE, b"UI", instance.sop_instance_uid.encode()),
            _element(_SYNTAX, b"UI", instance.transfer_syntax_uid.encode()),
            _element(_OUR_CLASS, b"UI", IMPLEMENTATION_CLASS_UID.encode()),
            _element(_OUR_NAME, b"SH", IMPLEMENTATION_VERSION_NAME.encode()),
            _element(_SOURCE_AE, b"AE", instance.calling_ae_title.encode()),
            _element(_RECEIVING_AE, b"AE", instance.called_ae_title.encode()),
            _element(_SOURCE_ADDRESS, b"UR", (_ADDRESS_SCHEME + instance.peer_address).encode()),
        )
    )
    return _HEAD + pack("<HH2sHI", 2, 0, b"UL", 4, len(group)) + group


def parse_file(content: bytes) -> InstanceFile:
    """Return what a file holds that `file_head` began.

    Raises:
        NotUnderstood: the file is no DICOM file or not whole up to its data set.
    """
    begin = _LENGTH_AT + 4
    if len(content) < begin or content[128:132] != b"DICM" or content[132:140] != pack("<HH2sH", 2, 0, b"UL", 4):
        raise NotUnderstood("the file is no DICOM file")
    end = begin + unpack_from("<I", content, _LENGTH_AT)[0]
    group = content[begin:end]
    if end > len(content):
        raise NotUnderstood("the file ends in its meta information")
    meta = {
        each.tag & 0xFFFF: group[each.start : each.end].rstrip(b" \0").decode("ascii", "replace")
        for each in walk(group, implicit=False)
    }
    return InstanceFile(
        meta.get(_CLASS, ""),
        meta.get(_INSTANCE, ""),
        meta.get(_SYNTAX, ""),
        meta.get(_SOURCE_AE, ""),
        meta.get(_RECEIVING_AE, ""),
        meta.get(_SOURCE_ADDRESS, "").removeprefix(_ADDRESS_SCHEME),
        content[end:],
    )


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    """Return one element of group 2 in explicit VR little endian, padded to an even length (PS3.5 6.2)."""
    padded = value + (b"\0" if vr in {b"UI", b"OB"} else b" ") * (len(value) % 2)
    if vr in {b"OB", b"UR"}:
        return pack("<HH2sHI", 2, number, vr, 0, len(padded)) + padded
    return pack("<HH2sH", 2, number, vr, len(padded)) + padded
