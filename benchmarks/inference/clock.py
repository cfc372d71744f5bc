"""Time on the wall and of the processor, and memory, of a piece of work; and the rate of a large matrix product."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Adds up what each stage took.

    Args:
        device: that is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stages: dict[str, Seconds] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Take the time of what is done within."""
        self.wait()
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.wait()
        took = Seconds(time.perf_counter() - wall, time.process_time() - processor)
        self.stages[name] = self.stages.get(name, Seconds()) + took

    def wait(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def product_rate(device: torch.device, numbers: torch.dtype) -> float:
    """Return the FLOP/s of a large matrix product: the most that convolutions could have; the best of three."""
    size = PRODUCT_SIZE[device.type]
    one, other = (torch.rand(size, size, device=device).to(numbers) for _ in range(2))
    took = []
    with torch.inference_mode():
        torch.mm(one, other)
        for _ in range(3):
            clock = Clock(device)
            with clock.stage("product"):
                torch.mm(one, other)
            took.append(clock.stages["product"].on(device))
    return 2 * size**3 / min(took)


def forget_peak(device: torch.device) -> None:
    """Begin to look for the peak of memory anew, where Linux lets a process do so."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR.exists():
        CLEAR.write_text("5", encoding="ascii")  # proc(5): resets VmHWM


def peak_mib(device: torch.device) -> float:
    """Return the most memory since then, MiB; NaN where it is not told."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    if not STATUS.exists():
        return float("nan")
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), float("nan"))
