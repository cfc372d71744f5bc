"""DICOM on the wire, packed by hand so that every byte may be wrong (PS3.8 9.3, PS3.7 6.3 and 9.3)."""

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dicomnode.dimse import EXPLICIT_VR_LE, VERIFICATION
from dicomnode.routing import CT_IMAGE_STORAGE

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 1, 2, 3, 4, 5, 6, 7
C_STORE_RQ, C_ECHO_RQ = 0x0001, 0x0030
ECHO_CONTEXT, CT_CONTEXT = 1, 3
CONTEXTS = ((ECHO_CONTEXT, VERIFICATION, (EXPLICIT_VR_LE,)), (CT_CONTEXT, CT_IMAGE_STORAGE, (EXPLICIT_VR_LE,)))
RELEASE = struct.pack(">BBII", RELEASE_RQ, 0, 4, 0)

Context = tuple[int, str, Sequence[str]]


class Cut(ConnectionError):
    """The other side has closed or aborted."""


def pdu(kind: int, body: bytes) -> bytes:
    """Return a PDU with the length that it has."""
    return struct.pack(">BBI", kind, 0, len(body)) + body


def item(kind: int, value: bytes) -> bytes:
    """Return an item or a sub-item of an association request."""
    return struct.pack(">BBH", kind, 0, len(value)) + value


def context_item(context: Context) -> bytes:
    """Return a proposed presentation context."""
    number, abstract, syntaxes = context
    inner = item(0x30, abstract.encode()) + b"".join(item(0x40, syntax.encode()) for syntax in syntaxes)
    return item(0x20, bytes([number, 0, 0, 0]) + inner)


def associate_rq(
    calling: str = "TPS", called: str = "DICOMNODE", contexts: Sequence[Context] = CONTEXTS, *, more: bytes = b""
) -> bytes:
    """Return an A-ASSOCIATE-RQ; `more` stands at its end."""
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4")
    body = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
    body += item(0x10, APPLICATION_CONTEXT) + b"".join(map(context_item, contexts)) + item(0x50, user)
    return pdu(ASSOCIATE_RQ, body + more)


def element(number: int, value: bytes) -> bytes:
    """Return an element of a command set, Implicit VR Little Endian."""
    return struct.pack("<HHI", 0, number, len(value)) + value


def uid(text: str) -> bytes:
    """Return a UID padded to an even length."""
    return text.encode() + b"\0" * (len(text) % 2)


def command(field: int, sop_class: str, *others: bytes, with_data: bool = False, message: int = 1) -> bytes:
    """Return a command set."""
    body = (
        element(0x0002, uid(sop_class))
        + element(0x0100, struct.pack("<H", field))
        + element(0x0110, struct.pack("<H", message))
        + b"".join(others)
        + element(0x0800, struct.pack("<H", 0x0001 if with_data else 0x0101))
    )
    return element(0x0000, struct.pack("<I", len(body))) + body


def echo_command(message: int = 1) -> bytes:
    """Return the command set of a C-ECHO-RQ."""
    return command(C_ECHO_RQ, VERIFICATION, message=message)


def store_command(sop_instance_uid: str, sop_class: str = CT_IMAGE_STORAGE, message: int = 1) -> bytes:
    """Return the command set of a C-STORE-RQ."""
    store = command(C_STORE_RQ, sop_class, element(0x0700, b"\0\0"), with_data=True, message=message)
    body = store[12:-10] + store[-10:] + element(0x1000, uid(sop_instance_uid))
    return element(0x0000, struct.pack("<I", len(body))) + body


def data_value(context: int, fragment: bytes, *, is_command: bool, is_last: bool = True) -> bytes:
    """Return one presentation data value."""
    return struct.pack(">IBB", len(fragment) + 2, context, is_command | is_last << 1) + fragment


def p_data(context: int, fragment: bytes, *, is_command: bool, is_last: bool = True) -> bytes:
    """Return a P-DATA-TF of one presentation data value."""
    return pdu(P_DATA, data_value(context, fragment, is_command=is_command, is_last=is_last))


def message(context: int, command_set: bytes, data: bytes = b"", size: int = 16000) -> bytes:
    """Return the P-DATA-TFs of a whole message."""
    parts = [data[begin : begin + size] for begin in range(0, len(data), size)]
    return p_data(context, command_set, is_command=True) + b"".join(
        p_data(context, part, is_command=False, is_last=number == len(parts)) for number, part in enumerate(parts, 1)
    )


@dataclass
class Wire:
    """A TCP connection to a receiver."""

    socket: socket.socket

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def read(self) -> tuple[int, bytes]:
        """Return type and body of the next PDU.

        Raises:
            Cut: there is none any more.
            TimeoutError: nothing comes.
        """
        kind, _, length = struct.unpack(">BBI", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            try:
                part = self.socket.recv(size - len(found))
            except ConnectionError as error:
                raise Cut("reset") from error
            if not part:
                raise Cut("closed")
            found += part
        return found

    def ask(self, calling: str = "TPS", **options: object) -> tuple[int, bytes]:
        """Ask for an association; return the answer's type and body."""
        self.send(associate_rq(calling, **options))  # type: ignore[arg-type]
        return self.read()

    def status(self) -> int:
        """Return the status of the next response.

        Raises:
            Cut: the association is aborted or the connection closed instead.
        """
        kind, body = self.read()
        if kind != P_DATA:
            raise Cut(f"PDU {kind} instead of a response")
        return statuses_of(body)[0]

    def echo(self) -> int:
        """Ask for a C-ECHO; return its status."""
        self.send(message(ECHO_CONTEXT, echo_command()))
        return self.status()

    def store(self, sop_instance_uid: str, data: bytes, sop_class: str = CT_IMAGE_STORAGE) -> int:
        """Store bytes under a UID; return the status."""
        self.send(message(CT_CONTEXT, store_command(sop_instance_uid, sop_class), data))
        return self.status()

    def release(self) -> None:
        """End the association in order."""
        self.send(RELEASE)
        self.read()

    def is_cut_within(self, seconds: float) -> bool:
        """Whether the other side ends the connection in time; what else it says is read and forgotten."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def is_cut_while_dripping(self, what: bytes, seconds: float) -> bool:
        """Whether the other side ends the connection in time while it gets two bytes a second."""
        deadline = time.monotonic() + seconds
        for byte in what:
            try:
                self.send(bytes([byte]))
            except ConnectionError:
                return True
            if self.is_cut_within(0.5):
                return True
            if time.monotonic() > deadline:
                break
        return False


def statuses_of(body: bytes) -> list[int]:
    """Return the status of each command set in the body of a P-DATA-TF."""
    found = []
    while body:
        (length,) = struct.unpack(">I", body[:4])
        value, body = body[6 : 4 + length], body[4 + length :]
        while value:
            _, number, size = struct.unpack("<HHI", value[:8])
            if number == 0x0900:
                found.append(int.from_bytes(value[8:10], "little"))
            value = value[8 + size :]
    return found


@contextmanager
def wire(address: tuple[str, int], source: str, *, timeout_s: float = 20.0) -> Iterator[Wire]:
    """Connect from an address of this machine."""
    with socket.create_connection(address, timeout_s, (source, 0)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Wire(connection)
