"""What is asked for in an A-ASSOCIATE-RQ and what the A-ASSOCIATE-AC grants, PS3.8 9.3.2 and 9.3.3 (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import error, pack, unpack_from

from dicomnode.association_items import (
    ABSTRACT_SYNTAX,
    APPLICATION_CONTEXT,
    APPLICATION_CONTEXT_NAME,
    FIXED,
    GRANTED_CONTEXT,
    IMPLEMENTATION_CLASS,
    IMPLEMENTATION_VERSION,
    MAXIMUM_LENGTH,
    PROPOSED_CONTEXT,
    ROLE_SELECTION,
    TRANSFER_SYNTAX,
    USER_INFORMATION,
    USUAL_LENGTH,
    item,
    items,
)
from dicomnode.errors import PeerFailure

ASSOCIATE_RQ, ASSOCIATE_AC = 0x01, 0x02
LONGEST_PDU_TAKEN = 131072  # bytes, that we announce
MOST_CONTEXTS = 128  # their ids are the odd numbers of a byte


@dataclass(frozen=True)
class Offer:
    """One presentation context that is asked for.

    Args:
        sop_class: abstract syntax.
        syntaxes: transfer syntaxes, the dearest first.
        as_scp: whether we provide the service on this association, as a C-GET needs for what it gets (PS3.7 D.3.3.4).
    """

    sop_class: str
    syntaxes: tuple[str, ...]
    as_scp: bool = False


@dataclass(frozen=True)
class Granted:
    """One presentation context that the peer accepted."""

    context_id: int
    sop_class: str
    transfer_syntax: str


@dataclass(frozen=True)
class Agreement:
    """What an association may carry.

    Args:
        contexts: that the peer accepted, in the order of the offers.
        longest_pdu: that the peer takes, in bytes; 0: no limit.
        provided: SOP classes of which the peer takes us as the SCP.
    """

    contexts: tuple[Granted, ...]
    longest_pdu: int
    provided: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Names:
    """Who asks whom, and with which implementation."""

    calling: str
    called: str
    implementation_class_uid: str
    implementation_version: str


def request(names: Names, offers: Sequence[Offer]) -> bytes:
    """Return the A-ASSOCIATE-RQ; the offers get the context ids 1, 3, 5 and so on.

    Raises:
        PeerFailure: there are more offers than an association can carry.
    """
    if len(offers) > MOST_CONTEXTS:
        raise PeerFailure(f"more than {MOST_CONTEXTS} presentation contexts would be needed", transient=False)
    contexts = b"".join(_proposal(2 * place + 1, offer) for place, offer in enumerate(offers))
    roles = b"".join(_role(sop_class) for sop_class in dict.fromkeys(o.sop_class for o in offers if o.as_scp))
    user = b"".join(
        (
            item(MAXIMUM_LENGTH, pack(">I", LONGEST_PDU_TAKEN)),
            item(IMPLEMENTATION_CLASS, names.implementation_class_uid.encode()),
            roles,
            item(IMPLEMENTATION_VERSION, names.implementation_version.encode()),
        )
    )
    titles = names.called.encode().ljust(16) + names.calling.encode().ljust(16)
    body = pack(">HH", 1, 0) + titles + bytes(32) + item(APPLICATION_CONTEXT, APPLICATION_CONTEXT_NAME.encode())
    body += contexts + item(USER_INFORMATION, user)
    return pack(">BxI", ASSOCIATE_RQ, len(body)) + body


def agreement(offers: Sequence[Offer], body: bytes) -> Agreement:
    """Return what an A-ASSOCIATE-AC grants of the offers; what was not offered is not granted.

    Args:
        offers: as they were asked for.
        body: of the PDU, behind its type and length.

    Raises:
        PeerFailure: the PDU is broken.
    """
    granted: dict[int, str] = {}
    provided: set[str] = set()
    longest = USUAL_LENGTH
    try:
        for kind, content in items(body, FIXED):
            if kind == GRANTED_CONTEXT and len(content) > 4 and content[2] == 0:
                syntaxes = (_uid(value) for sub, value in items(content, 4) if sub == TRANSFER_SYNTAX)
                granted[content[0]] = next(syntaxes, "")
            elif kind == USER_INFORMATION:
                for sub, value in items(content):
                    if sub == MAXIMUM_LENGTH:
                        longest = unpack_from(">I", value)[0]
                    elif sub == ROLE_SELECTION and value[-1:] == b"\x01":
                        provided.add(_uid(value[2:-2]))
    except error:
        raise PeerFailure("the peer's A-ASSOCIATE-AC is broken", transient=True) from None
    contexts = tuple(
        Granted(2 * place + 1, offer.sop_class, granted[2 * place + 1])
        for place, offer in enumerate(offers)
        if granted.get(2 * place + 1) in offer.syntaxes
    )
    return Agreement(contexts, longest, frozenset(provided))


def _proposal(context_id: int, offer: Offer) -> bytes:
    syntaxes = b"".join(item(TRANSFER_SYNTAX, syntax.encode()) for syntax in offer.syntaxes)
    return item(
        PROPOSED_CONTEXT, pack(">Bxxx", context_id) + item(ABSTRACT_SYNTAX, offer.sop_class.encode()) + syntaxes
    )


def _role(sop_class: str) -> bytes:
    """Return the role selection: we propose to be SCP, and not SCU."""
    return item(ROLE_SELECTION, pack(">H", len(sop_class)) + sop_class.encode() + b"\x00\x01")


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")
