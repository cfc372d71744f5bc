"""The runs of adaptation in a folder: each what was planned, what each step came to, and how it ended.

`RUN/plan.json`, `RUN/features.json` and so on say what each step came to: a step whose file is there is done, and is
not done again. `RUN/end.json` says how the run ended. `RUN/work` holds checkpoint and candidate until then.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from adaptation.errors import AdaptationError
from adaptation.looks import Look
from adaptation.run_plan import Plan, parse_plan
from segmentation.durable import write_whole

NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
PLAN, END = "plan", "end"
Values = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run.

    Args:
        folder: its own, named as the run.
    """

    folder: Path

    @property
    def name(self) -> str:
        """By which the run is called."""
        return self.folder.name

    @property
    def work(self) -> Path:
        """What is only needed until the run has ended."""
        return self.folder / "work"

    @property
    def is_ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.has(END)

    def has(self, step: str) -> bool:
        """Whether a step is done."""
        return (self.folder / f"{step}.json").is_file()

    def read(self, step: str) -> Values:
        """Return what a step came to.

        Raises:
            AdaptationError: where that is not there or cannot be read.
        """
        try:
            values = json.loads((self.folder / f"{step}.json").read_bytes())
        except (OSError, ValueError) as error:
            raise AdaptationError(f"the {step} of run {self.name} cannot be read: {type(error).__name__}") from error
        if not isinstance(values, dict):
            raise AdaptationError(f"the {step} of run {self.name} is not what a run writes")
        return values

    def keep(self, step: str, values: Mapping[str, Any] | bytes) -> None:
        """Write what a step came to: from then on it is done, whatever happens."""
        self.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = values if isinstance(values, bytes) else json.dumps(values, indent=1, allow_nan=False).encode()
        write_whole(self.folder / f"{step}.json", content)

    def plan(self) -> Plan:
        """Return what was planned.

        Raises:
            AdaptationError: where that is not there or cannot be read.
        """
        try:
            return parse_plan((self.folder / f"{PLAN}.json").read_bytes())
        except OSError as error:
            raise AdaptationError(f"there is no plan of run {self.name}") from error

    @property
    def at(self) -> datetime:
        """When it was planned, or ended where it never was."""
        return self.plan().at if self.has(PLAN) else datetime.fromisoformat(self.read(END)["at"])

    def clear_work(self) -> None:
        """Delete checkpoint and candidate."""
        shutil.rmtree(self.work, ignore_errors=True)


@dataclass(frozen=True)
class Runs:
    """All runs.

    Args:
        folder: of the runs.
    """

    folder: Path

    def run(self, name: str) -> Run:
        """Return a run by its name, there or not.

        Raises:
            AdaptationError: that is no name.
        """
        if not NAME.fullmatch(name):
            raise AdaptationError(f"{name[:80]!r} is no name of a run")
        return Run(self.folder / name)

    def all(self) -> tuple[Run, ...]:
        """Return every run that was planned or has ended, in the order in which they were."""
        folders = {path.parent for step in (PLAN, END) for path in self.folder.glob(f"*/{step}.json")}
        return tuple(sorted(map(Run, folders), key=lambda run: (run.at, run.name)))

    def unfinished(self) -> tuple[Run, ...]:
        """Return the runs that have something left to do."""
        return tuple(run for run in self.all() if not run.is_ended and run.has(PLAN))

    def looks(self) -> tuple[Look, ...]:
        """Return every look at the gate, oldest first."""
        found = [run.read("judge") for run in self.all() if run.has("judge")]
        return tuple(
            Look(
                datetime.fromisoformat(one["at"]),
                float(one["alpha"]),
                bool(one["lets_through"]),
                int(one.get("generation", 1)),
            )
            for one in found
        )

    def last_look(self) -> Plan | None:
        """Return the plan of the last run that took a look; None if none did."""
        found = [run for run in self.all() if run.has("judge")]
        return found[-1].plan() if found else None

    def forget(self, is_gone: Callable[[str], bool], at: datetime) -> tuple[str, ...]:
        """End every unfinished run that a case is in which goes, and delete what it has trained; return their names.

        Args:
            is_gone: whether a case goes, by its name.
            at: UTC.
        """
        ended = []
        for run in self.unfinished():
            if any(map(is_gone, run.plan().names)):
                run.clear_work()
                run.keep(END, {"at": at.isoformat(), "outcome": "stopped", "text": "a patient of it was forgotten"})
                run.clear_work()
                ended.append(run.name)
        return tuple(ended)
