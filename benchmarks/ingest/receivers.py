"""Who receives: the node with everything on, and its peers as their makers ship them, without dcmtk's stall."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.programs import path_of_others

PATH = path_of_others()
HERE = Path(__file__).parent
START_S = 60.0


@dataclass(frozen=True)
class Receiver:
    """A receiver that runs.

    Args:
        name: in the table.
        port: where it listens.
        process: its own.
        folder: below which it stores.
    """

    name: str
    port: int
    process: psutil.Process
    folder: Path

    def cpu_s(self) -> float:
        """Return the processor time of it and of those of its children that have ended."""
        times = self.process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)

    def peak_mb(self) -> float:
        """Return the most memory that it ever held, in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str) -> str | None:
    """Return where a program is."""
    return shutil.which(name, path=PATH)


Command = Callable[[Path, int], Sequence[str]]
"""Returns the command of a receiver that is to store below a folder and to listen on a port."""


def storescp(*options: str) -> Command:
    """Return that of dcmtk's program."""
    return lambda folder, port: [program("storescp") or "", *options, "-od", str(folder), str(port)]


def orthanc(**settings: object) -> Command:
    """Return that of Orthanc, with its SQLite index."""

    def command(folder: Path, port: int) -> Sequence[str]:
        configuration = folder.parent / f"{folder.name}.json"
        values = {
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "Plugins": [],
            "HttpPort": free_port(),
            "DicomPort": port,
            "DicomCheckCalledAet": False,
            **settings,
        }
        configuration.write_text(json.dumps(values))
        return [program("Orthanc") or "", str(configuration)]

    return command


def node(*program: str) -> Command:
    """Return the node's, everything on; a series never goes quiet, so that nothing is contoured."""

    def command(folder: Path, port: int) -> Sequence[str]:
        configuration = folder.parent / f"{folder.name}.toml"
        configuration.write_text(
            f'[node]\nhost = "127.0.0.1"\nport = {port}\ndata_dir = "{folder}"\n'
            "[receiving]\nquiet_s = 86400.0\nminimum_free_mib = 64\nminimum_free_percent = 0\n"
            '[[peers]]\nae_title = "BENCH"\nhost = "127.0.0.1"\nport = 104\nmay = ["send_ct"]\n'
        )
        return [sys.executable, *program, "--config", str(configuration), "serve"]

    return command


def tutorial() -> Command:
    """Return that of pynetdicom as its tutorial shows it."""
    return lambda folder, port: [sys.executable, str(HERE / "tutorial.py"), str(folder), str(port)]


RECEIVERS: Mapping[str, Command] = {
    "node": node("-m", "dicomnode"),
    "node without sync": node(str(HERE / "without_sync.py")),
    "storescp": storescp(),
    "storescp --fork": storescp("--fork"),
    "storescp +B": storescp("+B"),
    "Orthanc": orthanc(),
    "Orthanc without sync": orthanc(SyncStorageArea=False),
    "pynetdicom tutorial": tutorial(),
}


@contextmanager
def running(name: str, folder: Path) -> Iterator[Receiver]:
    """Run a receiver, with TCP_NODELAY=1 as for all."""
    storage, port = folder / name.replace(" ", "-").replace("+", "plus"), free_port()
    storage.mkdir()
    command = RECEIVERS[name](storage, port)
    with (folder / f"{storage.name}.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{name} does not listen: {(folder / f'{storage.name}.log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield Receiver(name, port, psutil.Process(process.pid), storage)
    finally:
        process.terminate()
        process.wait()
