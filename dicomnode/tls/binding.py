"""What a certificate is bound by, and when it ends (pure)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*")
_VERSION, _UTC_TIME = 0xA0, 0x17  # DER tags, RFC 5280 4.1
_VALIDITY = 3  # serial number, signature, issuer, validity: RFC 5280 4.1, the version left out


@dataclass(frozen=True)
class Certificate:
    """What identifies a certificate.

    Args:
        fingerprint: SHA-256 of its DER encoding, 64 hexadecimal digits.
        names: the host names and IP addresses among its subjectAltName; its subject's common name counts for nothing.
        ends: after which it is invalid, in UTC.
    """

    fingerprint: str
    names: tuple[str, ...]
    ends: datetime

    def is_bound_by(self, binding: str) -> bool:
        """Whether a binding names this certificate: by its fingerprint, or by one of its names; no wildcard matches."""
        wanted = _canonical(binding)
        return wanted == self.fingerprint or wanted in map(_canonical, self.names)

    def __str__(self) -> str:
        return f"{', '.join(self.names) or 'no name'}, SHA-256 {self.fingerprint}"


def read_certificate(der: bytes, decoded: Mapping[str, Any] | None = None) -> Certificate:
    """Return what identifies a certificate.

    Args:
        der: as TLS carries it.
        decoded: what `ssl.SSLSocket.getpeercert` says of it, for its names.

    Raises:
        ValueError: it is none.
    """
    names = tuple(
        str(name) for kind, name in (decoded or {}).get("subjectAltName", ()) if kind in {"DNS", "IP Address"}
    )
    return Certificate(sha256(der).hexdigest(), names, _ends(der))


def binding_fault(binding: str) -> str:
    """Return why a text can bind no certificate, or an empty text."""
    text = _canonical(binding)
    if _FINGERPRINT.fullmatch(text) or _is_address(text) or _HOST_NAME.fullmatch(text):
        return ""
    return f"{binding!r} is neither a SHA-256 fingerprint nor a host name or IP address"


def _canonical(text: str) -> str:
    """Return a binding or a name in the one form in which they are compared."""
    lower = text.strip().lower()
    if _is_address(lower):
        return str(ip_address(lower))
    digits = lower.replace(":", "")  # as `openssl x509 -fingerprint` writes them
    return digits if _FINGERPRINT.fullmatch(digits) else lower.removesuffix(".")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _ends(der: bytes) -> datetime:
    """Return when a certificate ends: notAfter of RFC 5280 4.1.2.5."""
    try:
        ((_, whole),) = _elements(der)
        _, signed = next(_elements(whole))
        fields = [content for tag, content in _elements(signed) if tag != _VERSION]
        _, (tag, text) = _elements(fields[_VALIDITY])
        form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC)
    except (IndexError, StopIteration) as error:
        raise ValueError("this is no certificate") from error


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each DER element (X.690 8.1)."""
    position = 0
    while position < len(der):
        tag, length = der[position], der[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(der[position : position + count], "big")
            position += count
        if position + length > len(der):
            raise ValueError("this is no certificate")
        yield tag, der[position : position + length]
        position += length
