"""Which peer the operator means."""

from dicomnode.config import Configuration
from dicomnode.errors import NotFound
from dicomnode.peers import Peer, find_peer


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
