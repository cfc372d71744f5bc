"""Time on the wall and of the processor, and memory, of a piece of work; and the rate of a large matrix product."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

PRODUCT_SIZE = {"cpu": 2048, "cuda": 8192}
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Seconds:
    """How long something took.

    Args:
        wall: on the wall.
        processor: of all threads of this process; on CUDA it says nothing.
    """

    wall: float = 0.0
    processor: float = 0.0

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.wall + other.wall, self.processor + other.processor)

    def __mul__(self, times: float) -> "Seconds":
        return Seconds(self.wall * times, self.processor * times)

    def on(self, device: torch.device) -> float:
        """Return what is compared: processor time, and on CUDA time on the wall."""
        return self.wall if device.type == "cuda" else self.processor


class Clock:
    """Adds up what each stage took, from one lap to the next.

    Args:
        device: that is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stages: dict[str, Seconds] = {}
        self._last = self._now()

    def lap(self, stage: str, times: float = 1.0) -> None:
        """Put the time since the last lap down to a stage, as often as it stands for."""
        now = self._now()
        took = Seconds(now.wall - self._last.wall, now.processor - self._last.processor)
        self.stages[stage] = self.stages.get(stage, Seconds()) + took * times
        self._last = self._now()

    def _now(self) -> Seconds:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return Seconds(time.perf_counter(), time.process_time())


def product_rate(device: torch.device, numbers: torch.dtype) -> float:
    """Return the FLOP/s of a large matrix product: the most that convolutions could have; the best of three."""
    size = PRODUCT_SIZE[device.type]
    one, other = (torch.rand(size, size, device=device).to(numbers) for _ in range(2))
    took = []
    with torch.inference_mode():
        torch.mm(one, other)
        for _ in range(3):
            clock = Clock(device)
            torch.mm(one, other)
            clock.lap("product")
            took.append(clock.stages["product"].on(device))
    return 2 * size**3 / min(took)


def forget_peak(device: torch.device) -> float:
    """Begin to look for the peak of memory anew, where Linux lets a process do so; return what it has, MiB."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return float(torch.cuda.memory_allocated(device)) / 2**20
    if CLEAR.exists():
        CLEAR.write_text("5", encoding="ascii")  # proc(5): resets VmHWM
    return status_mib("VmRSS")


def peak_mib(device: torch.device) -> float:
    """Return the most memory since then, MiB; NaN where it is not told."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    return status_mib("VmHWM")


def status_mib(name: str) -> float:
    """Return a line of Linux' account of this process, MiB; NaN where there is none."""
    lines = STATUS.read_text(encoding="ascii").splitlines() if STATUS.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), float("nan"))
