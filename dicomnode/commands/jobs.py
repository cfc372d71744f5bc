"""The work that waits, failed or was given up: shown, tried again, cancelled."""

from dataclasses import asdict, dataclass
from datetime import datetime

from dicomnode.commands.series import plain
from dicomnode.errors import NotFound, TransitionError
from dicomnode.node import Books
from dicomnode.records import DeliveryRecord, Proof, SeriesRecord
from dicomnode.series import State

CONTOUR, DELIVER = "contour-", "deliver-"


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Args:
        name: `contour-N` with the number of the series, or `deliver-N` with that of the delivery.
        state: where it is.
        about: pseudonym of the series.
        peer: for a delivery, where it goes.
        attempts: that were made.
        next_attempt: UTC, if there will be one.
        detail: what came of the last attempt, in words.
        proof: for a delivery, what is known of the peer's having kept it.
    """

    name: str
    state: str
    about: str
    peer: str
    attempts: int
    next_attempt: datetime | None
    detail: str
    proof: str = ""


def list_jobs(books: Books, *, everything: bool = False) -> list[Job]:
    """Return the work that is not over, or that a person must look at; all work if `everything`."""
    open_states = {State.COMPLETE, State.FAILED}
    contouring = [r for r in books.ledger.series_in() if r.generation and (everything or r.state in open_states)]
    over, doubtful = {"sent", "cancelled"}, {Proof.AWAITED, Proof.UNPROVEN}
    deliveries = [d for d in books.ledger.deliveries() if everything or d.state not in over or d.proof in doubtful]
    return [*(_contouring_job(books, r) for r in contouring), *(_delivery_job(books, d) for d in deliveries)]


def find_job(books: Books, name: str) -> Job:
    """Return one piece of work.

    Raises:
        NotFound: if there is none of this name.
    """
    for job in list_jobs(books, everything=True):
        if job.name == name:
            return job
    raise NotFound(f"there is no job {name}; `jobs list --all` shows them")


def retry_job(books: Books, name: str) -> None:
    """Do a piece of work again, now.

    Raises:
        NotFound: if there is none of this name.
        TransitionError: if the series is in a state that does not allow it.
    """
    job = find_job(books, name)
    if job.name.startswith(DELIVER):
        books.ledger.retry_delivery(_number(job))
    else:
        books.examiner.recontour(books.ledger.series(_number(job)))


def cancel_job(books: Books, name: str) -> None:
    """Give a piece of work up.

    Raises:
        NotFound: if there is none of this name, or it is over.
        TransitionError: if the contouring is over.
    """
    job = find_job(books, name)
    if job.name.startswith(DELIVER):
        books.ledger.cancel_delivery(_number(job))
        return
    record = books.ledger.series(_number(job))
    if record.state is not State.COMPLETE:
        raise TransitionError(f"the series is {record.state}: there is no contouring to cancel")
    books.queue.cancel(record)
    books.ledger.fail(record.id, record.generation, "cancelled by the operator")


def _number(job: Job) -> int:
    return int(job.name.rpartition("-")[2])


def _contouring_job(books: Books, record: SeriesRecord) -> Job:
    return Job(
        name=f"{CONTOUR}{record.id}",
        state=str(record.state),
        about=books.pseudonyms.of(record.series_instance_uid),
        peer="",
        attempts=record.generation,
        next_attempt=None,
        detail="; ".join(record.reasons),
    )


def _delivery_job(books: Books, delivery: DeliveryRecord) -> Job:
    series_id = books.ledger.result(delivery.result_id).series_id
    status = "" if delivery.status is None else f"{delivery.status:04X} "
    return Job(
        name=f"{DELIVER}{delivery.id}",
        state=str(delivery.state),
        about=books.pseudonyms.of(books.ledger.series(series_id).series_instance_uid),
        peer=delivery.peer,
        attempts=delivery.attempts,
        next_attempt=delivery.next_attempt,
        detail=f"{status}{delivery.detail}",
        proof=str(delivery.proof),
    )


def as_json(job: Job) -> dict[str, object]:
    """Return a job as JSON has it."""
    return {key: plain(value) for key, value in asdict(job).items()}
