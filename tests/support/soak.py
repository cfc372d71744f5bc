"""Many peers send for a long time: what was acknowledged, and what the node held meanwhile."""

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dicomnode.instance_file import parse_file
from tests.support.instances import ct_instance, encode
from tests.support.siege import Resources, Siege
from tests.support.wire import wire

OF_ONE_ASSOCIATION = 60
ROOT = "1.2.826.0.1.3680043.8.498"


@dataclass
class Soak:
    """What came of it.

    Args:
        acknowledged: SHA-256 of each data set that was answered with Success, by its UID.
        refused: how many were answered otherwise.
        seconds: that it took.
        held: seconds since it began, and what the node held then.
    """

    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    seconds: float = 0.0
    held: list[tuple[float, Resources]] = field(default_factory=list)

    def slope_mb_per_hour(self) -> float:
        """Return by how much memory grew in the second half, least squares; the first half is warming up."""
        half = self.held[len(self.held) // 2 :]
        times = [seconds / 3600 for seconds, _ in half]
        memory = [resources.memory / 1e6 for _, resources in half]
        middle, level = sum(times) / len(times), sum(memory) / len(memory)
        spread = sum((each - middle) ** 2 for each in times)
        return sum((t - middle) * (m - level) for t, m in zip(times, memory, strict=True)) / spread


def soak(siege: Siege, *, clients: int, instances: int, rows: int, every_s: float = 1.0) -> Soak:
    """Let clients send instances, sixty on an association, and look at the node every now and then."""
    outcome, over = Soak(), threading.Event()
    series = iter(range(1, -(-instances // OF_ONE_ASSOCIATION) + 1))
    begin = time.monotonic()

    def look() -> None:
        while not over.is_set():
            outcome.held.append((time.monotonic() - begin, siege.resources))
            over.wait(every_s)

    def send(numbers: Iterator[int]) -> None:
        for number in numbers:
            _send_series(siege, outcome, f"{ROOT}.{number}", rows)

    watcher = threading.Thread(target=look)
    watcher.start()
    with ThreadPoolExecutor(clients) as senders:
        for sent in [senders.submit(send, series) for _ in range(clients)]:
            sent.result()
    outcome.seconds = time.monotonic() - begin
    over.set()
    watcher.join()
    return outcome


def _send_series(siege: Siege, outcome: Soak, series: str, rows: int) -> None:
    with wire(siege.address, "127.0.0.2", timeout_s=60.0) as peer:
        peer.ask("WORKER")
        for number in range(1, OF_ONE_ASSOCIATION + 1):
            ds = ct_instance(number, series=series, rows=rows, columns=rows)
            data = encode(ds)
            if peer.store(ds.SOPInstanceUID, data) == 0x0000:
                outcome.acknowledged[ds.SOPInstanceUID] = hashlib.sha256(data).hexdigest()
            else:
                outcome.refused += 1
        peer.release()


def lost_or_altered(siege: Siege, outcome: Soak) -> list[str]:
    """Return the instances that were acknowledged and are not there byte by byte."""
    files = (parse_file(path.read_bytes()) for path in siege.files)
    kept = {file.sop_instance_uid: hashlib.sha256(file.data).hexdigest() for file in files}
    return [uid for uid, digest in outcome.acknowledged.items() if kept.get(uid) != digest]
