"""A TCP connection to a peer that carries whole PDUs, on which every wait has an end."""

import contextlib
import socket
import ssl
import time
from struct import unpack
from typing import Self

from dicomnode.errors import PeerFailure
from dicomnode.tls.binding import Certificate, read_certificate
from dicomnode.tls.contexts import reason_of

_LAST_WORDS_S = 0.2  # what a peer said before it closed is here already
_HEAD = 6  # bytes: type, reserved, length (PS3.8 9.3.1)
_KINDS = range(0x01, 0x08)
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  # Linux


class Wire:
    """An open connection.

    Args:
        connection: as it is connected.
        silence_s: how long the peer may let us wait for a byte, or for room to send one.
    """

    def __init__(self, connection: socket.socket, silence_s: float) -> None:
        self._socket = connection
        self._silence_s = silence_s
        self._peeked = b""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def connect(cls, host: str, port: int, *, within_s: float, silence_s: float) -> Self:
        """Connect to the first address of the host that answers.

        Raises:
            PeerFailure: none does in time.
        """
        until = time.monotonic() + within_s
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise PeerFailure(f"it cannot be found: {_why(error)}", transient=True) from error
        failure: OSError = TimeoutError("no answer in time")
        for family, kind, protocol, _, address in addresses:
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(max(until - time.monotonic(), 0.001))
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return cls(connection, silence_s)
        raise PeerFailure(f"it cannot be reached: {_why(failure)}", transient=True) from failure

    @property
    def address(self) -> str:
        """IP address of the peer."""
        return str(self._socket.getpeername()[0])

    def secure(self, context: ssl.SSLContext, host: str, until: float) -> Certificate:
        """Speak TLS from here on; return the certificate of the other side, which the authority vouches for.

        Args:
            context: the TLS settings.
            host: that is asked for.
            until: of `time.monotonic`.

        Raises:
            PeerFailure: there is no handshake in time, or it fails.
        """
        try:
            self._limit(until)
            self._socket = secured = context.wrap_socket(self._socket, server_hostname=host)
            return read_certificate(secured.getpeercert(binary_form=True) or b"", secured.getpeercert())
        except TimeoutError:
            raise PeerFailure("the peer does not finish the TLS handshake", transient=True) from None
        except (OSError, ValueError) as error:
            raise PeerFailure(f"no TLS handshake: {_why(error)}", transient=True) from error

    def send(self, data: bytes, until: float) -> None:
        """Send all of it.

        Args:
            data: whole PDUs.
            until: of `time.monotonic`.

        Raises:
            PeerFailure: the peer does not take it in time, or is gone.
        """
        rest = memoryview(data)
        try:
            while rest:
                self._limit(until)
                rest = rest[self._socket.send(rest) :]
        except TimeoutError:
            raise PeerFailure("the peer stopped reading", transient=True) from None
        except OSError as error:
            raise PeerFailure(
                f"the connection broke while sending: {self._last_words(error)}", transient=True
            ) from error

    def receive(self, longest: int, until: float) -> tuple[int, bytes]:
        """Return type and body of the next PDU.

        Args:
            longest: body in bytes; a longer one is refused before it is read.
            until: of `time.monotonic`.

        Raises:
            PeerFailure: none comes in time, it is too long or of no known type, or the peer is gone.
        """
        kind, length = unpack(">BxI", self._exactly(_HEAD, until))
        if kind not in _KINDS:
            raise PeerFailure("the peer does not speak DICOM", transient=True)
        if length > longest:
            raise PeerFailure("the peer sends a longer PDU than is allowed", transient=True)
        return kind, self._exactly(length, until)

    def has_input(self, wait_s: float) -> bool:
        """Whether a byte comes within the time; a peer that closed counts, as the next read will say so."""
        self._socket.settimeout(max(wait_s, 0.001))
        try:
            self._peeked = self._peeked or self._socket.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Close the connection; over TLS say so first, and wait for nobody."""
        if isinstance(self._socket, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                self._socket.settimeout(0)
                self._socket.unwrap()
        self._socket.close()

    def _exactly(self, length: int, until: float) -> bytes:
        data, filled = bytearray(length), 0
        if self._peeked and length:
            data[:1], filled, self._peeked = self._peeked, 1, b""
        view = memoryview(data)
        try:
            while filled < length:
                self._limit(until)
                count = self._socket.recv_into(view[filled:])
                if not count:
                    raise PeerFailure("the peer closed the connection", transient=True)
                filled += count
        except TimeoutError:
            raise PeerFailure("the peer gave no answer in time", transient=True) from None
        except OSError as error:
            raise PeerFailure(f"the connection broke: {_why(error)}", transient=True) from error
        return bytes(data)

    def _last_words(self, error: OSError) -> str:
        """Return why the connection broke: with TLS 1.3 a peer that does not trust us says so after our handshake."""
        if isinstance(self._socket, ssl.SSLSocket):
            try:
                self._socket.settimeout(_LAST_WORDS_S)
                self._socket.recv(1)
            except OSError as alert:
                return _why(alert if isinstance(alert, ssl.SSLError) else error)
        return _why(error)

    def _limit(self, until: float) -> None:
        """Bound the next call, and acknowledge at once: a peer with Nagle's algorithm on would wait 40 ms for that."""
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(min(left_s, self._silence_s))
        if _QUICK_ACK is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return reason_of(error)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
