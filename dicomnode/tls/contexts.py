"""The TLS settings of PS3.15 B.12, for who listens and for who calls; both sides must show a certificate.

B.12 is BCP 195, RFC 9325: TLS 1.3, or 1.2 with the four suites of its section 4.2, which have forward secrecy and
authenticated encryption; neither compression (3.3), renegotiation (3.5) nor tickets for sessions that go on without a
look at the certificate (3.4). TLS 1.0 and 1.1 are gone with RFC 8996.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from dicomnode.errors import ConfigurationError

SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
"""Of TLS 1.2. Those of 1.3 are all sound, and are OpenSSL's own."""

_OPTIONS = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE


@dataclass(frozen=True)
class Files:
    """PEM files.

    Args:
        certificate: of this node, with the chain below the authority where there is one.
        key: of it, not encrypted.
        ca: the authorities that vouch for peers; no others do.
    """

    certificate: Path
    key: Path
    ca: Path

    @property
    def all(self) -> dict[str, Path]:
        """The files by their keys of the configuration."""
        return {"certificate_file": self.certificate, "key_file": self.key, "ca_file": self.ca}


def listening_context(files: Files) -> ssl.SSLContext:
    """Return the settings for associations that come in.

    Raises:
        ConfigurationError: a file cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    context.num_tickets = 0
    return context


def calling_context(files: Files) -> ssl.SSLContext:
    """Return the settings for associations that go out; whose certificate it must be is the caller's to look at.

    Raises:
        ConfigurationError: a file cannot be used.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, files)


def reason_of(error: OSError) -> str:
    """Return why TLS failed, in OpenSSL's words; they hold no value that a peer sent."""
    said = getattr(error, "verify_message", "") or getattr(error, "reason", "") or ""
    return str(said).replace("_", " ").lower() or "the connection ended"


def _context(protocol: int, files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(SUITES))
    context.options |= _OPTIONS
    context.check_hostname = False  # the certificate is bound to the AE title instead
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(files.ca)
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"tls.ca_file: {files.ca} cannot be used: {_why(error)}"]) from error
    try:
        context.load_cert_chain(files.certificate, files.key, password=_refuse_password)
    except (OSError, ValueError) as error:
        fault = f"tls: {files.certificate} and {files.key} cannot be used: {_why(error)}"
        raise ConfigurationError([fault]) from error
    return context


def _refuse_password() -> NoReturn:
    """Stand in for OpenSSL's own question, which would wait at a terminal that nobody sits at."""
    raise ValueError("the key is encrypted")


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason).replace("_", " ").lower() if error.reason else "it is no PEM file of this kind"
    return getattr(error, "strerror", None) or str(error)
