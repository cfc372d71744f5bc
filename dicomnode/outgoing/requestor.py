"""An association that this node asks for: opened, used message by message, released or aborted, without a thread."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from dicomnode.errors import ConfigurationError, PeerFailure
from dicomnode.instance_file import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomnode.outgoing import negotiation
from dicomnode.outgoing.command_set import RESPONSE, Command, number_in
from dicomnode.outgoing.message_parts import P_DATA, Assembly, Message, cut
from dicomnode.outgoing.negotiation import Agreement, Granted, Names, Offer
from dicomnode.outgoing.wire import Wire
from dicomnode.peers import Peer

_ASSOCIATE_AC, _ASSOCIATE_RJ, _RELEASE_RQ, _RELEASE_RP, _ABORT = 0x02, 0x03, 0x05, 0x06, 0x07
_LONGEST_NEGOTIATION = 65536  # bytes
_REJECTED_FOR_NOW = 2  # result of an A-ASSOCIATE-RJ, PS3.8 9.3.4
_ABORT_S = 0.2  # for an abort to go out; nobody waits for what follows
_SMALL_DATA = 1 << 20  # bytes; identifiers, never pixels


TlsSettings = Callable[[], ssl.SSLContext]
"""Returns the TLS settings of the next association. Asked each time, so that they can change."""


@dataclass(frozen=True)
class Timeouts:
    """How long a peer may take, in seconds, and what it needs to be called at all.

    Args:
        connection_s: to accept the TCP connection.
        acse_s: to accept the association, and to release it.
        dimse_s: to take one instance and answer.
        network_s: between two bytes.
        tls: settings for peers that are called over TLS; without them these cannot be called.
    """

    connection_s: float = 10.0
    acse_s: float = 10.0
    dimse_s: float = 60.0
    network_s: float = 30.0
    tls: TlsSettings | None = None


class Association:
    """An open association.

    Args:
        wire: that it runs on.
        agreed: what it may carry.
        timeouts: how long the peer may take.
        longest_data: of a message that comes, in bytes.
    """

    def __init__(self, wire: Wire, agreed: Agreement, timeouts: Timeouts, longest_data: int) -> None:
        self._wire = wire
        self._timeouts = timeouts
        self._assembly = Assembly(longest_data)
        self._ready: list[Message] = []
        self._longest_pdu = agreed.longest_pdu
        self._numbers = count(1)
        self._provided = agreed.provided
        self.contexts = agreed.contexts

    @property
    def address(self) -> str:
        """IP address of the peer."""
        return self._wire.address

    def may_provide(self, sop_class: str) -> bool:
        """Whether the peer agreed that we are the SCP of this class."""
        return sop_class in self._provided

    def context(self, sop_class: str, transfer_syntax: str = "") -> Granted | None:
        """Return an accepted presentation context of this class, and of this syntax if it is named."""
        return next(
            (c for c in self.contexts if c.sop_class == sop_class and transfer_syntax in {"", c.transfer_syntax}), None
        )

    def context_of(self, message: Message) -> Granted:
        """Return the presentation context that a message came in.

        Raises:
            PeerFailure: there is none of this id.
        """
        found = next((c for c in self.contexts if c.context_id == message.context_id), None)
        if found is None:
            raise PeerFailure("the peer uses a presentation context that it did not accept", transient=True)
        return found

    def ask(self, context: Granted, command: Command, data: bytes | memoryview = b"") -> Message:
        """Send a request and return its response; both together have the time for one operation.

        Raises:
            PeerFailure: no response to it comes in time.
        """
        until = self.operation_ends()
        number = next(self._numbers) & 0xFFFF
        self.send(context, {**command, "MessageID": number}, data, until)
        answer = self.receive(until)
        require_answer(answer, number, number_in(command, "CommandField") or 0)
        return answer

    def request(self, context: Granted, command: Command, data: bytes | memoryview = b"") -> int:
        """Send a request that has more than one response; return its message id.

        Raises:
            PeerFailure: the peer does not take it in time.
        """
        number = next(self._numbers) & 0xFFFF
        self.send(context, {**command, "MessageID": number}, data)
        return number

    def send(
        self, context: Granted, command: Command, data: bytes | memoryview = b"", until: float | None = None
    ) -> None:
        """Send a message as it is.

        Args:
            context: that it belongs to.
            command: its command set, without the type of the data set.
            data: its data set as encoded, empty where it has none.
            until: of `time.monotonic`; None: the time for one operation from now.

        Raises:
            PeerFailure: the peer does not take it in time.
        """
        last = self.operation_ends() if until is None else until
        self._wire.send(cut(context.context_id, command, data, self._longest_pdu), last)

    def operation_ends(self) -> float:
        """Return until when an operation that begins now may last, by `time.monotonic`."""
        return time.monotonic() + self._timeouts.dimse_s

    def receive(self, until: float) -> Message:
        """Return the next message.

        Raises:
            PeerFailure: none comes in time, or the peer ends the association.
        """
        while not self._ready:
            kind, body = self._wire.receive(negotiation.LONGEST_PDU_TAKEN, until)
            if kind == _ABORT:
                raise PeerFailure("the peer aborted the association", transient=True)
            if kind == _RELEASE_RQ:
                raise PeerFailure("the peer ended the association too early", transient=True)
            if kind != P_DATA:
                raise PeerFailure("the peer does not keep to the protocol", transient=True)
            self._ready += self._assembly.add(body)
        message = self._ready.pop(0)
        self.context_of(message)
        return message

    def is_message_there(self, wait_s: float) -> bool:
        """Whether something from the peer comes within the time."""
        return bool(self._ready) or self._wire.has_input(wait_s)

    def release(self) -> None:
        """End the association in good order, if the peer lets us; all work on it is done."""
        until = time.monotonic() + self._timeouts.acse_s
        try:
            self._wire.send(bytes((_RELEASE_RQ, 0, 0, 0, 0, 4, 0, 0, 0, 0)), until)
            while self._wire.receive(negotiation.LONGEST_PDU_TAKEN, until)[0] not in {_RELEASE_RP, _ABORT}:
                pass
        except PeerFailure:
            return

    def abort(self) -> None:
        """Tell the peer that it is over."""
        try:
            self._wire.send(bytes((_ABORT, 0, 0, 0, 0, 4, 0, 0, 0, 0)), time.monotonic() + _ABORT_S)
        except PeerFailure:
            return


def require_answer(answer: Message, number: int, field: int) -> None:
    """Check that a message is the response to a request.

    Raises:
        PeerFailure: it is not.
    """
    command = answer.command
    if number_in(command, "CommandField") != field | RESPONSE or command.get("MessageIDBeingRespondedTo") != number:
        raise PeerFailure("the peer answers what was not asked", transient=True)


@contextmanager
def association(
    peer: Peer,
    ae_title: str,
    offers: Sequence[Offer],
    timeouts: Timeouts,
    *,
    longest_data: int = _SMALL_DATA,
) -> Iterator[Association]:
    """Open an association; release it at the end, or abort it where something failed.

    Args:
        peer: whom we call.
        ae_title: how we call ourselves.
        offers: presentation contexts.
        timeouts: how long the peer may take.
        longest_data: of a data set that the peer may send, in bytes.

    Raises:
        PeerFailure: there is no association, and whether there may be one later.
    """
    try:
        wire = Wire.connect(peer.host, peer.port, within_s=timeouts.connection_s, silence_s=timeouts.network_s)
    except PeerFailure as failure:
        where = f"{peer.ae_title} at {peer.host}:{peer.port}"
        raise PeerFailure(f"no association with {where}: {failure}", transient=failure.transient) from failure
    try:
        if peer.tls:
            _secure(wire, peer, timeouts)
        agreed = _negotiate(wire, peer, ae_title, offers, timeouts)
        opened, end = Association(wire, agreed, timeouts, longest_data), Association.abort
        try:
            if not agreed.contexts:
                raise PeerFailure(f"{peer.ae_title} takes nothing of what was offered", transient=False)
            yield opened
            end = Association.release
        finally:
            end(opened)
    finally:
        wire.close()


def _secure(wire: Wire, peer: Peer, timeouts: Timeouts) -> None:
    """Make sure of who answers before a word is said."""
    if timeouts.tls is None:
        raise PeerFailure(f"{peer.ae_title} is called over TLS, and this node has no certificate", transient=True)
    try:
        settings = timeouts.tls()
    except ConfigurationError as error:
        raise PeerFailure(str(error), transient=True) from error
    shown = wire.secure(settings, peer.host, time.monotonic() + timeouts.acse_s)
    if fault := peer.certificate_fault(shown):
        raise PeerFailure(f"who answers for {peer.ae_title} is not it: {fault}", transient=True)


def _negotiate(wire: Wire, peer: Peer, ae_title: str, offers: Sequence[Offer], timeouts: Timeouts) -> Agreement:
    until = time.monotonic() + timeouts.acse_s
    names = Names(ae_title, peer.ae_title, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)
    wire.send(negotiation.request(names, offers), until)
    kind, body = wire.receive(_LONGEST_NEGOTIATION, until)
    if kind == _ASSOCIATE_AC:
        return negotiation.agreement(offers, body)
    if kind == _ASSOCIATE_RJ and len(body) >= 4:
        result, source, diagnostic = body[1:4]
        for_now = result == _REJECTED_FOR_NOW
        said = f"{'for now' if for_now else 'for good'} ({result}/{source}/{diagnostic})"
        raise PeerFailure(f"{peer.ae_title} rejects the association {said}", transient=for_now)
    if kind == _ABORT:
        raise PeerFailure(f"{peer.ae_title} aborts instead of accepting the association", transient=True)
    raise PeerFailure(f"{peer.ae_title} does not keep to the protocol", transient=True)
