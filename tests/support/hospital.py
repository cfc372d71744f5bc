"""A node's books and files without its daemon, what is sent to it, and what of that remains after a purge."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicomnode.audit.message import Event
from dicomnode.config import Configuration, Node, Retention
from dicomnode.dimse import EXPLICIT_VR_LE
from dicomnode.errors import ConflictingContent
from dicomnode.feeding import Feeding
from dicomnode.instance_file import file_head
from dicomnode.intake import Arrival, Intake
from dicomnode.node import Books
from dicomnode.peers import Peer
from dicomnode.purge import Purge, Purged
from dicomnode.records import SeriesRecord
from dicomnode.registrar import Registrar
from dicomnode.series import State, content_digest
from dicomnode.spool import Spool
from tests.support.books import new_result
from tests.support.instances import (
    CANARY_BIRTH_DATE,
    CANARY_ID,
    CANARY_NAME,
    SERIES,
    STUDY,
    ct_instance,
    instance_file,
    structure_set,
)

TPS = Peer("TPS", "127.0.0.1", 11113, may=("send_ct", "send_approvals", "receive_results"))
RESULT = "2.25.77"
WORDS = [*CANARY_NAME.split("^"), CANARY_ID, CANARY_BIRTH_DATE, SERIES, STUDY, RESULT]
RETENTION = Retention(
    delivered_days=10,
    unfinished_days=20,
    ignored_days=5,
    structure_sets_days=7,
    approved_days=0,
    results_days=30,
    conflicts_days=40,
    ledger_days=50,
)


class Hospital:
    """A node's books and files without its daemon, and what is sent to it.

    Args:
        folder: of the data, which is made.
        retention: the rules.
        database_url: of the ledger; empty for an SQLite file in the folder.
    """

    def __init__(self, folder: Path, retention: Retention = RETENTION, database_url: str = "") -> None:
        self.folder = folder
        node = Node(data_dir=folder, database_url=database_url)
        self.books = Books.open(Configuration(node=node, peers=(TPS,), retention=retention), create=True)
        self.spool = Spool(folder)
        for name in ("results", "work"):  # as the daemon makes them at its start
            (folder / name).mkdir()
        self.told: list[Event] = []
        rules = self.books.configuration.rules
        self.registrar = Registrar(self.books.ledger, self.spool.digest_of)
        self.intake = Intake(self.spool, self.registrar, rules, Feeding(), lambda _one, _other: False)

    def send(self, *datasets: Dataset) -> None:
        """Receive instances, whose rows are written when this returns."""
        for ds in datasets:
            self.intake.accept(Arrival(instance_file(ds), TPS, "association"))
        assert self.registrar.settle(10.0)

    def series(self, uid: str = SERIES, slices: int = 3, **changes: object) -> SeriesRecord:
        """Receive a series and bring it to where it has its structure set and the TPS has it."""
        self.send(*(ct_instance(number, series=uid, **changes) for number in range(1, slices + 1)))
        ledger = self.books.ledger
        [record] = [one for one in ledger.series_in() if one.series_instance_uid == uid]
        record = ledger.complete(record.id, content_digest(one.sha256 for one in ledger.instances_of(uid)))
        (self.folder / "work" / f"{record.id}-1.json").write_text(uid)
        ds = structure_set(series=uid, **changes)
        ds.SOPInstanceUID = RESULT + uid[-2:]
        path = self.write(ds)
        result = ledger.note_result(
            new_result(record.id, record.generation, ds.SOPInstanceUID, path=path, created=datetime.now(UTC)), ["TPS"]
        )
        for delivery in ledger.deliveries(result_id=result.id):
            ledger.note_sent(delivery.id, 0, f"thank you for {CANARY_NAME}")
        return ledger.series(record.id)

    def write(self, ds: Dataset) -> str:
        """Write a structure set of ours."""
        path = f"results/{self.books.pseudonyms.of(ds.SOPInstanceUID)}.dcm"
        file = instance_file(ds, EXPLICIT_VR_LE)
        (self.folder / path).write_bytes(file_head(file) + file.data)
        return path

    def conflict(self) -> None:
        """Receive the first slice with other content."""
        with pytest.raises(ConflictingContent):
            self.send(ct_instance(1, SliceThickness="5"))

    def purge(self, days: float, *, dry: bool = False) -> list[str]:
        """Purge as if so many days had gone by; return by which rules something went."""
        return [one.rule for one in self.purged(days, dry=dry)]

    def purged(self, days: float, *, dry: bool = False) -> list[Purged]:
        """Purge as if so many days had gone by; return what went."""
        clock = lambda: datetime.now(UTC) + timedelta(days=days)  # noqa: E731
        return Purge(self.books, self.told.append, clock, settle_s=0).run(dry=dry)

    def known(self) -> dict[str, list[str]]:
        """Return each file of the data folder with what it knows of the canary, in its bytes or its name."""
        found = {}
        for file in self.folder.rglob("*"):
            content = file.name.encode() + (file.read_bytes() if file.is_file() else b"")
            if words := [word for word in WORDS if word.encode() in content]:
                found[file.name] = words
        return found

    def close(self) -> None:
        """Let go of the books."""
        self.registrar.close()
        self.books.close()

    def states(self) -> list[State]:
        """Return how far each series is."""
        return [record.state for record in self.books.ledger.series_in()]
