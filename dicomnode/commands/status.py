"""What waits, what failed and why, which model is in service."""

import fcntl
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from dicomnode.commands.cases import SHOWN, approval_json
from dicomnode.commands.jobs import Job, list_jobs
from dicomnode.commands.jobs import as_json as job_json
from dicomnode.commands.series import SeriesView, as_json, list_series, plain
from dicomnode.errors import ConfigurationError
from dicomnode.node import Books
from dicomnode.records import AlarmRecord, ApprovalRecord, ConflictRecord, StructureSetRecord
from segmentation.errors import BundleError


@dataclass(frozen=True)
class ModelInService:
    """Which model a rule uses, and why it cannot or is not the one that it should be."""

    rule: str
    bundle: str
    version: str
    digest: str
    fault: str


@dataclass(frozen=True)
class Status:
    """The node at a glance.

    Args:
        is_running: whether a daemon works on the data folder.
        models: of the rules that contour.
        states: how many series are in which state.
        series: all of them, oldest first.
        jobs: that wait, or that somebody must look at.
        received: structure sets that came in, newest first.
        ignored: how many instances each rule had ignored.
        conflicts: that wait for a decision.
        alarms: that nobody has acknowledged.
        approvals: structure sets to learn from that are on their way to a case, or wait for their CT.
    """

    is_running: bool
    models: tuple[ModelInService, ...]
    states: dict[str, int]
    series: tuple[SeriesView, ...]
    jobs: tuple[Job, ...]
    received: tuple[StructureSetRecord, ...]
    ignored: dict[str, int]
    conflicts: tuple[ConflictRecord, ...]
    alarms: tuple[AlarmRecord, ...]
    approvals: tuple[ApprovalRecord, ...]


def read_status(books: Books) -> Status:
    """Return the node at a glance."""
    series = tuple(list_series(books))
    return Status(
        is_running=is_running(books.configuration.node.data_dir),
        models=tuple(_models(books)),
        states=dict(Counter(str(view.record.state) for view in series)),
        series=series,
        jobs=tuple(list_jobs(books)),
        received=tuple(books.ledger.structure_sets()),
        ignored=books.ledger.ignored_counts(),
        conflicts=tuple(books.ledger.conflicts()),
        alarms=tuple(books.ledger.alarms()),
        approvals=tuple(books.ledger.approvals(*SHOWN)),
    )


def is_running(data_dir: Path) -> bool:
    """Whether a daemon holds the data folder."""
    try:
        with (data_dir / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def status_json(status: Status) -> dict[str, object]:
    """Return the status as JSON has it."""
    return {
        "running": status.is_running,
        "models": [asdict(model) for model in status.models],
        "states": status.states,
        "series": [as_json(view) for view in status.series],
        "jobs": [job_json(job) for job in status.jobs],
        "received_structure_sets": [_flat(asdict(one)) for one in status.received],
        "ignored": status.ignored,
        "conflicts": [_flat(asdict(one)) for one in status.conflicts],
        "alarms": [_flat(asdict(alarm)) for alarm in status.alarms],
        "approvals": [approval_json(record) for record in status.approvals],
    }


def _flat(values: dict[str, object]) -> dict[str, object]:
    return {key: plain(value) for key, value in values.items()}


def _models(books: Books) -> list[ModelInService]:
    found = []
    for rule in books.configuration.rules:
        if rule.action != "contour":
            continue
        try:
            model = books.examiner.model_named(rule.bundle)
        except (BundleError, ConfigurationError) as error:
            found.append(ModelInService(rule.name, rule.bundle, "", "", str(error)))
        else:
            version, fault = model.manifest.version, "; ".join(model.faults)
            found.append(ModelInService(rule.name, rule.bundle, version, model.digest, fault))
    return found
