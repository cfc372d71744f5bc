"""The daemon's side of the contouring process: asked, timed out, killed, replaced."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import structlog

from dicomnode.errors import ContouringError

log = structlog.get_logger(__name__)

Request = dict[str, Any]
_READ_BYTES = 1 << 16
# What the process is told through its environment.
MEMORY_LIMIT = "DICOMNODE_MEMORY_LIMIT_BYTES"
KEY_FILE = "DICOMNODE_PSEUDONYM_KEY_FILE"
LOG_FORMAT = "DICOMNODE_LOG_FORMAT"
LOG_LEVEL = "DICOMNODE_LOG_LEVEL"


class Contourer:
    """One child process with the model in it; asked by one thread at a time, started when first needed.

    Args:
        timeout_s: after which a request is taken to hang and the process is killed.
        memory_limit_bytes: of the process's data; 0 for no limit.
        environment: what the process is told beside what this one was.
        command: that starts the process.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        memory_limit_bytes: int = 0,
        environment: Mapping[str, str] | None = None,
        command: tuple[str, ...] = (sys.executable, "-m", "dicomnode.contouring_process"),
    ) -> None:
        self._timeout_s = timeout_s
        # Threads of the network that wait by spinning would take the processor from the receiver.
        self._environment = {MEMORY_LIMIT: str(memory_limit_bytes), "OMP_WAIT_POLICY": "PASSIVE", **(environment or {})}
        self._command = command
        self._asked = threading.Lock()
        self._closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: Request) -> Request:
        """Return the values of the answer.

        A process that died, hung or ran out of memory is replaced, and asked once more.

        Raises:
            ContouringError: with the reasons, if the series was refused; or with what went wrong, twice.
        """
        with self._asked:
            try:
                return self._once(request)
            except ContouringError as error:
                if not error.retry:
                    raise
                log.warning("the contouring process was replaced", reason=str(error))
                return self._once(request)

    def _once(self, request: Request) -> Request:
        process = self._running()
        reply = self._exchange(process, json.dumps(request).encode() + b"\n")
        if reply["outcome"] == "refused":
            raise ContouringError("the series was refused", reasons=reply["reasons"])
        if reply["outcome"] == "failed":
            if reply["retry"]:
                self._kill()
            raise ContouringError(reply["text"], retry=reply["retry"])
        return reply

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], line: bytes) -> Request:
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the contouring process was started without pipes")
        deadline = time.monotonic() + self._timeout_s
        received = b""
        try:
            stdin.write(line)
            stdin.flush()
            while not received.endswith(b"\n"):
                ready, _, _ = select.select([stdout], [], [], max(deadline - time.monotonic(), 0))
                if not ready:
                    self._kill()
                    raise ContouringError(f"contouring did not end within {self._timeout_s:g} s", retry=True)
                part = os.read(stdout.fileno(), _READ_BYTES)
                if not part:
                    break
                received += part
        except BrokenPipeError:
            received = b""
        if not received.endswith(b"\n"):
            code = self._kill()
            self._wait_if_closed()
            raise ContouringError(f"the contouring process ended unexpectedly (exit code {code})", retry=True)
        reply: Request = json.loads(received)
        return reply

    def _kill(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        return process.wait()

    def _wait_if_closed(self) -> None:
        # The daemon stops: the step that asked must not record a failure, it is done again at the next start.
        if self._closed.is_set():
            threading.Event().wait()

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self._asked.locked()

    def close(self) -> None:
        """End the process for good; whoever waits for an answer never gets one, and the daemon exits."""
        self._closed.set()
        process = self._process
        if process is not None:
            process.kill()
        if self._asked.acquire(blocking=False):  # else the thread that asked clears up behind the process
            self._kill()
            self._asked.release()
