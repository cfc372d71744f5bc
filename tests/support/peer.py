"""A storage SCP on a free loopback port that remembers what it was sent."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event

from dicomnode.dimse import ACCEPTED
from dicomnode.peers import Peer

_LAST_WORDS_S = 2.0


@dataclass
class ReceivingPeer:
    """What a peer got and how it answers.

    Args:
        peer: as the configuration names it.
        status: that it answers each C-STORE with.
        received: SOP Instance UID, transfer syntax and encoded data set of each instance that it took.
        asked: SOP Instance UID of each request, those that were refused too.
        statuses: answers for the next requests; `status` when they are used up.
    """

    peer: Peer
    status: int = 0x0000
    comment: str = ""
    received: list[tuple[str, str, bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def store(self, event: Event) -> Dataset:
        """Answer a C-STORE request and remember it."""
        uid = str(event.request.AffectedSOPInstanceUID)
        self.asked.append(uid)
        answer = Dataset()
        answer.Status = self.statuses.pop(0) if self.statuses else self.status
        if self.comment:
            answer.ErrorComment = self.comment
        if answer.Status == 0x0000 or answer.Status >> 12 == 0xB:
            data = event.request.DataSet.getvalue()
            self.received.append((uid, str(event.context.transfer_syntax), data))
        return answer


@contextmanager
def receiving_peer(
    ae_title: str = "TPS",
    *,
    status: int = 0x0000,
    comment: str = "",
    statuses: tuple[int, ...] = (),
    called: str = "",
    accepts: dict[str, tuple[str, ...]] | None = None,
    port: int = 0,
) -> Iterator[ReceivingPeer]:
    """Run a storage SCP; `called` lets it reject whoever calls it otherwise, `accepts` names classes and syntaxes."""
    ae = AE(ae_title=called or ae_title)
    ae.require_called_aet = True
    for sop_class, syntaxes in (ACCEPTED if accepts is None else accepts).items():
        ae.add_supported_context(sop_class, list(syntaxes))
    handlers = [(evt.EVT_C_ECHO, lambda _event: 0x0000)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    rights = ("send_ct", "send_approvals", "receive_results")
    peer = Peer(ae_title, "127.0.0.1", server.server_address[1], may=rights)
    receiving = ReceivingPeer(peer, status, comment, statuses=list(statuses))
    server.bind(evt.EVT_C_STORE, receiving.store)
    try:
        yield receiving
    finally:
        deadline = time.monotonic() + _LAST_WORDS_S
        while ae.active_associations and time.monotonic() < deadline:  # one that is just ending cannot be aborted
            time.sleep(0.01)
        ae.shutdown()
