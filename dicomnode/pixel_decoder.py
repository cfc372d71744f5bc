"""The daemon's side of the child process that decodes pixels: started when needed, limited, killed when it hangs."""

import json
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass

from dicomnode.errors import NotUnderstood


@dataclass(frozen=True)
class Frame:
    """What a decoder must know of one frame.

    Args:
        syntax: Transfer Syntax UID.
        rows: of the frame.
        columns: of the frame.
        bits_allocated: 8, 16 or 32.
        bits_stored: at most as many.
    """

    syntax: str
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int


class PixelDecoder:
    """Decodes one frame at a time in a process of its own; safe to use from many threads.

    Args:
        timeout_s: after which a frame is given up, in seconds.
        memory_mib: the most memory that the process may use, in MiB.
    """

    def __init__(self, *, timeout_s: float = 30.0, memory_mib: int = 2048) -> None:
        self._timeout_s = timeout_s
        self._memory_mib = memory_mib
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def digest(self, data: bytes, frame: Frame) -> str:
        """Return the SHA-256 of the stored values of a frame: equal for equal pixels, however they are encoded.

        Raises:
            NotUnderstood: the frame cannot be decoded, or not within the limits of time and memory.
        """
        with self._lock:
            try:
                reply = self._ask(data, frame)
            except (OSError, ValueError):
                self._end()
                raise NotUnderstood("the pixels could not be decoded") from None
        if "sha256" not in reply:
            raise NotUnderstood("the pixels could not be decoded")
        return str(reply["sha256"])

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._end()

    def _ask(self, data: bytes, frame: Frame) -> dict[str, str]:
        process = self._running()
        if process.stdin is None or process.stdout is None:
            raise OSError("the process has no pipes")
        request = json.dumps({**asdict(frame), "length": len(data)}).encode()
        # A decoder that does not read would block the write: the deadline must hold from here.
        timer = threading.Timer(self._timeout_s, process.kill)
        timer.start()
        try:
            process.stdin.write(request + b"\n" + data)
            process.stdin.flush()
            reply = process.stdout.readline()
        finally:
            timer.cancel()
        if not reply:
            raise OSError("the process ended")
        answer: dict[str, str] = json.loads(reply)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the process; a new one if it has ended, as it does when nobody asks for a while."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            command = [sys.executable, "-m", "dicomnode.pixel_process", str(self._memory_mib)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was not yet written to a dead process is not wanted any more
        self._process = None
