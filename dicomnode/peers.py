"""A peer: its AE title, where it listens, where it may come from, how it proves who it is, and what it may do."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import ClassVar, Literal

from dicomnode.tls.binding import Certificate, binding_fault
from segmentation.profiles import PROFILES

Right = Literal["send_ct", "send_approvals", "receive_results", "receive_segmentations", "answer_queries"]
ProofBy = Literal["response", "query", "commitment"]
LONGEST_AE_TITLE = 16  # PS3.5 6.2, VR AE


def ae_title_fault(ae_title: str) -> str:
    """Return what is wrong with an AE title (PS3.5 6.2, VR AE), or an empty text."""
    if not ae_title.strip():
        return "an AE title must not be empty"
    if len(ae_title) > LONGEST_AE_TITLE:
        return f"an AE title has at most {LONGEST_AE_TITLE} characters"
    if ae_title != ae_title.strip() or not ae_title.isascii() or not ae_title.isprintable() or "\\" in ae_title:
        return "an AE title is of printable ASCII characters without backslash, and without spaces around it"
    return ""


@dataclass(frozen=True)
class Peer:
    """A remote application entity that the configuration knows.

    Args:
        ae_title: at most 16 characters.
        host: name or address where it listens.
        port: where it listens.
        addresses: IP addresses or CIDR networks that its associations may come from; empty: only from `host`.
        may: what it may do; nothing but C-ECHO where it is empty.
        proof: by what a delivery to it is proven: its C-STORE response, a C-FIND, or its storage commitment.
        profile: in which structure sets are written for it.
        tls: whether it is called over TLS, and may call over nothing else.
        certificates: SHA-256 fingerprints, host names or IP addresses, one of which its certificate must have; empty:
            its `host`. Where they are named it may call over TLS only, even if it is called over plain TCP.

    Raises:
        ValueError: a value that no peer can have, in words.
    """

    # The configuration builds peers through pydantic, which reads this: an unknown key is a fault.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    ae_title: str
    host: str
    port: int
    addresses: tuple[str, ...] = ()
    may: tuple[Right, ...] = ()
    proof: ProofBy = "response"
    profile: str = "clinical"
    tls: bool = False
    certificates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if fault := ae_title_fault(self.ae_title):
            raise ValueError(fault)
        if not self.host.strip():
            raise ValueError("host must not be empty")
        if not 1 <= self.port <= 65535:
            raise ValueError("port must be from 1 to 65535")
        if self.profile not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}")
        if self.proof == "query" and not self.allows("answer_queries"):
            raise ValueError("proof by query needs answer_queries in may")
        for address in self.addresses:
            try:
                ip_network(address, strict=False)
            except ValueError:
                raise ValueError(f"addresses: {address!r} is no IP address or network") from None
        for binding in self.certificates:
            if fault := binding_fault(binding):
                raise ValueError(f"certificates: {fault}")

    def allows(self, right: Right) -> bool:
        """Whether this peer may do so."""
        return right in self.may

    def comes_from(self, address: str) -> bool:
        """Whether an association from this IP address may be this peer's; asks the resolver where `host` is a name."""
        source = _address(address)
        allowed = self.addresses or _addresses_of(self.host)
        return any(source in ip_network(each, strict=False) for each in allowed)

    @property
    def proves_itself(self) -> bool:
        """Whether it must show a certificate when it calls."""
        return self.tls or bool(self.certificates)

    def certificate_fault(self, shown: Certificate | None) -> str:
        """Return why what came over TLS with this certificate, or without TLS, is not this peer; empty if it is."""
        if not self.proves_itself:
            return "" if shown is None else "it is no peer that calls over TLS"
        if shown is None:
            return "it may call over TLS only"
        if any(shown.is_bound_by(binding) for binding in self.certificates or (self.host,)):
            return ""
        return f"the certificate is not its own, but that of {shown}"


def find_peer(peers: Iterable[Peer], ae_title: str) -> Peer | None:
    """Return the peer of this AE title; leading and trailing spaces do not count (PS3.8 9.3.2)."""
    return next((peer for peer in peers if peer.ae_title == ae_title.strip()), None)


def _address(text: str) -> IPv4Address | IPv6Address:
    """Return the address; an IPv4 one that came through an IPv6 socket as what it is."""
    address = ip_address(text.split("%", maxsplit=1)[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _addresses_of(host: str) -> tuple[str, ...]:
    """Return the IP addresses of a host; none where the name cannot be resolved."""
    try:
        return tuple({str(entry[4][0]).split("%")[0] for entry in socket.getaddrinfo(host, None)})
    except (OSError, UnicodeError):  # the latter for what is no name at all
        return ()
