"""A death built into a call, for the programs that the tests kill at each of their steps."""

import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn


def die() -> NoReturn:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL does not return")


def die_before(owner: Any, name: str) -> None:
    """Let a call be the one that is never made."""
    setattr(owner, name, lambda *_, **__: die())


def die_after(owner: Any, name: str) -> None:
    """Let a call be the last one."""
    function: Callable[..., Any] = getattr(owner, name)

    def last(*arguments: Any, **options: Any) -> Any:
        function(*arguments, **options)
        die()

    setattr(owner, name, last)
