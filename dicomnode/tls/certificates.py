"""The certificates in use: loaded, loaded anew when a file changes, and watched for their end."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from dicomnode.errors import ConfigurationError
from dicomnode.tls.binding import Certificate, read_certificate
from dicomnode.tls.contexts import Files, calling_context, listening_context

log = structlog.get_logger(__name__)

SETTLED = timedelta(seconds=2)  # without another change, after which new files belong together
LOOK_EVERY = timedelta(days=1)  # for certificates that end soon
_END = "-----END CERTIFICATE-----"

RaiseAlarm = Callable[[str, str, str], None]
"""Raises an alarm of a kind, with a text, about something."""

_Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class Loaded:
    """Certificates that belong together.

    Args:
        listening: settings of associations that come in.
        calling: settings of associations that go out.
        own: the node's certificate.
        ends: when each ends, in UTC: the `own` one, or the first of its chain, and the `authority`'s, the last of them.
    """

    listening: ssl.SSLContext
    calling: ssl.SSLContext
    own: Certificate
    ends: dict[str, datetime]


def load(files: Files) -> Loaded:
    """Load certificates.

    Raises:
        ConfigurationError: a file cannot be used, in words.
    """
    listening, calling = listening_context(files), calling_context(files)
    own, authorities = _read(files.certificate), _read(files.ca)
    ends = {"own": min(one.ends for one in own), "authority": max(one.ends for one in authorities)}
    return Loaded(listening, calling, own[0], ends)


class Certificates:
    """The certificates in use. An association that is open keeps those that it began with.

    Args:
        files: where they are.

    Raises:
        ConfigurationError: a file cannot be used.
    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self._loaded = load(files)

    @property
    def own(self) -> Certificate:
        """The node's own certificate."""
        return self._loaded.own

    def listening(self) -> ssl.SSLContext:
        """Return the settings of the next association that comes in."""
        return self._loaded.listening

    def calling(self) -> ssl.SSLContext:
        """Return the settings of the next association that goes out."""
        return self._loaded.calling

    def ends(self) -> dict[str, datetime]:
        """Return when each certificate ends, in UTC, by whose it is: the node's `own`, and the `authority`'s."""
        return dict(self._loaded.ends)

    def reload(self) -> None:
        """Load them anew; where that fails, those in use stay.

        Raises:
            ConfigurationError: a file cannot be used.
        """
        self._loaded = load(self.files)


class CertificateWatch:
    """Looks at the files again and again, and tells the operator of what cannot be used and of what ends soon.

    Args:
        certificates: in use.
        raise_alarm: tells the operator.
        alarm_days: before the end of a certificate.
    """

    def __init__(self, certificates: Certificates, raise_alarm: RaiseAlarm, alarm_days: int) -> None:
        self._certificates = certificates
        self._raise_alarm = raise_alarm
        self._alarm_days = alarm_days
        self._known = self._seen = _stamp(certificates.files)
        self._changed: datetime | None = None
        self._looked: datetime | None = None
        self._is_asked = False

    def ask(self) -> None:
        """Have the next step load the files, whether they changed or not; safe in a signal handler."""
        self._is_asked = True

    def step(self, now: datetime) -> None:
        """Look once.

        Raises:
            LedgerUnavailable: an alarm could not be written; the next step tries again.
        """
        stamp = _stamp(self._certificates.files)
        if stamp != self._seen or self._changed is None or now < self._changed:
            self._seen, self._changed = stamp, now
        if self._is_asked or (stamp != self._known and now - self._changed >= SETTLED):
            self._reload()
            self._known, self._is_asked = stamp, False
        if self._looked is None or not timedelta() <= now - self._looked < LOOK_EVERY:
            self._look_at_ends(now)
            self._looked = now

    def _reload(self) -> None:
        try:
            self._certificates.reload()
        except ConfigurationError as error:
            text = f"the new TLS certificates cannot be used, the old ones stay: {error}"
            self._raise_alarm("certificate", text, "reload")
            return
        self._looked = None
        log.info("the certificates were loaded anew", fingerprint=self._certificates.own.fingerprint)

    def _look_at_ends(self, now: datetime) -> None:
        for whose, ends in self._certificates.ends().items():
            if ends - now < timedelta(days=self._alarm_days):
                self._raise_alarm("certificate", end_in_words(whose, ends, now), whose)


def end_in_words(whose: str, ends: datetime, now: datetime) -> str:
    """Return when a certificate ends, as a sentence."""
    name = {"own": "the node's certificate", "authority": "the certificate of the authority"}[whose]
    if ends <= now:
        return f"{name} ended on {ends:%Y-%m-%d}: no association over TLS is possible"
    return f"{name} ends on {ends:%Y-%m-%d}, in {(ends - now).days} days"


def _stamp(files: Files) -> _Stamp:
    """Return what changes when a file does; a link counts as what it leads to."""
    return tuple(_stamp_of(path) for path in files.all.values())


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> list[Certificate]:
    """Return the certificates of a PEM file, in their order."""
    try:
        blocks = path.read_text(encoding="ascii", errors="replace").split(_END)[:-1]
        found = [read_certificate(ssl.PEM_cert_to_DER_cert(_begun(block) + _END)) for block in blocks]
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"tls: {path} cannot be read"]) from error
    if not found:
        raise ConfigurationError([f"tls: {path} holds no certificate"])
    return found


def _begun(block: str) -> str:
    """Return a block from where its certificate begins: before it may stand what OpenSSL says of it in words."""
    return block[max(block.find("-----BEGIN CERTIFICATE-----"), 0) :]
