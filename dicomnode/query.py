"""C-FIND to a peer: which series of a study it has, and whether it has an instance."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydicom import Dataset

from dicomnode.audit.message import Event, Kind, Outcome, Party, Query, Role
from dicomnode.dimse import UNCOMPRESSED, query_status_in_words
from dicomnode.errors import PeerFailure
from dicomnode.outgoing import data_set
from dicomnode.outgoing.command_set import C_CANCEL, C_FIND, Command, number_in
from dicomnode.outgoing.data_set import text_of
from dicomnode.outgoing.negotiation import Granted, Offer
from dicomnode.outgoing.requestor import Association, Timeouts, association, require_answer
from dicomnode.peers import Peer

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PENDING = frozenset({0xFF00, 0xFF01})  # PS3.4 C.4.1.1.4
CANCELLED = 0xFE00
SUCCESS = 0x0000
MOST_ANSWERS = 10_000  # then the query is cancelled: a peer that ignores a key would list its whole archive
_MEDIUM = 0


@dataclass(frozen=True)
class FoundSeries:
    """A series that a peer says it has; no patient's identity is asked for.

    Args:
        study_instance_uid: its study.
        series_instance_uid: its own.
        modality: as the peer says.
        description: as the peer says.
        instances: how many, None where the peer does not say.
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    description: str
    instances: int | None


class Inquiry:
    """Asks peers what they have, and tells the audit of it.

    Args:
        ae_title: how we call ourselves.
        timeouts: how long a peer may take, for each answer.
        tell: takes the events for the audit.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        ae_title: str,
        timeouts: Timeouts,
        tell: Callable[[Event], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ae_title = ae_title
        self._timeouts = timeouts
        self._tell = tell
        self._now = clock

    def find_series(self, peer: Peer, study_uid: str) -> list[FoundSeries]:
        """Return the series of a study that a peer has.

        Raises:
            PeerFailure: it cannot be asked, or it refuses.
        """
        keys = {
            "StudyInstanceUID": study_uid,
            "SeriesInstanceUID": "",
            "Modality": "",
            "SeriesDescription": "",
            "NumberOfSeriesRelatedInstances": "",
        }
        return [_series(answer) for answer in self.find(peer, "SERIES", keys)]

    def has_instance(self, peer: Peer, uids: tuple[str, str, str]) -> bool:
        """Whether a peer says that it has an instance.

        Args:
            peer: who is asked.
            uids: of study, series and instance.

        Raises:
            PeerFailure: it cannot be asked, or it refuses.
        """
        keys = dict(zip(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), uids, strict=True))
        # A peer that ignores a key it does not know answers with other instances.
        return any(text_of(answer, "SOPInstanceUID") == uids[2] for answer in self.find(peer, "IMAGE", keys))

    def find(self, peer: Peer, level: str, keys: Mapping[str, str]) -> list[Dataset]:
        """Return the peer's answers in the Study Root model.

        Args:
            peer: who is asked.
            level: STUDY, SERIES or IMAGE.
            keys: keyword -> value to match, empty: any, and to be returned.

        Raises:
            PeerFailure: it cannot be asked, or it refuses.
        """
        outcome, text = Outcome.MINOR_FAILURE, "refused, or not answered"
        try:
            answers = self._ask(peer, data_set.identifier_of(level, keys))
            outcome, text = Outcome.SUCCESS, ""
        finally:
            parties = (
                Party(self._ae_title, Role.SOURCE, is_requestor=True),
                Party(peer.ae_title, Role.DESTINATION, peer.host),
            )
            query = Query(STUDY_ROOT_FIND, level, keys)
            self._tell(Event(Kind.QUERY, self._now(), parties, outcome, text, query=query))
        return answers

    def _ask(self, peer: Peer, identifier: Dataset) -> list[Dataset]:
        offers = [Offer(STUDY_ROOT_FIND, UNCOMPRESSED)]
        with association(peer, self._ae_title, offers, self._timeouts) as opened:
            context = opened.contexts[0]
            encoded = data_set.encode(identifier, context.transfer_syntax)
            return _answers(opened, context, encoded, self._timeouts)


def _answers(opened: Association, context: Granted, identifier: bytes, timeouts: Timeouts) -> list[Dataset]:
    request: Command = {"CommandField": C_FIND, "AffectedSOPClassUID": STUDY_ROOT_FIND, "Priority": _MEDIUM}
    number = opened.request(context, request, identifier)
    found: list[Dataset] = []
    while True:
        answer = opened.receive(time.monotonic() + timeouts.dimse_s)
        require_answer(answer, number, C_FIND)
        status = number_in(answer.command, "Status")
        if status == SUCCESS or (status == CANCELLED and len(found) >= MOST_ANSWERS):
            return found
        if status not in PENDING:
            raise PeerFailure(f"the query fails: {query_status_in_words(status)}", transient=is_query_transient(status))
        if len(found) < MOST_ANSWERS:
            found.append(data_set.decode(answer.data, context.transfer_syntax))
            if len(found) == MOST_ANSWERS:
                cancel(opened, context, number)


def cancel(opened: Association, context: Granted, number: int) -> None:
    """Ask the peer to stop working on a request (PS3.7 9.3.2.3); it answers with status FE00, or goes on.

    Raises:
        PeerFailure: the peer does not take it in time.
    """
    opened.send(context, {"CommandField": C_CANCEL, "MessageIDBeingRespondedTo": number})


def is_query_transient(status: int | None) -> bool:
    """Whether the same query or retrieval may succeed later."""
    return status is None or status >> 8 == 0xA7 or status in {0x0110, CANCELLED}


def _series(answer: Dataset) -> FoundSeries:
    count = text_of(answer, "NumberOfSeriesRelatedInstances")
    return FoundSeries(
        study_instance_uid=text_of(answer, "StudyInstanceUID"),
        series_instance_uid=text_of(answer, "SeriesInstanceUID"),
        modality=text_of(answer, "Modality"),
        description=text_of(answer, "SeriesDescription"),
        instances=int(count) if count.isdecimal() else None,
    )
