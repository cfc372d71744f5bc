"""A real node as a process of its own: configured for a test, started, stopped, killed, asked.

Everything goes through what an operator has: the configuration file, the command line, the log, and signals. Only to
wait is the ledger read directly, as a command line a second would keep a processor busy.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from random import randrange
from typing import Any

from lxml.etree import fromstring
from pydicom.dataset import Dataset

from dicomnode import scu
from dicomnode.ledger import Ledger
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.scu import SendOutcome
from dicomnode.series import State
from dicomnode.tables import open_database
from segmentation.phantom_series import write_series

LOOPBACK = "127.0.0.1"
AE_TITLE = "DICOMNODE"
QUIET_S = 1.0
START_S = 60.0
CONTOUR_S = 120.0
END_STATES = frozenset({State.HELD, State.SENT, State.BLIND, State.UNDELIVERED, State.FAILED})


# Below the ports that Linux gives to outgoing connections: one of those could take a port before its server does. Each
# test process goes through them from a place of its own, and no port twice.
_ports = islice(cycle(range(12000, 32000)), randrange(20000), None)


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise AssertionError("the ports do not end")


def tps(port: int, ae_title: str = "TPS") -> Peer:
    """Return a peer that may do everything."""
    return Peer(ae_title, LOOPBACK, port, may=("send_ct", "send_approvals", "receive_results"))


def wait_until(happened: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    """Return as soon as something is so; fail with words where it is not in time."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {otherwise()}"
        time.sleep(0.05)


@dataclass
class Node:
    """A node on a data folder; it may be started again and again.

    Args:
        folder: holds the configuration, the log and the data folder.
        port: that it listens on.
        process: while it runs.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self.folder / "dicomnode.toml"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What all runs so far have logged."""
        return (self.folder / "node.log").read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log, line by line."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    @property
    def own(self) -> Peer:
        """The node as its peers see it."""
        return Peer(AE_TITLE, LOOPBACK, self.port)

    def start(self, *program: str, environment: Mapping[str, str] | None = None, wait: bool = True) -> None:
        """Start it, with `python -m dicomnode` or another program, and wait until it listens."""
        begins = len(self.log) if (self.folder / "node.log").exists() else 0
        with (self.folder / "node.log").open("ab") as log:
            command = [sys.executable, *(program or ("-m", "dicomnode")), "--config", str(self.configuration), "serve"]
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **_ONE_THREAD, **(environment or {})}
            )
        if wait:
            wait_until(lambda: self._is_ready(begins), START_S, lambda: self.log[-3000:])

    def _is_ready(self, begins: int) -> bool:
        assert self.is_alive, f"the node ended: {self.log[-3000:]}"
        return "the node is ready" in self.log[begins:]

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        """Tell it to stop as a service manager does; return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def wait_until_dead(self, seconds: float = CONTOUR_S) -> None:
        """Wait until it has ended by itself."""
        wait_until(lambda: not self.is_alive, seconds, lambda: self.log[-3000:])

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=90)

    def audit_events(self) -> list[tuple[str, str, str]]:
        """Return of each event of the audit so far what happened, how it ended (0 is well), and who asked for it."""
        lines = "".join(path.read_text() for path in sorted((self.data / "audit").glob("audit-*.log"))).splitlines()
        messages = [fromstring(line.split(" ", 2)[2]) for line in lines]
        return [
            (
                message.find("EventIdentification/EventID").get("originalText"),
                message.find("EventIdentification").get("EventOutcomeIndicator"),
                message.xpath("string(ActiveParticipant[@UserIsRequestor='true']/@UserID)"),
            )
            for message in messages
        ]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the operator's on this node's configuration."""
        command = [sys.executable, "-m", "dicomnode", "--config", str(self.configuration), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def status(self) -> Any:
        """Return what `status --json` says."""
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def series(self, series_instance_uid: str) -> Any:
        """Return what `series show --json` says of a series."""
        done = self.run("series", "show", series_instance_uid, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Open the ledger for reading."""
        engine = open_database(f"sqlite:///{self.data / 'dicomnode.sqlite'}")
        try:
            yield Ledger(engine)
        finally:
            engine.dispose()

    def wait_for(self, happened: Callable[[Ledger], bool], seconds: float = CONTOUR_S) -> None:
        """Wait until something is so in the ledger."""
        with self.ledger() as ledger:
            wait_until(lambda: happened(ledger), seconds, lambda: self._told(ledger))

    def _told(self, ledger: Ledger) -> str:
        series = [f"{one.id} {one.state} {'; '.join(one.reasons)}" for one in ledger.series_in()]
        return f"series: {series}\n{self.log[-3000:]}"

    def wait_for_end(self, *series_instance_uids: str, seconds: float = CONTOUR_S) -> dict[str, State]:
        """Wait until these series have an end state; return it for each."""
        found: dict[str, State] = {}

        def over(ledger: Ledger) -> bool:
            found.update({one.series_instance_uid: one.state for one in ledger.series_in()})
            return all(found.get(uid) in END_STATES for uid in series_instance_uids)

        self.wait_for(over, seconds)
        return {uid: found[uid] for uid in series_instance_uids}

    def send(self, paths: Sequence[Path], calling: str = "TPS") -> SendOutcome:
        """Send files to the node over one association."""
        return scu.send(self.own, paths, calling, Timeouts())

    def send_series(self, datasets: Sequence[Dataset], calling: str = "TPS") -> str:
        """Send instances to the node, every one of which it must take; return their Series Instance UID."""
        folder = self.folder / "sent" / f"{time.monotonic_ns()}"
        outcome = self.send(write_series(datasets, folder), calling)
        assert outcome.ok, outcome.comment
        return str(datasets[0].SeriesInstanceUID)


_ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # several tests share the machine


def make_node(
    folder: Path,
    *peers: Peer,
    bundle: str = "tiny",
    bundle_dir: Path | None = None,
    rules: str = "",
    more: Mapping[str, Mapping[str, object]] | None = None,
    port: int = 0,
) -> Node:
    """Write a configuration for a node, not started.

    Args:
        folder: is made, holds everything of the node's.
        peers: whom the node knows.
        bundle: the model of the one rule.
        bundle_dir: the folder with further models.
        rules: TOML instead of the one rule, which contours every CT and sends the result back.
        more: keys of the tables beside those that a test needs anyway.
        port: that it is to listen on; 0: a free one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    node = Node(folder, port or free_port())
    tables: dict[str, dict[str, object]] = {
        "node": {"ae_title": AE_TITLE, "host": LOOPBACK, "port": node.port, "data_dir": str(node.data)},
        "receiving": {
            "quiet_s": QUIET_S,
            "minimum_free_mib": 64,
            "minimum_free_percent": 0,
            "alarm_free_percent": 0,
            "reserve_mib": 1,
        },
        "contouring": {"device": "cpu", "bundle_dirs": [str(bundle_dir)] if bundle_dir else []},
        "delivering": {"first_retry_s": 0.5, "longest_retry_s": 1.0, "connection_timeout_s": 2.0},
        "logging": {"format": "json", "level": "INFO"},
    }
    for name, values in (more or {}).items():
        tables.setdefault(name, {}).update(values)
    text = "".join(f"[{name}]\n{_toml(values)}\n" for name, values in tables.items())
    for peer in peers:
        one = {
            "ae_title": peer.ae_title,
            "host": peer.host,
            "port": peer.port,
            "may": list(peer.may),
            "profile": peer.profile,
            "proof": peer.proof,
            "tls": peer.tls,
            "certificates": list(peer.certificates),
        }
        text += f"[[peers]]\n{_toml(one)}\n"
    plain_rules = (
        '[[rules]]\nname = "localizer"\naction = "ignore"\nattributes = { ImageType = "SCOUT" }\n'
        '[[rules]]\nname = "structure sets"\naction = "learn"\n'
        f'[[rules]]\nname = "planning CT"\naction = "contour"\nbundle = "{bundle}"\n'
    )
    node.configuration.write_text(text + (rules or plain_rules))
    return node


def _toml(values: Mapping[str, object]) -> str:
    # A JSON string, number, boolean or list of these is a TOML one too.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


@contextmanager
def running(node: Node, *program: str, environment: Mapping[str, str] | None = None) -> Iterator[Node]:
    """Run a node while the test does."""
    try:
        node.start(*program, environment=environment)
        yield node
    finally:
        node.kill()
