"""What a C-GET brings, taken in, counted and audited like what comes by C-STORE."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from dicomnode.dimse import STATUS_OF, SUCCESS
from dicomnode.errors import Refusal
from dicomnode.feeding import Feeding
from dicomnode.fetch import Store
from dicomnode.instance_file import InstanceFile
from dicomnode.intake import Arrival, Intake
from dicomnode.peers import Peer
from dicomnode.visits import Visits

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Collection:
    """Takes what peers send on associations that this node asked for.

    Args:
        intake: takes the instances.
        feeding: is told when it is over, so that a series is not taken to be whole before.
        visits: counts, and tells the audit.
    """

    intake: Intake
    feeding: Feeding
    visits: Visits

    @contextmanager
    def open_for(self, peer: Peer) -> Iterator[Store]:
        """Return what takes the instances of one retrieval from this peer."""
        key = f"fetch from {peer.ae_title} {id(peer)}"
        self.visits.begun(key, peer.ae_title, peer.host)

        def store(file: InstanceFile) -> int:
            try:
                instance = self.intake.accept(Arrival(file, peer, key))
            except Refusal as refusal:
                self.visits.refused_one(key, refusal)
                status = STATUS_OF[type(refusal)]
                log.warning("instance refused", peer=peer.ae_title, status=f"{status:04X}", reason=str(refusal))
                return status
            self.visits.kept(key, instance)
            return SUCCESS

        try:
            yield store
        finally:
            self.feeding.end(key)
            self.visits.over(key)
