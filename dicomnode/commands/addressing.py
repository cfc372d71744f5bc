"""Which peer the operator means, and how long it may take."""

from dicomnode.config import Configuration, Delivering
from dicomnode.errors import NotFound
from dicomnode.peers import Peer, find_peer
from dicomnode.scu import Timeouts


def peer_named(configuration: Configuration, ae_title: str) -> Peer:
    """Return the peer of this AE title.

    Raises:
        NotFound: there is none.
    """
    peer = find_peer(configuration.peers, ae_title)
    if peer is None:
        known = ", ".join(each.ae_title for each in configuration.peers) or "none"
        raise NotFound(f"no peer is called {ae_title}; the configuration knows: {known}")
    return peer


def timeouts_of(delivering: Delivering) -> Timeouts:
    """Return how long a peer may take."""
    return Timeouts(
        delivering.connection_timeout_s,
        delivering.acse_timeout_s,
        delivering.dimse_timeout_s,
        delivering.network_timeout_s,
    )
