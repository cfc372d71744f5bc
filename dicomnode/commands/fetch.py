"""What a peer has of a study, and a series of it fetched into the node."""

from dicomnode.commands.addressing import peer_named
from dicomnode.config import Configuration
from dicomnode.errors import NodeError
from dicomnode.fetch import FetchOutcome
from dicomnode.fetching import fetch_into
from dicomnode.node import Books, timeouts_of, tls_settings_of
from dicomnode.peers import Peer
from dicomnode.query import FoundSeries, Inquiry


def query_peer(books: Books, ae_title: str, study_uid: str) -> list[FoundSeries]:
    """Return the series of a study that a peer has.

    Args:
        books: of the node, which may run meanwhile.
        ae_title: of the peer.
        study_uid: Study Instance UID.

    Raises:
        NotFound: no peer has this AE title.
        NodeError: it may not be asked.
        PeerFailure: it cannot be asked, or it refuses.
    """
    configuration = books.configuration
    peer = _answering_peer(configuration, ae_title)
    timeouts = timeouts_of(configuration.delivering, tls_settings_of(configuration.tls))
    return Inquiry(configuration.node.ae_title, timeouts, books.auditor.write).find_series(peer, study_uid)


def fetch_from_peer(books: Books, ae_title: str, uids: tuple[str, str], *, by_move: bool) -> FetchOutcome:
    """Fetch a series into the node; what arrives is treated like what the peer sends by itself.

    Args:
        books: of the node, which may run meanwhile.
        ae_title: of the peer.
        uids: of study and series.
        by_move: have the peer send to the running node by C-MOVE although it would do a C-GET.

    Raises:
        NotFound: no peer has this AE title.
        NodeError: nothing may be fetched from it.
    """
    return fetch_into(books, _answering_peer(books.configuration, ae_title), uids, by_move=by_move)


def _answering_peer(configuration: Configuration, ae_title: str) -> Peer:
    peer = peer_named(configuration, ae_title)
    if not peer.allows("answer_queries"):
        raise NodeError(f"{ae_title} has no right answer_queries: add it to `may` of this peer")
    return peer
