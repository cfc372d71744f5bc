"""A running receiver with a real ledger and spool in a temporary folder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from dicomnode import scp
from dicomnode.assurance import Assurance, Calling
from dicomnode.audit.message import Event
from dicomnode.commitment_scp import CommitmentScp
from dicomnode.config import Delivering, Node, Receiving
from dicomnode.feeding import Feeding
from dicomnode.intake import Intake
from dicomnode.ledger import Ledger
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.pixel_decoder import PixelDecoder
from dicomnode.registrar import Registrar
from dicomnode.routing import DEFAULT_RULES, Rule
from dicomnode.sameness import is_same
from dicomnode.spool import Spool
from dicomnode.tables import migrate, open_database
from dicomnode.visits import Visits

TPS = Peer("TPS", "127.0.0.1", 11113, may=("send_ct", "send_approvals", "receive_results"))
SCANNER = Peer("SCANNER", "127.0.0.1", 11114, may=("send_ct",))
STRANGER = Peer("STRANGER", "192.0.2.7", 11115, may=("send_ct",))


@dataclass
class ReceivingParts:
    """The parts of a receiver that a test may look at."""

    spool: Spool
    books: Ledger
    registrar: Registrar
    feeding: Feeding
    intake: Intake

    @property
    def ledger(self) -> Ledger:
        """The ledger, with a row for everything that was taken."""
        assert self.registrar.settle(10.0)
        return self.books


@dataclass
class RunningReceiver(ReceivingParts):
    """A receiver that listens, and what it told the audit."""

    receiver: scp.Receiver
    visits: Visits
    told: list[Event]
    assurance: Assurance


def open_ledger(folder: Path) -> tuple[Ledger, sa.Engine]:
    """Return a ledger in an SQLite file."""
    engine = open_database(f"sqlite:///{folder / 'node.sqlite'}")
    migrate(engine)
    return Ledger(engine, enqueue=lambda _connection, _order: None), engine


@contextmanager
def receiving_parts(folder: Path, rules: Sequence[Rule] = DEFAULT_RULES, **limits: float) -> Iterator[ReceivingParts]:
    """Put everything behind the sockets together."""
    ledger, engine = open_ledger(folder)
    spool, feeding, decoder = Spool(folder, **limits), Feeding(), PixelDecoder()
    registrar = Registrar(ledger, spool.digest_of)
    intake = Intake(spool, registrar, rules, feeding, partial(is_same, decode=decoder.digest), message_limit_mib=4)
    try:
        yield ReceivingParts(spool, ledger, registrar, feeding, intake)
    finally:
        registrar.close()
        decoder.close()
        engine.dispose()


@contextmanager
def running_receiver(
    folder: Path,
    *,
    receiving: Receiving | None = None,
    rules: Sequence[Rule] = DEFAULT_RULES,
    peers: Sequence[Peer] = (TPS, SCANNER, STRANGER),
    secure: scp.SecurePort | None = None,
    port: int = 0,
    **limits: float,
) -> Iterator[RunningReceiver]:
    """Listen on a loopback port, a free one unless it is named."""
    node = Node(ae_title="DICOMNODE", host="127.0.0.1", port=port, data_dir=folder)
    told: list[Event] = []
    with receiving_parts(folder, rules, **limits) as parts:
        visits = Visits(node.ae_title, told.append)
        commitment = CommitmentScp(peers, parts.ledger.note_commitment_request)
        calling = Calling("DICOMNODE", Timeouts(dimse_s=10.0), Delivering(proof_wait_s=5.0), told.append)
        find, tell = parts.registrar.find_instance, commitment.tell_here
        assurance = Assurance(parts.ledger, peers, calling, folder, find_instance=find, tell_here=tell)
        commitment.report_to(assurance)
        receiver = scp.start(
            node,
            receiving or Receiving(),
            peers,
            parts.intake,
            parts.feeding,
            visits=visits,
            more=commitment.handlers(),
            secure=secure,
        )
        try:
            yield RunningReceiver(
                parts.spool,
                parts.books,
                parts.registrar,
                parts.feeding,
                parts.intake,
                receiver,
                visits,
                told,
                assurance,
            )
        finally:
            receiver.stop(grace_s=2.0)
