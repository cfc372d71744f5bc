"""C-ECHO and C-STORE to a peer; every failure says whether another try makes sense."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from dicomnode.dimse import SUCCESS, UNCOMPRESSED, VERIFICATION
from dicomnode.errors import NotUnderstood, PeerFailure
from dicomnode.outgoing import data_set
from dicomnode.outgoing.command_set import C_ECHO, C_STORE, Command, number_in, text_in
from dicomnode.outgoing.negotiation import Offer
from dicomnode.outgoing.requestor import Association, Timeouts, association
from dicomnode.part_ten import LONGEST_META, read_meta
from dicomnode.peers import Peer

_MEDIUM = 0  # priority, PS3.7 9.3.1.1


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


def echo(peer: Peer, ae_title: str, timeouts: Timeouts) -> EchoOutcome:
    """Ask a peer whether it is there, calling ourselves `ae_title`."""
    try:
        with association(peer, ae_title, [Offer(VERIFICATION, UNCOMPRESSED)], timeouts) as opened:
            request: Command = {"CommandField": C_ECHO, "AffectedSOPClassUID": VERIFICATION}
            status = number_in(opened.ask(opened.contexts[0], request).command, "Status")
    except PeerFailure as failure:
        return EchoOutcome(ok=False, detail=str(failure))
    if status is None:
        return EchoOutcome(ok=False, detail="answers without a status")
    return EchoOutcome(ok=status == SUCCESS, detail="answers" if status == SUCCESS else f"answers with {status:04X}")


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
        with association(peer, ae_title, _offers_for(paths), timeouts) as opened:
            for path in paths:
                this = _judge(_store(opened, path), sent)
                if not this.ok:
                    return this
                sent += 1
                outcome = this if this.status != SUCCESS else outcome
    except PeerFailure as failure:
        return SendOutcome(None, str(failure), failure.transient, sent)
    return SendOutcome(outcome.status, outcome.comment, transient=False, sent=sent)


def _offers_for(paths: Sequence[Path]) -> list[Offer]:
    """Return what is offered for these files: each class in the file's own syntax, then in what it can become."""
    offers: dict[Offer, None] = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                meta = read_meta(file.read(LONGEST_META))
        except (OSError, NotUnderstood) as error:
            raise PeerFailure(f"{path.name} is no DICOM file that can be sent", transient=False) from error
        own = meta.transfer_syntax_uid
        for syntax in (own, *UNCOMPRESSED) if own in UNCOMPRESSED else (own,):
            offers[Offer(meta.sop_class_uid, (syntax,))] = None
    return list(offers)


def _store(opened: Association, path: Path) -> Command:
    """Send one file, as it lies on the disk where the peer takes it so; return the answer."""
    try:
        content = path.read_bytes()
        meta = read_meta(content[:LONGEST_META])
    except (OSError, NotUnderstood) as error:
        raise PeerFailure(f"{path.name} is no DICOM file that can be sent", transient=False) from error
    own = opened.context(meta.sop_class_uid, meta.transfer_syntax_uid)
    other = opened.context(meta.sop_class_uid) if meta.transfer_syntax_uid in UNCOMPRESSED else None
    context = own or other
    if context is None:
        raise PeerFailure("the peer does not take this SOP class in this transfer syntax", transient=False)
    data = memoryview(content)[meta.data_at :] if own else _encoded_anew(content, context.transfer_syntax)
    request: Command = {
        "CommandField": C_STORE,
        "AffectedSOPClassUID": meta.sop_class_uid,
        "AffectedSOPInstanceUID": meta.sop_instance_uid,
        "Priority": _MEDIUM,
    }
    return opened.ask(context, request, data).command


def _encoded_anew(content: bytes, transfer_syntax: str) -> bytes:
    """Return the data set of a file in another uncompressed syntax."""
    try:
        return data_set.encode(dcmread(BytesIO(content)), transfer_syntax)
    except (InvalidDicomError, ValueError, NotImplementedError, EOFError, OSError) as error:
        raise PeerFailure("the file cannot be encoded in the syntax that the peer takes", transient=False) from error


def _judge(answer: Command, sent: int) -> SendOutcome:
    status = number_in(answer, "Status")
    if status is None:
        return SendOutcome(None, "the peer answers without a status", transient=True, sent=sent)
    return SendOutcome(status, text_in(answer, "ErrorComment"), is_transient(status), sent)
