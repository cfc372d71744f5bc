"""C-ECHO to one peer or to all."""

from dicomnode.commands.addressing import peer_named
from dicomnode.config import Configuration
from dicomnode.node import timeouts_of, tls_settings_of
from dicomnode.scu import EchoOutcome, echo


def echo_peers(configuration: Configuration, ae_title: str = "") -> list[tuple[str, EchoOutcome]]:
    """Ask one peer, or each, whether it answers; return AE title and outcome.

    Raises:
        NotFound: no peer has this AE title.
    """
    peers = (peer_named(configuration, ae_title),) if ae_title else configuration.peers
    timeouts = timeouts_of(configuration.delivering, tls_settings_of(configuration.tls))
    return [(peer.ae_title, echo(peer, configuration.node.ae_title, timeouts)) for peer in peers]
