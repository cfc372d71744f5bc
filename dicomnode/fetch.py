"""C-GET and C-MOVE of a series: a peer that answers queries sends it, on this association or to our storage SCP."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dicomnode.dimse import ACCEPTED, RIGHT_TO_SEND, SUCCESS, UNCOMPRESSED, query_status_in_words
from dicomnode.errors import PeerFailure
from dicomnode.instance_file import InstanceFile
from dicomnode.outgoing import data_set
from dicomnode.outgoing.command_set import C_GET, C_MOVE, C_STORE, RESPONSE, Command, number_in, text_in
from dicomnode.outgoing.message_parts import Message
from dicomnode.outgoing.negotiation import Granted, Offer
from dicomnode.outgoing.requestor import Association, Timeouts, association, require_answer
from dicomnode.peers import Peer
from dicomnode.query import CANCELLED, PENDING, cancel, is_query_transient

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_STORAGE = {sop_class: ACCEPTED[sop_class] for sop_class in RIGHT_TO_SEND}
_MEDIUM = 0
_TURN_S = 0.5  # between two looks at whether it was cancelled

Store = Callable[[InstanceFile], int]
"""Takes an instance that a C-GET brings; returns the status to answer with."""


@dataclass(frozen=True)
class Retrieval:
    """How a series is fetched.

    Args:
        ae_title: how we call ourselves; a C-MOVE sends to whom the peer knows by this title.
        timeouts: how long the peer may take; `dimse_s` between two messages.
        longest_s: for the whole of it, in seconds.
        longest_data: of an instance that a C-GET brings, in bytes.
        store: takes what a C-GET brings.
        by_move: ask for a C-MOVE although the peer would do a C-GET.
        is_cancelled: asked now and then; once it says so the peer is told to stop.
    """

    ae_title: str
    timeouts: Timeouts
    longest_s: float
    longest_data: int
    store: Store
    by_move: bool = False
    is_cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class FetchOutcome:
    """What came of fetching a series.

    Args:
        by: C-GET or C-MOVE, empty if it did not come to that.
        status: the peer's final one, None if it gave none.
        comment: what happened, in words.
        transient: whether the same may succeed later.
        completed: instances that were sent and taken, by the peer's count.
        failed: instances that were not.
        remaining: instances that were left when it ended.
    """

    by: str
    status: int | None
    comment: str
    transient: bool
    completed: int = 0
    failed: int = 0
    remaining: int = 0

    @property
    def ok(self) -> bool:
        """Whether the peer has sent a series, and all of it was taken."""
        return self.status == SUCCESS and self.completed > 0 and self.failed == 0


def fetch_series(peer: Peer, study_uid: str, series_uid: str, how: Retrieval) -> FetchOutcome:
    """Have a peer send us a series: by C-GET where it does that, else by C-MOVE to our own storage SCP.

    Args:
        peer: who has it.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        how: limits, names, and what takes the instances.
    """
    progress = _Progress(how)
    try:
        with association(peer, how.ae_title, _offers(how), how.timeouts, longest_data=how.longest_data) as opened:
            keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
            return _retrieve(opened, peer, keys, progress)
    except PeerFailure as failure:
        return replace(progress.outcome, status=None, comment=str(failure), transient=failure.transient)


@dataclass
class _Progress:
    """How far it has come, and until when it may go on."""

    how: Retrieval
    outcome: FetchOutcome = field(default_factory=lambda: FetchOutcome("", None, "", transient=True))
    is_cancel_sent: bool = False

    def __post_init__(self) -> None:
        self.until = time.monotonic() + self.how.longest_s

    def note(self, command: Command) -> None:
        """Take over the peer's counts."""
        before = self.outcome
        completed = number_in(command, "NumberOfCompletedSuboperations")
        with_remark = number_in(command, "NumberOfWarningSuboperations") or 0
        failed = number_in(command, "NumberOfFailedSuboperations")
        remaining = number_in(command, "NumberOfRemainingSuboperations")
        self.outcome = replace(
            before,
            completed=before.completed if completed is None else completed + with_remark,
            failed=before.failed if failed is None else failed,
            remaining=before.remaining if remaining is None else remaining,
        )


def _offers(how: Retrieval) -> list[Offer]:
    move = [Offer(STUDY_ROOT_MOVE, UNCOMPRESSED)]
    if how.by_move:
        return move
    storage = [Offer(c, (syntax,), as_scp=True) for c, syntaxes in _STORAGE.items() for syntax in syntaxes]
    return [Offer(STUDY_ROOT_GET, UNCOMPRESSED), *move, *storage]


def _retrieve(opened: Association, peer: Peer, keys: dict[str, str], progress: _Progress) -> FetchOutcome:
    get, move = opened.context(STUDY_ROOT_GET), opened.context(STUDY_ROOT_MOVE)
    can_get = get is not None and any(opened.may_provide(sop_class) for sop_class in _STORAGE)
    context = get if can_get else move
    if context is None:
        raise PeerFailure(f"{peer.ae_title} offers neither C-GET nor C-MOVE", transient=False)
    field_ = C_GET if can_get else C_MOVE
    request: Command = {"CommandField": field_, "AffectedSOPClassUID": context.sop_class, "Priority": _MEDIUM}
    if not can_get:
        request["MoveDestination"] = progress.how.ae_title
    progress.outcome = replace(progress.outcome, by="C-GET" if can_get else "C-MOVE")
    identifier = data_set.encode(data_set.identifier_of("SERIES", keys), context.transfer_syntax)
    number = opened.request(context, request, identifier)
    return _follow(opened, peer, context, number, progress)


def _follow(opened: Association, peer: Peer, context: Granted, number: int, progress: _Progress) -> FetchOutcome:
    """Take what comes until the peer says that it is done."""
    while True:
        message = _next(opened, context, number, progress)
        if number_in(message.command, "CommandField") == C_STORE:
            _take(opened, peer, message, progress)
            continue
        require_answer(message, number, C_GET if context.sop_class == STUDY_ROOT_GET else C_MOVE)
        progress.note(message.command)
        status = number_in(message.command, "Status")
        if status not in PENDING:
            return _final(progress.outcome, status, message.command)


def _next(opened: Association, context: Granted, number: int, progress: _Progress) -> Message:
    """Wait for a message; tell the peer to stop if that was asked for meanwhile."""
    until = min(time.monotonic() + progress.how.timeouts.dimse_s, progress.until)
    while True:
        if progress.how.is_cancelled() and not progress.is_cancel_sent:
            cancel(opened, context, number)
            progress.is_cancel_sent = True
        if opened.is_message_there(min(_TURN_S, until - time.monotonic())):
            break
        if time.monotonic() >= until:
            raise PeerFailure("the peer gave no answer in time", transient=True)
    return opened.receive(until)


def _take(opened: Association, peer: Peer, message: Message, progress: _Progress) -> None:
    """Give an instance to whoever takes it, and answer with the status."""
    context = opened.context_of(message)
    command = message.command
    file = InstanceFile(
        sop_class_uid=text_in(command, "AffectedSOPClassUID"),
        sop_instance_uid=text_in(command, "AffectedSOPInstanceUID"),
        transfer_syntax_uid=context.transfer_syntax,
        calling_ae_title=peer.ae_title,
        called_ae_title=progress.how.ae_title,
        peer_address=opened.address,
        data=message.data,
    )
    answer: Command = {
        "CommandField": C_STORE | RESPONSE,
        "AffectedSOPClassUID": file.sop_class_uid,
        "AffectedSOPInstanceUID": file.sop_instance_uid,
        "MessageIDBeingRespondedTo": number_in(command, "MessageID") or 0,
        "Status": progress.how.store(file),
    }
    opened.send(context, answer)


def _final(outcome: FetchOutcome, status: int | None, command: Command) -> FetchOutcome:
    comment = text_in(command, "ErrorComment")
    if status == SUCCESS and not outcome.completed:
        comment = "the peer has nothing of this study and series"
    elif status != SUCCESS:
        comment = ": ".join(each for each in (query_status_in_words(status), comment) if each)
    remaining = outcome.remaining if status == CANCELLED else 0
    transient = status != SUCCESS and is_query_transient(status)
    return replace(outcome, status=status, comment=comment, transient=transient, remaining=remaining)
