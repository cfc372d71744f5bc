"""The node's command line with a death built into the way of an instance: production code needs no hook for it.

Environment: KILL_AT names a step, `KILL_AFTER` how many instances have passed it before. The steps are those between a
C-STORE request and its answer, in their order: what was done before each of them is done, what comes after is not.
"""

import os
import signal
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, NoReturn

from dicomnode import spool
from dicomnode.cli import main
from dicomnode.intake import Intake
from dicomnode.ledger import Ledger
from dicomnode.transport.socket import BoundedSocket

STEPS = ("arrived", "half written", "written", "synced", "renamed", "directory synced", "noted", "answered")
STEP, AFTER = os.environ.get("KILL_AT", ""), int(os.environ.get("KILL_AFTER", "0"))
passed = count()


def die() -> NoReturn:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL does not return")


def is_time() -> bool:
    """Whether this instance is the one."""
    return next(passed) == AFTER


def die_before(owner: Any, name: str) -> None:
    """Let a call be the one that is never made."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def watched(*arguments: Any, **options: Any) -> Any:
        if is_time():
            die()
        return function(*arguments, **options)

    setattr(owner, name, watched)


def die_after(owner: Any, name: str) -> None:
    """Let a call be the last one."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def watched(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        if is_time():
            die()
        return result

    setattr(owner, name, watched)


def die_in_the_middle_of_writing() -> None:
    """Let a file be written by half."""
    writev = os.writev

    def half(descriptor: int, parts: list[memoryview]) -> int:
        if is_time():
            os.write(descriptor, bytes(parts[0]))
            os.write(descriptor, bytes(parts[-1][: len(parts[-1]) // 2]))
            die()
        return writev(descriptor, parts)

    os.writev = half  # type: ignore[assignment]


ARM: dict[str, Callable[[], None]] = {
    "arrived": lambda: die_before(Intake, "accept"),
    "half written": die_in_the_middle_of_writing,
    "written": lambda: die_before(spool, "sync_file"),
    "synced": lambda: die_after(spool, "sync_file"),
    "renamed": lambda: die_after(spool, "rename"),
    "directory synced": lambda: die_after(spool.Spool, "keep"),
    "noted": lambda: die_after(Ledger, "note_arrivals"),  # a group of rows
    "answered": lambda: die_after(BoundedSocket, "send"),  # the first ones answer requests for associations
}

if __name__ == "__main__":
    if STEP:
        ARM[STEP]()
    main()
