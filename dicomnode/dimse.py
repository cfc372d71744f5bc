"""The statuses that we answer with, the SOP classes and transfer syntaxes that we accept, and pynetdicom's settings."""

from pynetdicom import _config as pynetdicom_settings
from pynetdicom.presentation import PresentationContext, build_context

from dicomnode.errors import (
    ClassNotSupported,
    ConflictingContent,
    DataSetMismatch,
    LedgerUnavailable,
    NotAuthorised,
    NotUnderstood,
    Refusal,
    SpoolFull,
)
from dicomnode.peers import Right
from dicomnode.routing import CT_IMAGE_STORAGE, RT_STRUCTURE_SET_STORAGE

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # PS3.4 Table B.2-1
DATA_SET_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
CLASS_NOT_SUPPORTED = 0x0122  # PS3.7 C.5.6
NOT_AUTHORISED = 0x0124  # PS3.7 C.5.20
LONGEST_COMMENT = 64  # PS3.7 C.4, Error Comment is of VR LO

STATUS_OF: dict[type[Refusal], int] = {
    SpoolFull: OUT_OF_RESOURCES,
    LedgerUnavailable: OUT_OF_RESOURCES,
    DataSetMismatch: DATA_SET_MISMATCH,
    NotUnderstood: CANNOT_UNDERSTAND,
    ConflictingContent: CANNOT_UNDERSTAND,
    ClassNotSupported: CLASS_NOT_SUPPORTED,
    NotAuthorised: NOT_AUTHORISED,
}

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"  # push model
IMPLICIT_VR_LE = "1.2.840.10008.1.2"
EXPLICIT_VR_LE = "1.2.840.10008.1.2.1"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"
UNCOMPRESSED = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
LOSSLESS = (
    "1.2.840.10008.1.2.4.57",  # JPEG lossless, process 14
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, process 14, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000, lossless only
    RLE_LOSSLESS,
)
"""Compressed syntaxes that cannot lose a bit. Not .91, .51 and their like, nor deflated, nor big endian."""

ACCEPTED: dict[str, tuple[str, ...]] = {
    VERIFICATION: UNCOMPRESSED,
    STORAGE_COMMITMENT: UNCOMPRESSED,
    CT_IMAGE_STORAGE: UNCOMPRESSED + LOSSLESS,
    RT_STRUCTURE_SET_STORAGE: UNCOMPRESSED,
}
"""SOP class -> the transfer syntaxes that this node takes it in."""

RIGHT_TO_SEND: dict[str, Right] = {CT_IMAGE_STORAGE: "send_ct", RT_STRUCTURE_SET_STORAGE: "send_approvals"}
"""SOP class -> the right that its sender needs."""

# A-ASSOCIATE-RJ: result, source, reason (PS3.8 Table 9-21)
UNKNOWN_APPLICATION_CONTEXT = (1, 1, 2)
UNKNOWN_CALLED_AE = (1, 1, 7)
UNKNOWN_CALLING_AE = (1, 1, 3)


def accepted_contexts() -> list[PresentationContext]:
    """Return the presentation contexts that the receiver supports; both roles only where a peer may report to us."""
    contexts = [build_context(sop_class, list(syntaxes)) for sop_class, syntaxes in ACCEPTED.items()]
    for context in contexts:
        if context.abstract_syntax == STORAGE_COMMITMENT:
            context.scu_role = context.scp_role = True
    return contexts


def error_comment(text: str) -> str:
    """Return the text as an Error Comment may hold it: ASCII, no backslash, 64 characters at most."""
    plain = text.encode("ascii", "replace").decode("ascii").replace("\\", "/").replace("\n", " ")
    return plain if len(plain) <= LONGEST_COMMENT else plain[: LONGEST_COMMENT - 3] + "..."


_QUERY_WORDS = {
    0xA700: "the peer is out of resources",
    0xA701: "the peer is out of resources and cannot count what matches",
    0xA702: "the peer is out of resources and cannot send",
    0xA801: "the peer does not know this node as a destination",
    0xA900: "the peer does not understand the identifier",
    0xB000: "not all instances could be sent",
    0xFE00: "cancelled",
    CLASS_NOT_SUPPORTED: "the peer does not do this",
    NOT_AUTHORISED: "this node may not do this there",
}
"""Status of a C-FIND, C-MOVE or C-GET -> what it means (PS3.4 C.4.1.1.4, C.4.2.1.5 and C.4.3.1.4)."""


def query_status_in_words(status: int | None) -> str:
    """Return what the final status of a query or a retrieval means."""
    if status is None:
        return "the peer answers without a status"
    return f"{_QUERY_WORDS.get(status, 'the peer cannot process it')} ({status:04X})"


def set_pynetdicom_up() -> None:
    """Set what pynetdicom keeps as settings of the whole process; each for its reason."""
    # Malformed UIDs are answered by the library with an abort before they reach us.
    pynetdicom_settings.ENFORCE_UID_CONFORMANCE = True
    # Its own event log prints UIDs, and identifiers of queries with names in them.
    pynetdicom_settings.LOG_HANDLER_LEVEL = "none"
    pynetdicom_settings.LOG_REQUEST_IDENTIFIERS = False
    pynetdicom_settings.LOG_RESPONSE_IDENTIFIERS = False
    # What is not negotiated is not stored.
    pynetdicom_settings.UNRESTRICTED_STORAGE_SERVICE = False
    # Its temporary files stay behind when a peer vanishes; the data set is held in memory up to our limit instead.
    pynetdicom_settings.STORE_RECV_CHUNKED_DATASET = False
    # A file is sent as it lies on the disk, neither decoded nor encoded again.
    pynetdicom_settings.STORE_SEND_CHUNKED_DATASET = True
