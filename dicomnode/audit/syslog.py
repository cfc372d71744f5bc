"""The audit on its way to a repository: RFC 5424 messages over TLS (RFC 5425), TCP or UDP; what is not sent waits."""

import contextlib
import os
import select
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import fromstring

import structlog

from dicomnode.audit.chain import Record
from dicomnode.audit.trail import Trail
from dicomnode.errors import LedgerUnavailable
from segmentation.durable import write_whole

log = structlog.get_logger(__name__)

NOTICE, WARNING, FACILITY = 5, 4, 10  # RFC 5424 6.2.1; PS3.15 A.6 names facility 10
MESSAGE_ID = "DICOM+RFC3881"  # PS3.15 A.6
LOOK_S = 2.0  # records of the operator's commands are written by other processes
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0


@dataclass(frozen=True)
class Repository:
    """Where audit messages go.

    Args:
        transport: udp, tcp, or tls.
        host: name or address.
        port: of the repository.
        ca_file: who vouches for its certificate; the machine's own authorities if there is none.
        certificate_file: of this node, with its chain; none where the repository asks for none.
        key_file: of that certificate.
        timeout_s: to connect and to send.
    """

    transport: Literal["udp", "tcp", "tls"]
    host: str
    port: int
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    timeout_s: float = 10.0

    def connect(self) -> socket.socket:
        """Return an open connection.

        Raises:
            OSError: it cannot be made, or the certificate is none that we trust.
        """
        if self.transport == "udp":
            family, kind, _, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
            datagrams = socket.socket(family, kind)
            datagrams.connect(address)
            return datagrams
        plain = socket.create_connection((self.host, self.port), self.timeout_s)
        if self.transport == "tcp":
            return plain
        try:
            return self._context().wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate_file:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context

    def framed(self, message: bytes) -> bytes:
        """Return a message as it goes over the wire: with its length in front where there are no datagrams."""
        return message if self.transport == "udp" else b"%d %s" % (len(message), message)  # RFC 5425 4.3


def syslog_message(record: Record, host_name: str, process_id: int) -> bytes:
    """Return a record as RFC 5424 has it: header, no structured data, and the XML behind a byte order mark."""
    event = fromstring(record.text).find("EventIdentification")  # noqa: S314 (our own file)
    attributes = event.attrib if event is not None else {}
    severity = NOTICE if attributes.get("EventOutcomeIndicator") == "0" else WARNING
    priority = FACILITY * 8 + severity
    when = datetime.fromisoformat(attributes["EventDateTime"]).isoformat(timespec="milliseconds")
    header = f"<{priority}>1 {when} {host_name} dicomnode {process_id} {MESSAGE_ID} -"
    return f"{header} \ufeff{record.text}".encode()


class Forwarder:
    """Sends every record of a trail to a repository, in order, and remembers how far it is.

    A record counts as sent when the connection has taken it: syslog has no answer. A repository that closed the
    connection is noticed before the next record is sent.

    Args:
        trail: whose records are sent.
        repository: where to.
        cursor: file that holds the number of the last record that was sent.
        on_outage: is told once for each time that the repository is away, in words.
    """

    def __init__(self, trail: Trail, repository: Repository, cursor: Path, on_outage: Callable[[str], None]) -> None:
        self._trail = trail
        self._repository = repository
        self._cursor = cursor
        self._on_outage = on_outage
        self._connection: socket.socket | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit repository", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send no more; what waits is sent after the next start."""
        self._stop.set()
        self._thread.join(self._repository.timeout_s)

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        is_away = False
        while not self._stop.is_set():
            try:
                self._send_what_waits()
            except (OSError, LedgerUnavailable) as error:
                self._hang_up()
                if not is_away:
                    log.warning("audit messages cannot be sent", error=type(error).__name__)
                    self._tell_outage()
                is_away = True
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                is_away, pause_s = False, FIRST_PAUSE_S
                self._stop.wait(LOOK_S)
        self._hang_up()

    def _tell_outage(self) -> None:
        where = f"{self._repository.host} port {self._repository.port}"
        self._on_outage(f"the audit repository {where} cannot be reached; audit messages are kept and sent later")

    def _send_what_waits(self) -> None:
        sent = sent_until(self._cursor)
        if self._trail.count() <= sent:
            return
        for record in self._trail.records(sent):
            if self._stop.is_set():
                return
            message = syslog_message(record, socket.gethostname(), os.getpid())
            self._open_connection().sendall(self._repository.framed(message))
            write_whole(self._cursor, str(record.sequence).encode())

    def _open_connection(self) -> socket.socket:
        if self._connection is not None and self._repository.transport != "udp" and _was_closed(self._connection):
            self._hang_up()
        if self._connection is None:
            self._connection = self._repository.connect()
            self._connection.settimeout(self._repository.timeout_s)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
        self._connection = None


def sent_until(cursor: Path) -> int:
    """Return the number of the last record that was sent; 0 before the first."""
    try:
        return int(cursor.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0


def _was_closed(connection: socket.socket) -> bool:
    """Whether the other side has hung up: a repository says nothing, so what can be read is the end."""
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    patience_s = connection.gettimeout()
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False  # a session ticket of TLS 1.3
    except OSError:
        return True
    finally:
        connection.settimeout(patience_s)
