"""The daily look at what physicians changed of our contours: concerns become alarms, a month that is over a report."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import structlog

from adaptation.case_record import CaseRecord
from adaptation.cases import CaseStore
from adaptation.errors import AdaptationError
from adaptation.limits import WatchLimits
from adaptation.months import month_before, month_of
from adaptation.watch import Concern, concerns_of
from dicomnode.alarms import News
from dicomnode.config import Configuration
from dicomnode.node import cases_folder

log = structlog.get_logger(__name__)

REPORT_S = 600.0  # to draw a month's page; a busy machine needs a minute for ten thousand cases


def report_file(data_dir: Path, month: str) -> Path:
    """Return where the report of a month lies."""
    return data_dir / "adaptation" / "reports" / f"{month}.html"


@dataclass(frozen=True)
class ContourWatch:
    """Looks at the case store once a day.

    Args:
        configuration: of the node.
        alarm: raises one: kind, text, about.
        announce: tells people of a report.
        draw: makes the page of a month from the folder of cases into a file; says whether it could.
        go_back: rolls back the version that a concern is about, where it may; says in words what it did, or nothing.
    """

    configuration: Configuration
    alarm: Callable[[str, str, str], None]
    announce: Callable[[News], None]
    draw: Callable[[Path, str, Path, WatchLimits], bool]
    go_back: Callable[[Concern, datetime], str] = lambda _concern, _now: ""

    def step(self, now: datetime) -> tuple[Concern, ...]:
        """Look once; to look twice a day does no harm.

        Args:
            now: with its time zone.
        """
        data_dir, watching = self.configuration.node.data_dir, self.configuration.watching
        try:
            records = CaseStore(cases_folder(data_dir)).records()
        except (AdaptationError, OSError) as error:
            self.alarm("watch", f"what was approved cannot be looked at: {error}", "watch")
            return ()
        found = concerns_of(records, now, watching.limits)
        for concern in found:
            done = self.go_back(concern, now) if concern.goes_back and watching.auto_rollback else ""
            hint = "; `dicomnode models rollback` goes back to the version before" if concern.goes_back else ""
            self.alarm(concern.kind, f"{concern.text}{hint}", concern.about)
            if done:
                self.alarm("rollback", done, concern.about)
        log.info("approved contours were looked at", cases=len(records), concerns=len(found))
        if watching.monthly_report:
            self._report(records, now)
        return found

    def _report(self, records: tuple[CaseRecord, ...], now: datetime) -> None:
        """Make the report of the last month that is over, once, if anything came back in it."""
        month = month_before(now)
        path = report_file(self.configuration.node.data_dir, month)
        if path.exists() or not any(month_of(record.filed) == month for record in records):
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        cases = cases_folder(self.configuration.node.data_dir)
        if self.draw(cases, month, path, self.configuration.watching.limits):
            text = f"the report on the contours that were approved in {month} is written: {path.name}"
            self.announce(News("report", text, month, now, path))


def draw_in_child(cases: Path, month: str, path: Path, limits: WatchLimits) -> bool:
    """Make the page of a month in a process of its own, which may load what the daemon does not."""
    command = [
        sys.executable,
        "-m",
        "dicomnode.month_process",
        str(cases),
        month,
        str(path),
        json.dumps(asdict(limits)),
    ]
    try:
        subprocess.run(command, check=True, timeout=REPORT_S, stdin=subprocess.DEVNULL)
    except (subprocess.SubprocessError, OSError) as error:
        log.warning("the report of a month could not be made", month=month, error=type(error).__name__)
        return False
    return True
