"""C-ECHO and C-STORE to a peer; every wait has an end, and every failure says whether another try makes sense."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dsutils import split_dataset
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.transport import AddressInformation, AssociationSocket

from dicomnode.dimse import SUCCESS, UNCOMPRESSED, VERIFICATION, set_pynetdicom_up
from dicomnode.errors import DeliveryError
from dicomnode.instance_file import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomnode.peers import Peer

_GRACE_S = 1.0  # after the library's own timeout, before its socket is closed under it
_REJECTED_FOR_NOW = 2  # result of an A-ASSOCIATE-RJ, PS3.8 9.3.4


@dataclass(frozen=True)
class Timeouts:
    """How long a peer may take, in seconds.

    Args:
        connection_s: to accept the TCP connection.
        acse_s: to accept the association, and to release it.
        dimse_s: to take one instance and answer.
        network_s: between two bytes.
    """

    connection_s: float = 10.0
    acse_s: float = 10.0
    dimse_s: float = 60.0
    network_s: float = 30.0


@dataclass(frozen=True)
class EchoOutcome:
    """What came of a C-ECHO.

    Args:
        ok: whether the peer answered with success.
        detail: what happened, in words.
    """

    ok: bool
    detail: str


@dataclass(frozen=True)
class SendOutcome:
    """What came of sending instances.

    Args:
        status: of the C-STORE response that decides: the first failure, else a warning, else success; None if the peer
            gave no answer.
        comment: what happened, in words.
        transient: whether the same may succeed later.
        sent: how many instances the peer has taken.
    """

    status: int | None
    comment: str
    transient: bool
    sent: int

    @property
    def ok(self) -> bool:
        """Whether the peer has taken every instance, with a warning or without."""
        return self.status is not None and (self.status == SUCCESS or is_warning(self.status))


def is_warning(status: int) -> bool:
    """Whether a C-STORE status means that the instance was stored with a remark (PS3.4 B.2.3, PS3.7 C)."""
    return status >> 12 == 0xB or status in {0x0001, 0x0107, 0x0116}


def is_transient(status: int) -> bool:
    """Whether a peer that answers so may take the same instance later: out of resources, or a processing failure."""
    return status >> 8 == 0xA7 or status == 0x0110


class _Failure(DeliveryError):
    """The peer cannot be talked to; says why and whether that may pass. It never leaves this file."""

    def __init__(self, comment: str, *, transient: bool) -> None:
        super().__init__(comment)
        self.comment = comment
        self.transient = transient


def echo(peer: Peer, ae_title: str, timeouts: Timeouts) -> EchoOutcome:
    """Ask a peer whether it is there, calling ourselves `ae_title`."""
    try:
        with _association(peer, ae_title, [build_context(VERIFICATION)], timeouts) as association:
            with _deadline(association, timeouts.dimse_s):
                status = association.send_c_echo()
            code = status.get("Status")
    except _Failure as failure:
        return EchoOutcome(ok=False, detail=failure.comment)
    if code is None:
        return EchoOutcome(ok=False, detail="the peer accepted the association and did not answer")
    return EchoOutcome(ok=code == SUCCESS, detail="answers" if code == SUCCESS else f"answers with status {code:04X}")


def send(peer: Peer, paths: Sequence[Path], ae_title: str, timeouts: Timeouts) -> SendOutcome:
    """Send DICOM files over one association, in their order, up to the first that the peer does not take.

    Args:
        peer: who gets them.
        paths: DICOM files; each is offered in its own transfer syntax first.
        ae_title: how we call ourselves.
        timeouts: how long the peer may take.
    """
    sent, outcome = 0, SendOutcome(SUCCESS, "", transient=False, sent=0)
    try:
        contexts = _contexts_for(paths)
        with _association(peer, ae_title, contexts, timeouts) as association:
            for path in paths:
                with _deadline(association, timeouts.dimse_s):
                    answer = _store(association, path)
                this = _judge(answer, sent)
                if not this.ok:
                    return this
                sent += 1
                outcome = this if this.status != SUCCESS else outcome
    except _Failure as failure:
        return SendOutcome(None, failure.comment, failure.transient, sent)
    return SendOutcome(outcome.status, outcome.comment, transient=False, sent=sent)


def _contexts_for(paths: Sequence[Path]) -> list[PresentationContext]:
    """Return what is offered for these files: each class in the file's own syntax, then in what it can become."""
    offered: dict[tuple[str, str], PresentationContext] = {}
    for path in paths:
        try:
            meta, _ = split_dataset(path)
            sop_class, own = str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
        except (OSError, InvalidDicomError, AttributeError) as error:
            raise _Failure(f"{path.name} is no DICOM file that can be sent", transient=False) from error
        for syntax in (own, *UNCOMPRESSED) if own in UNCOMPRESSED else (own,):
            offered.setdefault((sop_class, syntax), build_context(sop_class, syntax))
    return list(offered.values())


def _store(association: Association, path: Path) -> Dataset:
    """Send one file; return the answer, empty if none came."""
    meta, _ = split_dataset(path)
    accepted = {(str(each.abstract_syntax), str(each.transfer_syntax[0])) for each in association.accepted_contexts}
    sop_class = str(meta.MediaStorageSOPClassUID)
    try:
        if (sop_class, str(meta.TransferSyntaxUID)) in accepted:
            return association.send_c_store(path)
        # The library encodes what it has parsed in the syntax that the peer wants.
        return association.send_c_store(dcmread(path))
    except ValueError as error:
        raise _Failure("the peer does not take this SOP class in this transfer syntax", transient=False) from error
    except RuntimeError as error:
        raise _Failure("the association ended too early", transient=True) from error


def _judge(answer: Dataset, sent: int) -> SendOutcome:
    status = answer.get("Status")
    if status is None:
        return SendOutcome(None, "the peer gave no answer in time, or closed the connection", transient=True, sent=sent)
    comment = str(answer.get("ErrorComment") or "")
    return SendOutcome(status, comment, is_transient(status), sent)


class _Entity(AE):
    """An application entity that closes its socket also where pynetdicom leaves it to the collector."""

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> AssociationSocket:
        made = super()._create_socket(assoc, address, tls_args)
        self._made = made.socket
        return made

    def close(self) -> None:
        """Close the socket that was made last."""
        if self._made:
            self._made.close()


@contextmanager
def _association(
    peer: Peer, ae_title: str, contexts: list[PresentationContext], timeouts: Timeouts
) -> Iterator[Association]:
    """Open an association and release it; nothing in it can wait for ever."""
    set_pynetdicom_up()
    ae = _Entity(ae_title=ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout = timeouts.connection_s
    ae.acse_timeout = timeouts.acse_s
    ae.dimse_timeout = timeouts.dimse_s
    ae.network_timeout = timeouts.network_s
    association = _associate(ae, peer, contexts, timeouts)
    try:
        yield association
    finally:
        with _deadline(association, timeouts.acse_s):
            if association.is_established:
                association.release()


def _associate(ae: _Entity, peer: Peer, contexts: list[PresentationContext], timeouts: Timeouts) -> Association:
    """Open an association.

    Raises:
        _Failure: the peer cannot be reached, does not want us, or wants nothing that we offer.
    """
    timers: list[threading.Timer] = []

    def opened(event: Event) -> None:
        # pynetdicom takes the timeout off the socket here; a peer that stops in mid-PDU would hold us for ever.
        _set_silence_limit(event.assoc, timeouts.network_s)
        timers.append(threading.Timer(timeouts.acse_s + _GRACE_S, _cut, (event.assoc,)))
        timers[-1].start()

    handlers: list[EventHandlerType] = [(evt.EVT_CONN_OPEN, opened), (evt.EVT_CONN_CLOSE, lambda _event: ae.close())]
    try:
        address = str(socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)[0][4][0])
        association = ae.associate(address, peer.port, contexts, ae_title=peer.ae_title, evt_handlers=handlers)
    except OSError as error:
        raise _Failure(f"{peer.host} cannot be reached: {error.strerror}", transient=True) from error
    finally:
        for timer in timers:
            timer.cancel()
    if association.is_established:
        return association
    ae.close()
    raise _refusal(association, peer)


def _refusal(association: Association, peer: Peer) -> _Failure:
    """Return why there is no association."""
    answer = association.acceptor.primitive
    if association.is_rejected and isinstance(answer, A_ASSOCIATE):
        code = f"{answer.result}/{answer.result_source}/{answer.diagnostic}"
        for_now = answer.result == _REJECTED_FOR_NOW
        said = "for now" if for_now else "for good"
        return _Failure(f"{peer.ae_title} rejects the association {said} ({code})", transient=for_now)
    if isinstance(answer, A_ASSOCIATE) and not association.accepted_contexts:
        return _Failure(f"{peer.ae_title} takes nothing of what was offered", transient=False)
    return _Failure(f"no association with {peer.ae_title} at {peer.host}:{peer.port}", transient=True)


@contextmanager
def _deadline(association: Association, longest_s: float) -> Iterator[None]:
    """Close the connection under an operation that outlasts its time, whatever the peer does byte by byte."""
    timer = threading.Timer(longest_s + _GRACE_S, _cut, (association,))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _set_silence_limit(association: Association, longest_s: float) -> None:
    if association.dul.socket and association.dul.socket.socket:
        association.dul.socket.socket.settimeout(longest_s)


def _cut(association: Association) -> None:
    """Shut the connection down; whoever waits on it wakes up."""
    if association.dul.socket and association.dul.socket.socket:
        try:
            association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was closed already
