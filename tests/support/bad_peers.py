"""Storage SCPs that no sender should meet, as real servers on a loopback port: each does one thing wrong for ever."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle

from dicomnode.outgoing import command_set
from dicomnode.outgoing.command_set import RESPONSE
from dicomnode.outgoing.message_parts import Assembly, Message, cut
from dicomnode.peers import Peer

DRIP_S = 0.1
ABORT = b"\x07\0\0\0\0\x04\0\0\0\0"
REJECT_FOR_NOW = b"\x03\0\0\0\0\x04\0\x02\x03\x02"  # local limit exceeded
RELEASE_RP = b"\x06\0\0\0\0\x04\0\0\0\0"
EXPLICIT_LE, DEFLATED = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99"


class Caller:
    """The connection of one sender.

    Args:
        connection: as accepted.
        over: is set when the test is.
    """

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self.connection = connection
        self.over = over

    def read_pdu(self) -> bytes:
        """Return the next PDU whole."""
        header = self.connection.recv(6, socket.MSG_WAITALL)
        return header + self.connection.recv(struct.unpack(">I", header[2:])[0], socket.MSG_WAITALL)

    def read_message(self) -> Message:
        """Return the next DIMSE message."""
        assembly, done = Assembly(64 << 20), []
        while not done:
            done = assembly.add(self.read_pdu()[6:])
        return done[0]

    def accept(self) -> None:
        """Accept what is asked for."""
        self.say(accept_all(self.read_pdu()))

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self.connection.sendall(data)

    def drip(self, data: bytes) -> None:
        """Send them one by one, and the last for ever."""
        for byte in data:
            self.say(bytes([byte]))
            self.over.wait(DRIP_S)
        while not self.over.wait(DRIP_S):
            self.say(data[-1:])

    def reset(self) -> None:
        """Close so that the other side gets a RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def accept_all(request: bytes, *, syntax: bytes = b"", shift: int = 0) -> bytes:
    """Return an A-ASSOCIATE-AC that accepts every context in its first syntax, or in another, or under another id."""
    contexts, position = b"", 74
    while position < len(request):
        kind, length = struct.unpack(">BxH", request[position : position + 4])
        body = request[position + 4 : position + 4 + length]
        if kind == 0x20:
            rest = body[4:]
            while rest[0] != 0x40:
                rest = rest[4 + struct.unpack(">H", rest[2:4])[0] :]
            first = rest[4 : 4 + struct.unpack(">H", rest[2:4])[0]]
            granted = item(0x40, syntax or first)
            contexts += item(0x21, bytes([(body[0] + shift) % 256, 0, 0, 0]) + granted)
        position += 4 + length
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    rest = request[6:74] + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user
    return b"\x02\0" + struct.pack(">I", len(rest)) + rest


def item(kind: int, content: bytes) -> bytes:
    """Return one item of a negotiation."""
    return struct.pack(">BxH", kind, len(content)) + content


def response(to: Message, *, status: int = 0x0000, shift: int = 0, context_shift: int = 0) -> bytes:
    """Return the response to a C-STORE, or to another message, or in another context."""
    command: command_set.Command = {
        "CommandField": int(to.command["CommandField"]) | RESPONSE,
        "MessageIDBeingRespondedTo": int(to.command["MessageID"]) + shift,
        "Status": status,
    }
    return cut(to.context_id + context_shift, command, b"", 16384)


def silent(_caller: Caller) -> None:
    """Says nothing."""


def half_accept(caller: Caller) -> None:
    """Half an A-ASSOCIATE-AC."""
    caller.say(accept_all(caller.read_pdu())[:40])


def drips_accept(caller: Caller) -> None:
    """An A-ASSOCIATE-AC byte by byte."""
    caller.drip(accept_all(caller.read_pdu()))


def broken_accept(caller: Caller) -> None:
    """An A-ASSOCIATE-AC whose items are longer than what holds them."""
    whole = bytearray(accept_all(caller.read_pdu()))
    whole[76:78] = b"\xff\xff"
    caller.say(bytes(whole))


def garbage(caller: Caller) -> None:
    """Another protocol."""
    caller.read_pdu()
    caller.say(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)


def declares_too_much(caller: Caller) -> None:
    """An A-ASSOCIATE-AC of two gigabytes."""
    caller.read_pdu()
    caller.say(b"\x02\0\x7f\xff\xff\xff" + bytes(100))


def rejects(caller: Caller) -> None:
    """Local limit exceeded."""
    caller.read_pdu()
    caller.say(REJECT_FOR_NOW)


def aborts(caller: Caller) -> None:
    """An abort instead of an acceptance."""
    caller.read_pdu()
    caller.say(ABORT)


def resets(caller: Caller) -> None:
    """A reset as soon as the association is there."""
    caller.accept()
    caller.reset()


def closes(caller: Caller) -> None:
    """The end of the connection as soon as the association is there."""
    caller.accept()
    caller.connection.shutdown(socket.SHUT_RDWR)


def stops_reading(caller: Caller) -> None:
    """No room in the window, and nobody who makes some."""
    caller.accept()


def aborts_in_the_middle(caller: Caller) -> None:
    """An abort while the data set is on its way."""
    caller.accept()
    caller.read_pdu()
    caller.say(ABORT)


def resets_in_the_middle(caller: Caller) -> None:
    """A reset while the data set is on its way."""
    caller.accept()
    caller.read_pdu()
    caller.reset()


def never_answers(caller: Caller) -> None:
    """Everything is read and nothing said."""
    caller.accept()
    caller.read_message()


def half_answer(caller: Caller) -> None:
    """Half a response."""
    caller.accept()
    caller.say(response(caller.read_message())[:20])


def drips_answer(caller: Caller) -> None:
    """A response byte by byte."""
    caller.accept()
    caller.drip(response(caller.read_message()))


def answers_another_message(caller: Caller) -> None:
    """The response to a request that nobody made."""
    caller.accept()
    caller.say(response(caller.read_message(), shift=7))


def answers_in_another_context(caller: Caller) -> None:
    """The response in a presentation context that does not exist."""
    caller.accept()
    caller.say(response(caller.read_message(), context_shift=100))


def endless_command(caller: Caller) -> None:
    """A command set without an end."""
    caller.accept()
    caller.read_message()
    piece = bytes(16000)
    for _ in cycle([None]):
        caller.say(struct.pack(">BxIIBB", 4, len(piece) + 6, len(piece) + 2, 1, 1) + piece)


def never_releases(caller: Caller) -> None:
    """A good response, and no end of the association."""
    caller.accept()
    caller.say(response(caller.read_message()))


def drips_the_release(caller: Caller) -> None:
    """A good response, and an end of the association byte by byte."""
    never_releases(caller)
    caller.read_pdu()
    caller.drip(RELEASE_RP[:9])


def accepts_what_was_not_offered(caller: Caller) -> None:
    """An A-ASSOCIATE-AC with contexts in a syntax that nobody offered."""
    caller.say(accept_all(caller.read_pdu(), syntax=DEFLATED))


_ALL: dict[str, Callable[[Caller], None]] = {
    function.__name__.replace("_", " "): function
    for function in (
        *(silent, half_accept, drips_accept, broken_accept, garbage, declares_too_much, rejects, aborts, resets),
        *(closes, stops_reading, aborts_in_the_middle, resets_in_the_middle, never_answers, half_answer),
        *(drips_answer, answers_another_message, answers_in_another_context, endless_command),
        *(never_releases, drips_the_release, accepts_what_was_not_offered),
    )
}
BEHAVIOURS = tuple(_ALL)[:-3]
"""Those that never take an instance, by their names."""


@contextmanager
def bad_peer(behaviour: str) -> Iterator[Peer]:
    """Run a peer that does with each connection as told, and keeps it open until the end."""
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    open_ones: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            open_ones.append(connection)
            threads.append(threading.Thread(target=_misbehave, args=(behaviour, Caller(connection, over))))
            threads[-1].start()

    accepting = threading.Thread(target=serve)
    accepting.start()
    try:
        yield Peer("TPS", "127.0.0.1", server.getsockname()[1])
    finally:
        over.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        accepting.join()
        for connection in open_ones:
            _end(connection)
        for thread in threads:
            thread.join()


def _misbehave(behaviour: str, caller: Caller) -> None:
    try:
        _ALL[behaviour](caller)
    except (OSError, struct.error):
        return  # the sender has gone
    caller.over.wait()


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
    finally:
        connection.close()
