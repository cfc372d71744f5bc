"""A node under attack: the attacker comes from one loopback address, and a peer at work from another.

A test says what the attacker does; here stands what must hold whatever that is: the peer is served, and when the
attacker has gone, the node has no thread, no descriptor and no memory more than before.
"""

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from dicomnode.peers import Peer
from tests.support.instances import ct_instance, encode
from tests.support.node import LOOPBACK, Node, make_node, running, wait_until
from tests.support.wire import ASSOCIATE_AC, Wire, wire

WORKER, ATTACKER = "127.0.0.2", "127.0.0.3"
SERVED_S = 1.0  # the median; a machine that runs other tests beside this one may be late now and then
SERVED_AT_WORST_S = 8.0
BACK_S = 15.0
MORE_THREADS, MORE_DESCRIPTORS = 4, 2
BUSY, WARM_UPS = 8, 4  # associations at once, and how often
MIB = 1 << 20
ACSE_S, DIMSE_S, NETWORK_S = 2.0, 3.0, 3.0
MESSAGE_LIMIT_MIB = 8
IGNORE_ALL = '[[rules]]\nname = "all"\naction = "ignore"\n'
BIG = 1_000_000  # numbers of the worker's instances begin here; the attackers' are below


@dataclass(frozen=True)
class Resources:
    """What a process holds."""

    threads: int
    descriptors: int
    memory: int


@dataclass
class Siege:
    """A node that is attacked, and the peer at work.

    Args:
        node: it runs.
        waits_s: how long each service took that the worker asked for, in seconds.
        faults: what went wrong with the worker.
    """

    node: Node
    waits_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(BIG))

    @property
    def address(self) -> tuple[str, int]:
        """Where the node listens."""
        return LOOPBACK, self.node.port

    @property
    def process(self) -> psutil.Process:
        """The node's process."""
        assert self.node.process is not None
        return psutil.Process(self.node.process.pid)

    @property
    def resources(self) -> Resources:
        """What the node holds now."""
        process = self.process
        return Resources(process.num_threads(), descriptors_of(process.pid), process.memory_info().rss)

    @property
    def temporary(self) -> Path:
        """The node's folder for temporary files."""
        return self.node.folder / "temporary"

    @property
    def files(self) -> list[Path]:
        """The instances that the node has kept."""
        return sorted((self.node.data / "instances").glob("*/*.dcm"))

    @property
    def parts(self) -> list[Path]:
        """What the node has begun to write."""
        return sorted((self.node.data / "incoming").glob("*"))

    @contextmanager
    def attacker(self, *, timeout_s: float = 20.0) -> Iterator[Wire]:
        """Connect as the attacker."""
        with wire(self.address, ATTACKER, timeout_s=timeout_s) as connection:
            yield connection

    @contextmanager
    def inside(self, **options: Any) -> Iterator[Wire]:
        """Connect as the attacker with an association: a peer may have been taken over."""
        with self.attacker() as connection:
            kind, _ = connection.ask("MALLORY", **options)
            assert kind == ASSOCIATE_AC
            yield connection

    @contextmanager
    def attackers(self, number: int) -> Iterator[list[Wire]]:
        """Connect as the attacker, many times."""
        with ExitStack() as connections:
            yield [connections.enter_context(self.attacker()) for _ in range(number)]

    def serve(self) -> None:
        """Let the worker ask for a C-ECHO and a C-STORE on an association of their own."""
        number = next(self._numbers)
        ds = ct_instance(number, series=f"1.2.826.0.1.3680043.8.498.{number % 7 + 40}", rows=64, columns=64)
        begin = time.monotonic()
        with wire(self.address, WORKER) as peer:
            kind, _ = peer.ask("WORKER")
            assert kind == ASSOCIATE_AC, f"the worker's association was answered with PDU {kind}"
            answers = peer.echo(), peer.store(ds.SOPInstanceUID, encode(ds))
            peer.release()
        self.waits_s.append(time.monotonic() - begin)
        assert answers == (0x0000, 0x0000), f"the worker was answered {answers}"

    def warm_up(self) -> None:
        """Use the node as a busy department does: what that leaves for good is no attack's doing."""
        for _ in range(WARM_UPS):
            with ThreadPoolExecutor(BUSY) as workers:
                for one in [workers.submit(self.serve) for _ in range(BUSY)]:
                    one.result()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let the worker work as long as the block runs, and at least five times."""
        over = threading.Event()
        self.waits_s.clear()
        self.faults.clear()

        def work() -> None:
            while not over.is_set() or len(self.waits_s) + len(self.faults) < 5:
                try:
                    self.serve()
                except (AssertionError, OSError) as fault:
                    self.faults.append(f"{type(fault).__name__}: {fault}")
                over.wait(0.05)

        thread = threading.Thread(target=work, name="worker")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def withstood(self, *, growth_mib: float = 10, threads: int = 30) -> Iterator[None]:
        """Let the worker work during the attack that the block makes, and hold the node to what it must keep.

        Args:
            growth_mib: that the node may keep when the attack is over.
            threads: that the node may have more during the attack.
        """
        before = self.resources
        with self.working():
            yield
            during = self.resources
        assert self.faults == [], self.faults
        assert statistics.median(self.waits_s) <= SERVED_S, self.waits_s
        assert max(self.waits_s) <= SERVED_AT_WORST_S, self.waits_s
        assert during.threads <= before.threads + threads, f"{before} was, {during} was during the attack"
        wait_until(lambda: self._is_back(before), BACK_S, lambda: f"{before} was, {self.resources} is")
        growth = (self.resources.memory - before.memory) / MIB
        assert growth <= growth_mib, f"{growth:.1f} MiB more than before"
        assert self.parts == [], self.parts

    def _is_back(self, before: Resources) -> bool:
        now = self.resources
        return now.threads <= before.threads + MORE_THREADS and now.descriptors <= before.descriptors + MORE_DESCRIPTORS


def descriptors_of(pid: int) -> int:
    """Return how many descriptors a process has; the database's pool, which has a bound of its own, left out."""
    found = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            found += ".sqlite" not in descriptor.readlink().name
    return found


@contextmanager
def besieged(folder: Path, more: Mapping[str, Mapping[str, object]] | None = None, *others: Peer) -> Iterator[Siege]:
    """Run a node with short timeouts that knows a worker and an attacker, each from their own address, and others."""
    receiving = {
        "acse_timeout_s": ACSE_S,
        "dimse_timeout_s": DIMSE_S,
        "network_timeout_s": NETWORK_S,
        "message_limit_mib": MESSAGE_LIMIT_MIB,
    }
    tables = {"receiving": receiving, "logging": {"level": "DEBUG"}}
    for name, values in (more or {}).items():
        tables[name] = {**tables.get(name, {}), **values}
    node = make_node(folder, *besiegers(), *others, rules=IGNORE_ALL, more=tables)
    siege = Siege(node)
    siege.temporary.mkdir()
    with running(node, environment={"TMPDIR": str(siege.temporary)}):
        siege.warm_up()
        yield siege


def besiegers() -> tuple[Peer, Peer]:
    """Return the two peers that a besieged node knows."""
    return Peer("WORKER", WORKER, 11113, may=("send_ct",)), Peer("MALLORY", ATTACKER, 11114, may=("send_ct",))
