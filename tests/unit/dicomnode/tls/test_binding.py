"""A certificate is bound by its fingerprint or by a name in it, and says when it ends."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dicomnode.tls.binding import Certificate, binding_fault, read_certificate
from tests.support.authority import Authority, openssl

FINGERPRINT = "0f" * 32


def certificate(*names: str) -> Certificate:
    return Certificate(FINGERPRINT, names, datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        (FINGERPRINT, True),
        (":".join(["0F"] * 32), True),
        ("f0" * 32, False),
        ("tps.hospital.example", True),
        ("TPS.Hospital.Example.", True),
        ("other.hospital.example", False),
        ("hospital.example", False),
        ("10.1.2.3", True),
        ("10.1.2.4", False),
        ("fd00::1", True),
        ("FD00:0:0:0:0:0:0:1", True),
        ("scanner.wild.example", False),
    ],
)
def test_a_binding_names_a_fingerprint_or_a_name(binding: str, *, expected: bool) -> None:
    """In any way of writing the same one; a wildcard is everybody's, and so nobody's."""
    shown = certificate("tps.hospital.example", "10.1.2.3", "fd00:0:0:0:0:0:0:1", "*.wild.example")

    assert shown.is_bound_by(binding) is expected


@pytest.mark.parametrize("binding", ["", "*.hospital.example", "a b", "0f" * 31 + ":", "-x.example", "x" * 254, "a..b"])
def test_what_binds_nothing_is_a_fault(binding: str) -> None:
    """It would keep the peer out for ever."""
    assert binding_fault(binding)


@pytest.mark.parametrize(
    "binding", [FINGERPRINT, FINGERPRINT.upper(), "TPS", "tps_1.hospital.example", "10.0.0.1", "::1"]
)
def test_what_binds_is_no_fault(binding: str) -> None:
    """Names of Windows machines have underscores."""
    assert binding_fault(binding) == ""


@pytest.mark.parametrize("days", [30, 365 * 40], ids=["UTCTime", "GeneralizedTime"])
def test_fingerprint_and_end_are_what_openssl_says(tmp_path: Path, days: int) -> None:
    """RFC 5280 writes times before and after 2050 in two ways."""
    issued = Authority.make(tmp_path / "ca").issue("tps", "DNS:tps", days=days)

    read = read_certificate(ssl.PEM_cert_to_DER_cert(issued.certificate.read_text()))

    said = openssl("x509", "-in", issued.certificate, "-noout", "-enddate").strip().partition("=")[2]
    assert read.fingerprint == issued.fingerprint.replace(":", "").lower()
    assert read.ends.timestamp() == ssl.cert_time_to_seconds(said)
    assert timedelta(days=days - 1) < read.ends - datetime.now(UTC) < timedelta(days=days + 1)


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x00", b"\x30\x03\x30\x01\x00", b"\x30\x82\xff\xff", b"\x30\x84"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    """By one error."""
    with pytest.raises(ValueError, match=r"."):
        read_certificate(der)
