"""What is asked for in an A-ASSOCIATE-RQ and what the A-ASSOCIATE-AC grants, PS3.8 9.3.2 and 9.3.3 (pure)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import error, pack, unpack_from

from dicomnode.errors import PeerFailure

ASSOCIATE_RQ, ASSOCIATE_AC = 0x01, 0x02
LONGEST_PDU_TAKEN = 131072  # bytes, that we announce
MOST_CONTEXTS = 128  # their ids are the odd numbers of a byte
_APPLICATION, _PROPOSED, _GRANTED, _CLASS, _SYNTAX, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_LONGEST, _IMPLEMENTATION, _ROLES, _VERSION_NAME = 0x51, 0x52, 0x54, 0x55
_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_FIXED = 68  # bytes before the items: version, AE titles, reserved


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
            _item(_LONGEST, pack(">I", LONGEST_PDU_TAKEN)),
            _item(_IMPLEMENTATION, names.implementation_class_uid.encode()),
            roles,
            _item(_VERSION_NAME, names.implementation_version.encode()),
        )
    )
    titles = names.called.encode().ljust(16) + names.calling.encode().ljust(16)
    body = pack(">HH", 1, 0) + titles + bytes(32) + _item(_APPLICATION, _APPLICATION_CONTEXT)
    body += contexts + _item(_USER, user)
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
    longest = 0
    try:
        for kind, item in _items(body, _FIXED):
            if kind == _GRANTED and len(item) > 4 and item[2] == 0:
                granted[item[0]] = next((_uid(value) for sub, value in _items(item, 4) if sub == _SYNTAX), "")
            elif kind == _USER:
                for sub, value in _items(item, 0):
                    if sub == _LONGEST:
                        longest = unpack_from(">I", value)[0]
                    elif sub == _ROLES and value[-1:] == b"\x01":
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
    syntaxes = b"".join(_item(_SYNTAX, syntax.encode()) for syntax in offer.syntaxes)
    return _item(_PROPOSED, pack(">Bxxx", context_id) + _item(_CLASS, offer.sop_class.encode()) + syntaxes)


def _role(sop_class: str) -> bytes:
    """Return the role selection: we propose to be SCP, and not SCU."""
    return _item(_ROLES, pack(">H", len(sop_class)) + sop_class.encode() + b"\x00\x01")


def _item(kind: int, content: bytes) -> bytes:
    return pack(">BxH", kind, len(content)) + content


def _items(data: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    while position < len(data):
        kind, length = unpack_from(">BxH", data, position)
        end = position + 4 + length
        if end > len(data):
            raise error("an item is longer than what holds it")
        yield kind, data[position + 4 : end]
        position = end


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")
