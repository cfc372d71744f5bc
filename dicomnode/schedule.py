"""What happens at a time of day, as APScheduler fires it: the constancy test, and the purge of what is too old."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from dicomnode.audit.message import Event
from dicomnode.config import Configuration
from dicomnode.contourer import Contourer
from dicomnode.errors import ConfigurationError, ContouringError, NodeError
from dicomnode.golden import try_golden_case
from dicomnode.ledger import Ledger
from dicomnode.models import models_of, names_in_service
from dicomnode.node import Books
from dicomnode.purge import Purge
from segmentation.errors import BundleError

log = structlog.get_logger(__name__)

LATE_S = 3600  # a test that was missed while the machine slept is made up for within the hour


def constancy_test(configuration: Configuration, contourer: Contourer, ledger: Ledger) -> None:
    """Try the golden case with each model in service; what differs is an alarm."""
    models = models_of(configuration)
    for name in names_in_service(configuration):
        try:
            model = models.find(name)
            report = try_golden_case(configuration, contourer, model)
        except (BundleError, ConfigurationError, ContouringError) as error:
            ledger.raise_alarm("constancy", f"the golden case of model {name} could not be tried: {error}", name)
            continue
        for fault in model.faults:
            ledger.raise_alarm("model", fault, name)
        if report.faults:
            text = f"model {name} does not draw the golden case as it did: {'; '.join(report.faults)}"
            ledger.raise_alarm("constancy", text, name)
        else:
            log.info("the golden case was drawn as before", model=name, first=report.is_first)


def purge_by_rules(books: Books, tell: Callable[[Event], None]) -> None:
    """Purge what is too old; where that fails, tell the operator."""
    try:
        purged = Purge(books, tell).run()
    except (NodeError, OSError) as error:
        books.ledger.raise_alarm("purge", f"what is too old could not be purged: {type(error).__name__}", "purge")
        log.exception("the purge failed")
    else:
        log.info("what is too old was purged", things=len(purged), files=sum(one.files for one in purged))


@dataclass(frozen=True)
class Appointment:
    """A job that is done every day.

    Args:
        name: of the job.
        at: in the site's local time.
        job: is called in a thread of the scheduler's.
    """

    name: str
    at: time
    job: Callable[[], None]


class Schedule:
    """Has each job done every day at its time, once, even if it is a little late.

    Args:
        appointments: the jobs.
    """

    def __init__(self, *appointments: Appointment) -> None:
        # The store is in memory: APScheduler's SQL store pickles, and there is nothing to remember.
        self._scheduler = BackgroundScheduler()
        for one in appointments:
            self._scheduler.add_job(
                one.job,
                CronTrigger(hour=one.at.hour, minute=one.at.minute),
                id=one.name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=LATE_S,
            )

    def start(self) -> None:
        """Begin to wait."""
        self._scheduler.start()

    def next_run(self, name: str) -> datetime | None:
        """Return when a job will be done next; None before the start."""
        found: datetime | None = getattr(self._scheduler.get_job(name), "next_run_time", None)
        return found

    def stop(self) -> None:
        """Fire no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
