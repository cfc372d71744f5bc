"""The node's command line with a death built in: production code needs no hook for it.

Environment: KILL_AT names a point, `contour:before` or one of the others below; KILL_SERIES the series (of `file` the
approval), by its number in the ledger, whose work is cut short there; STEPS a file that gets a line for each step that
begins, `contour 1`.

A step has up to four points: `before` it has done anything; `in` it; `done`, where its effect is in the world and the
ledger does not know; `after`, where the ledger knows and the engine does not.
"""

import os
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

from dicomnode import scu
from dicomnode.approvals import Approvals
from dicomnode.cli import main
from dicomnode.contourer import Contourer
from dicomnode.jobs import Jobs
from dicomnode.ledger import Ledger

STEP, _, POINT = os.environ.get("KILL_AT", ":").partition(":")
VICTIM = int(os.environ.get("KILL_SERIES", "0"))
OWNER: dict[str, Any] = {"contour": Jobs, "write": Jobs, "deliver": Jobs, "file": Approvals}
IN = {
    "contour": (Contourer, "_exchange"),
    "write": (Contourer, "_exchange"),
    "deliver": (scu, "_store"),
    "file": (Contourer, "_exchange"),
}
DONE = {
    "contour": (Jobs, "contour"),
    "write": (Ledger, "note_result"),
    "deliver": (Ledger, "note_sent"),
    "file": (Ledger, "note_filed"),
}
under_way: list[tuple[str, int]] = []


def die() -> NoReturn:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL does not return")


def is_time(step: str, point: str) -> bool:
    """Whether the work under way has come to the point."""
    return point == POINT and step == STEP and (step, VICTIM) in under_way


def series_of(jobs: Any, step: str, number: int) -> int:
    """Return the number of the series that a step works on."""
    if step != "deliver":
        return number
    ledger = jobs._ledger
    return int(ledger.result(ledger.delivery(number).result_id).series_id)


def watch_step(step: str) -> None:
    """Let a step leave a line when it begins, and die before and after it."""
    function: Callable[..., Any] = getattr(OWNER[step], step)

    @wraps(function)
    def watched(self: Any, number: int, *rest: Any) -> Any:
        work = (step, series_of(self, step, number))
        with Path(os.environ["STEPS"]).open("a") as file:
            file.write(f"{step} {work[1]}\n")
        under_way.append(work)
        if is_time(step, "before"):
            die()
        result = function(self, number, *rest)
        if is_time(step, "after"):
            die()
        under_way.remove(work)
        return result

    setattr(OWNER[step], step, watched)


def watch_inside(point: str, step: str, owner: Any, name: str) -> None:
    """Let a call that a step makes be the last thing."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def watched(*arguments: Any, **options: Any) -> Any:
        if is_time(step, point):
            if name == "_exchange":  # the child has the request when its parent goes
                _, process, line = arguments
                process.stdin.write(line)
                process.stdin.flush()
            die()
        return function(*arguments, **options)

    setattr(owner, name, watched)


if __name__ == "__main__":
    for each in OWNER:
        watch_step(each)
    if POINT == "in":
        watch_inside(POINT, STEP, *IN[STEP])
    if POINT == "done":
        watch_inside(POINT, STEP, *DONE[STEP])
    main()
