"""Instances that came under a known UID with other content: accepted or rejected by the operator."""

from dataclasses import fields, replace
from datetime import UTC, datetime

from dicomnode.node import Books
from dicomnode.records import ReceivedInstance
from dicomnode.spool import Spool


def accept_conflict(books: Books, number: int) -> None:
    """Let the instance that was kept apart take the place of the one that it disagrees with.

    The series is taken up again, so its structure set is drawn on the new content.

    Raises:
        NotFound: if no such conflict waits.
        SpoolFull: if the disk refuses.
    """
    record = books.ledger.conflict(number)
    spool = Spool(books.configuration.node.data_dir)
    place = spool.path_of(record.series_instance_uid, record.sop_instance_uid)
    values = {field.name: getattr(record, field.name) for field in fields(ReceivedInstance)}
    accepted = replace(ReceivedInstance(**values), path=place, received=datetime.now(UTC))
    if spool.has(record.path):  # else an acceptance was interrupted behind the move, and is ended now
        spool.put_in_place(record.path, place)
    books.ledger.decide_conflict(number, "accepted", accepted)


def reject_conflict(books: Books, number: int) -> None:
    """Keep what was there; the other one is deleted.

    Raises:
        NotFound: if no such conflict waits.
    """
    record = books.ledger.conflict(number)
    books.ledger.decide_conflict(number, "rejected")
    Spool(books.configuration.node.data_dir).delete(record.path)
