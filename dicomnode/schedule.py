"""What happens at a time of day, as APScheduler fires it: the daily constancy test."""

from collections.abc import Callable
from datetime import datetime, time

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from dicomnode.config import Configuration
from dicomnode.contourer import Contourer
from dicomnode.errors import ConfigurationError, ContouringError
from dicomnode.golden import try_golden_case
from dicomnode.ledger import Ledger
from dicomnode.models import find_model
from segmentation.errors import BundleError

log = structlog.get_logger(__name__)

LATE_S = 3600  # a test that was missed while the machine slept is made up for within the hour


def constancy_test(configuration: Configuration, contourer: Contourer, ledger: Ledger) -> None:
    """Try the golden case with each model in service; what differs is an alarm."""
    for name in sorted({rule.bundle for rule in configuration.rules if rule.action == "contour"}):
        try:
            model = find_model(name, configuration.contouring.bundle_dirs)
            report = try_golden_case(configuration, contourer, model)
        except (BundleError, ConfigurationError, ContouringError) as error:
            ledger.raise_alarm("constancy", f"the golden case of model {name} could not be tried: {error}", name)
            continue
        if report.faults:
            text = f"model {name} does not draw the golden case as it did: {'; '.join(report.faults)}"
            ledger.raise_alarm("constancy", text, name)
        else:
            log.info("the golden case was drawn as before", model=name, first=report.is_first)


class Schedule:
    """Has a job done every day at a local time, once, even if it is a little late.

    Args:
        at: in the site's local time.
        job: is called in a thread of the scheduler's.
    """

    def __init__(self, at: time, job: Callable[[], None]) -> None:
        # The store is in memory: APScheduler's SQL store pickles, and there is nothing to remember.
        self._scheduler = BackgroundScheduler()
        self._scheduler.add_job(
            job,
            CronTrigger(hour=at.hour, minute=at.minute),
            id="constancy",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=LATE_S,
        )

    def start(self) -> None:
        """Begin to wait."""
        self._scheduler.start()

    @property
    def next_run(self) -> datetime | None:
        """When the job will be done next; None before the start."""
        found: datetime | None = getattr(self._scheduler.get_job("constancy"), "next_run_time", None)
        return found

    def stop(self) -> None:
        """Fire no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
