"""The socket of one association: exact reads, a bell that ends a wait, and an end from outside.

A deadline is a time in `cut_at`: when it has passed, the server's reaper shuts the socket down, and whatever call waits
on it returns. So no read and no write needs a timeout of its own, and one byte a second helps nobody.
"""

import contextlib
import os
import select
import socket
import ssl
import struct
import threading

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from dicomnode.tls.binding import Certificate, read_certificate
from dicomnode.transport.faults import ProtocolFault

_AHEAD = 4096  # bytes read at once where a header is wanted: a command set and the header of what follows it


def shut_down(connection: socket.socket) -> None:
    """End a connection so that every call which waits on it returns; another thread may be in one."""
    # Not the TLS socket's own: it forgets its keys first, and a late write would go out in the clear.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def reset_when_closed(connection: socket.socket) -> None:
    """Let closing a connection be the end of it: what its peer does not read would stay in the kernel for minutes."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def receive_into(connection: socket.socket, view: memoryview) -> None:
    """Receive exactly as many bytes as the view has.

    Raises:
        ConnectionError: the connection ends before.
        OSError: it is broken.
    """
    # Blocking with MSG_WAITALL: one system call for a fragment, and the interpreter's lock is taken back once.
    flags = 0 if isinstance(connection, ssl.SSLSocket) else socket.MSG_WAITALL
    while view:
        count = _receive(connection, view, flags)
        view = view[count:]


def _receive(connection: socket.socket, view: memoryview, flags: int) -> int:
    """Receive what is there or comes next, up to the length of the view; return how much it was."""
    # The kernel falls back to delayed acknowledgements by itself. A sender that keeps Nagle's algorithm, as dcmtk does
    # by default, would then wait 40 ms for each instance.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    count = connection.recv_into(view, 0, flags)
    if count == 0:
        raise ConnectionResetError("the connection ended")
    return count


def _certificate_of(connection: socket.socket) -> Certificate | None:
    """Return the peer's certificate, or None where it does not come over TLS."""
    if not isinstance(connection, ssl.SSLSocket):
        return None
    try:
        return read_certificate(connection.getpeercert(binary_form=True) or b"", connection.getpeercert())
    except ValueError as error:
        raise ProtocolFault("its certificate cannot be read") from error


class BoundedSocket(AssociationSocket):
    """A connection that the reaper can end, and a bell by which other threads wake its reader.

    Args:
        association: that it belongs to.
        connection: accepted; over TLS, with the handshake done.

    Raises:
        ProtocolFault: the peer's certificate cannot be read.
    """

    def __init__(self, association: Association, connection: socket.socket) -> None:
        super().__init__(association, client_socket=connection)
        self._connection = connection
        self.certificate = _certificate_of(connection)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._bell_lock = threading.Lock()
        # poll and not select: a descriptor above 1023 is no fault.
        self._deaf = select.poll()
        self._deaf.register(self._bell, select.POLLIN)
        self._all_ears = select.poll()
        self._all_ears.register(self._bell, select.POLLIN)
        self._all_ears.register(connection, select.POLLIN)
        self.cut_at: float | None = None
        self.is_rung = False
        self._buffer = memoryview(bytearray(_AHEAD))
        self._ahead = self._buffer[:0]

    def ring(self) -> None:
        """Let `wait` return; from any thread."""
        with self._bell_lock:
            if self._bell >= 0:
                self.is_rung = True
                os.eventfd_write(self._bell, 1)

    def wait(self, longest_s: float | None, *, reading: bool) -> bool:
        """Wait for the peer or the bell; return whether there is something to read.

        Args:
            longest_s: seconds; None for as long as it takes.
            reading: whether the peer may be heard; if not, it is left waiting.
        """
        if reading and (self._ahead or (isinstance(self._connection, ssl.SSLSocket) and self._connection.pending())):
            return True
        poll = self._all_ears if reading else self._deaf
        events = poll.poll(None if longest_s is None else max(longest_s, 0.0) * 1000)
        heard = {descriptor for descriptor, _ in events}
        if self._bell in heard:
            self.is_rung = False
            os.eventfd_read(self._bell)
        return bool(heard - {self._bell})

    def receive_into(self, view: memoryview) -> None:
        """Receive exactly as many bytes as the view has.

        Raises:
            OSError: the connection ends before, or is broken.
        """
        while view:
            if not self._ahead:
                if len(view) >= _AHEAD:
                    receive_into(self._connection, view)
                    return
                self._ahead = self._buffer[: _receive(self._connection, self._buffer, 0)]
            count = min(len(view), len(self._ahead))
            view[:count] = self._ahead[:count]
            view, self._ahead = view[count:], self._ahead[count:]

    def send(self, bytestream: bytes) -> None:
        """Send everything; a broken connection is an event of the state machine and no exception."""
        try:
            self._connection.sendall(bytestream)
        except OSError:
            self.event_queue.put("Evt17")

    def cut(self) -> None:
        """End the connection at once; from any thread."""
        shut_down(self._connection)
        self.ring()

    def linger(self, longest_s: float) -> None:
        """Let the peer read our last PDU and close first: closing on unread bytes would take it back."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._connection, socket.SHUT_WR)
            if self._all_ears.poll(longest_s * 1000) and not isinstance(self._connection, ssl.SSLSocket):
                self._connection.recv(65536, socket.MSG_DONTWAIT)

    def dispose(self) -> None:
        """Close everything; called once, when the last thread that waits on it is over."""
        self.cut()
        self._connection.close()
        with self._bell_lock:
            os.close(self._bell)
            self._bell = -1

    def _shutdown_socket(self) -> None:
        """Shut the connection down; it is closed by `dispose`, and not under the feet of another thread."""
        shut_down(self._connection)
