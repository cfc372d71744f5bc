"""A structure set handed over to a peer, with the audit before and after."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dicomnode.audit.message import Event, Kind, Outcome, Party, Role
from dicomnode.audit.subject import study_of
from dicomnode.peers import Peer
from dicomnode.scu import SendOutcome


class Handover:
    """Sends files, and says so.

    Args:
        send: hands a file to a peer.
        ae_title: of this node.
        tell: takes the events for the audit.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        send: Callable[[Peer, Path], SendOutcome],
        ae_title: str,
        tell: Callable[[Event], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._send = send
        self._ae_title = ae_title
        self._tell = tell
        self._now = clock

    def __call__(self, peer: Peer, path: Path) -> SendOutcome:
        """Send a file; return what came of it."""
        study = study_of(path)
        parties = (
            Party(self._ae_title, Role.SOURCE, is_requestor=True),
            Party(peer.ae_title, Role.DESTINATION, peer.host),
        )
        self._tell(Event(Kind.BEGIN_TRANSFERRING, self._now(), parties, study=study))
        outcome = self._send(peer, path)
        # A peer's own comment may name the patient: it is not told.
        text = "" if outcome.ok else f"not taken: {_status(outcome)}"
        result = Outcome.SUCCESS if outcome.ok else Outcome.MINOR_FAILURE
        self._tell(Event(Kind.INSTANCES_SENT, self._now(), parties, result, text, study))
        return outcome


def _status(outcome: SendOutcome) -> str:
    return "no answer" if outcome.status is None else f"status {outcome.status:04X}"
