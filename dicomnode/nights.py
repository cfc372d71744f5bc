"""The daemon's side of adaptation: a run a night, turn by turn in a child process that gives way to clinical work."""

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from adaptation.errors import AdaptationError
from adaptation.runs import END, Run, Runs
from dicomnode.config import Configuration
from dicomnode.errors import AlreadyRunning, NodeError
from dicomnode.night_time import night_due
from dicomnode.records import NightOrder
from segmentation.durable import write_whole

log = structlog.get_logger(__name__)

LOOK_S = 0.5  # between two looks whether clinical work waits
BUSY_CODE = 75  # EX_TEMPFAIL of BSD's sysexits: another process is at it, as the one of a daemon that died
FAILURES = 5  # of the child process in a row, without a step that was done, after which a run is given up
FAILURE_WAIT_S = 60.0
FAILED = "failures"  # a file of a run
PROCESS = "dicomnode.adapting_process"


@dataclass(frozen=True)
class Outside:
    """What a night needs of the rest of the node.

    Args:
        order: has a turn done.
        is_clinical_waiting: whether a series waits to be contoured.
        alarm: raises one: kind, text, about.
        ended: is called behind each run that has ended.
        environment: what the child process is told beside what this one was.
    """

    order: Callable[[NightOrder], None]
    is_clinical_waiting: Callable[[], bool]
    alarm: Callable[[str, str, str], None]
    ended: Callable[[], None] = lambda: None
    environment: Mapping[str, str] | None = None


class Nights:
    """Begins runs, and takes their turns.

    Args:
        configuration: of the node.
        outside: what it needs of the rest of the node.
        command: that starts the child process, without its last argument; None for this project's.
    """

    def __init__(self, configuration: Configuration, outside: Outside, command: tuple[str, ...] | None = None) -> None:
        self._configuration = configuration
        self._outside = outside
        self._command = command
        self._runs = Runs(configuration.node.data_dir / "adaptation" / "runs")
        self._closing = threading.Event()
        self._closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, now: datetime) -> str:
        """Order the night's run, if its time has come and it was not done before; return its name, or nothing.

        Whatever calls this twice, at whatever time the clocks say that it is, there is one run a date.

        Args:
            now: in the site's local time.
        """
        nights = self._configuration.nights
        due = night_due(now, nights.daily_at, timedelta(hours=nights.late_h))
        if not nights.adapt or due is None:
            return ""
        name = due.isoformat()
        run = self._runs.run(name)
        if run.folder.exists():  # it has begun: the engine has its turns, and takes them up where they were
            return ""
        self._end_the_given_up()
        self._outside.order(NightOrder(self._configuration.node.ae_title, name, 1))
        return name

    def _end_the_given_up(self) -> None:
        """End what an earlier night left, as where the engine gave a turn up."""
        for run in self._runs.unfinished():
            log.warning("a run was never finished", run=run.name)
            stop_run(run, "it was never finished", datetime.now(UTC))

    def turn(self, order: NightOrder) -> str:
        """Take a turn of a run, and order the next one unless the run has ended; return what came of it."""
        run = self._runs.run(order.run)
        if not run.is_ended:
            code = self._in_child(run, order)
            if code == BUSY_CODE:
                self._outside.order(replace(order, turn=order.turn + 1, delay_s=FAILURE_WAIT_S))
                return "another process is at it"
            self._note_exit(run, code)
        if run.is_ended:
            run.clear_work()  # a patient may have been forgotten while the process was at it
            self._tell(run)
            return "ended"
        wait_s = FAILURE_WAIT_S if _failures(run) else 0.0
        self._outside.order(replace(order, turn=order.turn + 1, delay_s=wait_s))
        return "goes on"

    def _note_exit(self, run: Run, code: int) -> None:
        """Count the failures of the child process, and end a run that only fails."""
        counted, before = run.folder / FAILED, _failures(run)
        if code == 0:
            counted.unlink(missing_ok=True)
            return
        log.warning("the adapting process ended unexpectedly", run=run.name, code=code)
        if before + 1 >= FAILURES:
            stop_run(run, f"the adapting process ended unexpectedly (exit code {code})", datetime.now(UTC))
            return
        write_whole(counted, f"{before + 1} {_steps_done(run)}".encode())

    def _in_child(self, run: Run, order: NightOrder) -> int:
        """Have a child process take a turn; return its exit code."""
        run.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        pause, request = run.work / "pause", run.work / "request.json"
        pause.unlink(missing_ok=True)
        alone = self._configuration.nights.training.processes == 1
        asked = {"run": order.run, "by": order.by, "force": order.force}
        content = {
            "configuration": self._configuration.model_dump(mode="json"),
            "pause": str(pause),
            "daemon": os.getpid(),
            "asked": asked,
            "alone": alone,
        }
        write_whole(request, json.dumps(content).encode())
        environment = {**os.environ, **(self._outside.environment or {})}
        process = subprocess.Popen(
            (*self._words(run, alone=alone), str(request)),
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self._process = process
        while process.poll() is None:
            if self._outside.is_clinical_waiting() or self._closing.is_set():
                pause.touch()
            try:
                process.wait(LOOK_S)
            except subprocess.TimeoutExpired:
                continue
        self._process = None
        if self._closed.is_set():
            # The daemon stops: this is no failure, and the turn is taken again at the next start.
            threading.Event().wait()
        return process.returncode

    def _words(self, run: Run, *, alone: bool) -> tuple[str, ...]:
        """Return the command: one process, or for a training that is shared as many as the configuration says."""
        if self._command is not None:
            return self._command
        if alone or not run.has("pace") or run.has("train"):
            return (sys.executable, "-m", PROCESS)
        count = self._configuration.nights.training.processes
        launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}")
        return (*launcher, "-m", PROCESS)

    def _tell(self, run: Run) -> None:
        """Tell of a run that has ended: what a person must know is an alarm."""
        end = run.read(END)
        log.info("a run of adaptation has ended", run=run.name, outcome=end["outcome"], text=end["text"])
        if end["outcome"] == "stopped":
            self._outside.alarm("adaptation", f"the run {run.name} was stopped: {end['text']}", run.name)
        elif run.has("register") and run.read("register")["digest"]:
            text = f"the run {run.name} made a candidate: {end['text']}; `dicomnode adapt show {run.name}` says more"
            self._outside.alarm("candidate", text, run.name)
        self._tell_of_shadow(run)
        self._outside.ended()

    def _tell_of_shadow(self, run: Run) -> None:
        """Tell that what ran in the shadow was judged, and a person or the site's switch has it now."""
        judged = run.read("shadow") if run.has("shadow") else {}
        if what := judged.get("what"):
            text = f"the candidate of the run {judged['run']} has been in the shadow: {judged['outcome']}; {what}"
            self._outside.alarm("candidate", f"{text}; `dicomnode adapt show {run.name}` says more", judged["run"])

    def pause(self) -> None:
        """Let the turn that is taken end with its next step: the daemon stops."""
        self._closing.set()

    def close(self) -> None:
        """End the child process for good; whoever waits for its turn never gets one, and the daemon exits."""
        self._closing.set()
        self._closed.set()
        process = self._process
        if process is not None:
            process.kill()


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Be the only process that adapts on a data folder.

    Args:
        root: of runs, features and scores.

    Raises:
        AlreadyRunning: another process is at it.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning("another process adapts the model of this data folder") from None
        yield


def _failures(run: Run) -> int:
    """Return how often in a row the child process of a run failed without having done a step."""
    counted = run.folder / FAILED
    if not counted.exists():
        return 0
    count, done = map(int, counted.read_text().split())
    return count if done == _steps_done(run) else 0


def _steps_done(run: Run) -> int:
    return len(list(run.folder.glob("*.json")))


def stop_run(run: Run, text: str, at: datetime) -> None:
    """End a run that cannot go on.

    Raises:
        NodeError: the disk refuses.
    """
    try:
        run.keep(END, {"at": at.isoformat(), "outcome": "stopped", "text": text})
        run.clear_work()
    except (OSError, AdaptationError) as error:
        raise NodeError(f"the run {run.name} cannot be ended: {error}") from error
