"""A series that is fetched into the node: by C-GET over the node's own intake, or by C-MOVE to its port."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from dicomnode.audit.message import Event, Kind, Outcome, Party, Role, Study
from dicomnode.collection import Collection
from dicomnode.errors import PeerFailure
from dicomnode.feeding import Feeding
from dicomnode.fetch import FetchOutcome, Retrieval, fetch_series
from dicomnode.node import Books, open_intake, timeouts_of, tls_settings_of
from dicomnode.peers import Peer, find_peer
from dicomnode.pixel_decoder import PixelDecoder
from dicomnode.spool import MIB
from dicomnode.visits import Visits

log = structlog.get_logger(__name__)


def fetch_into(
    books: Books, peer: Peer, uids: tuple[str, str], *, by_move: bool = False, fetched: Container[str] = ()
) -> FetchOutcome:
    """Fetch a series into the node; what arrives is treated like what the peer sends by itself.

    Args:
        books: of the node, which may run meanwhile.
        peer: that has it.
        uids: of study and series.
        by_move: have the peer send to the running node by C-MOVE although it would do a C-GET.
        fetched: series that are fetched only to be learnt from.

    Raises:
        PeerFailure: the peer cannot be asked.
    """
    configuration = books.configuration
    timeouts = timeouts_of(configuration.delivering, tls_settings_of(configuration.tls))
    feeding, pixels = Feeding(), PixelDecoder()
    _, intake = open_intake(configuration, books.ledger, feeding, pixels.digest, fetched)
    collection = Collection(intake, feeding, Visits(configuration.node.ae_title, books.auditor.write))
    try:
        with collection.open_for(peer) as store:
            how = Retrieval(
                ae_title=configuration.node.ae_title,
                timeouts=replace(timeouts, dimse_s=configuration.fetching.silence_s),
                longest_s=configuration.fetching.timeout_s,
                longest_data=configuration.receiving.message_limit_mib * MIB,
                store=store,
                by_move=by_move,
            )
            return _audited(books, peer, uids[0], lambda: fetch_series(peer, *uids, how))
    finally:
        pixels.close()


def _audited(books: Books, peer: Peer, study_uid: str, fetch: Callable[[], FetchOutcome]) -> FetchOutcome:
    """Fetch; tell the audit that it begins, and where it fails. What comes is told where it is taken."""
    parties = (
        Party(peer.ae_title, Role.SOURCE, peer.host),
        Party(books.configuration.node.ae_title, Role.DESTINATION, is_requestor=True),
    )
    study = Study(study_uid, "", "")  # whose it is, the peer has not said yet
    books.auditor.write(Event(Kind.BEGIN_TRANSFERRING, datetime.now(UTC), parties, study=study))
    outcome = fetch()
    if not outcome.ok:
        text = (
            f"fetched by {outcome.by or 'nothing'}: {_status(outcome)}, {outcome.completed} came, {outcome.failed} not"
        )
        failed = Event(Kind.INSTANCES_RECEIVED, datetime.now(UTC), parties, Outcome.MINOR_FAILURE, text, study)
        books.auditor.write(failed)
    return outcome


def _status(outcome: FetchOutcome) -> str:
    # A peer's own comment may name the patient: it is neither kept nor told.
    return "no answer" if outcome.status is None else f"status {outcome.status:04X}"


@dataclass(frozen=True)
class CtFetcher:
    """Fetches the CT that a structure set was approved on, from the first configured peer that has it.

    Args:
        books: of the node.
        settle: waits until what came to the node's port is in the ledger.
        fetched: series that are being fetched, which the node's intake looks at too.
    """

    books: Books
    settle: Callable[[], object]
    fetched: set[str] = field(default_factory=set)

    def __call__(self, studies: Sequence[str], series: str) -> str:
        """Fetch a series of one of some studies; return what came of it, in words."""
        said = []
        configuration = self.books.configuration
        self.fetched.add(series)
        try:
            for ae_title in configuration.adaptation.fetch_from:
                peer = find_peer(configuration.peers, ae_title)
                for study in studies if peer else ():
                    outcome, words = self._ask(peer, (study, series)) if peer else (None, "")
                    if outcome is not None and outcome.completed and not outcome.failed:
                        return words
                    said.append(words)
        finally:
            self.settle()
            self.fetched.discard(series)
        return "; ".join(dict.fromkeys(said)) or "no peer is configured to fetch it from (adaptation.fetch_from)"

    def _ask(self, peer: Peer, uids: tuple[str, str]) -> tuple[FetchOutcome | None, str]:
        try:
            outcome = fetch_into(self.books, peer, uids, fetched=self.fetched)
        except PeerFailure as error:
            log.warning("a CT could not be fetched", peer=peer.ae_title, reason=str(error))
            return None, f"{peer.ae_title}: {error}"
        log.info("a CT was asked for", peer=peer.ae_title, by=outcome.by, completed=outcome.completed)
        by = outcome.by or "nothing"
        return outcome, f"{peer.ae_title} sent {outcome.completed} slices by {by}, {_status(outcome)}"
