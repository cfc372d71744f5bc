"""Real peers of other makers as processes: storescp and dcmqrscp of dcmtk, and Orthanc, on free ports."""

import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dicomnode.peers import Peer
from tests.support.node import AE_TITLE, LOOPBACK, free_port, tps, wait_until

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is behind no proxy
START_S = 60.0


def need(*programs: str) -> None:
    """Skip without these programs, except in CI, where every peer must be there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        absent(", ".join(missing))


def absent(what: str) -> None:
    """Skip for want of something, except in CI, where it must be there."""
    stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    stop(f"not installed: {what}")


@dataclass(frozen=True)
class Storescp:
    """dcmtk's storage SCP; `folder` has a file for each instance that it took."""

    peer: Peer
    folder: Path

    def files(self) -> dict[str, Path]:
        """Return what it has, by SOP Instance UID: dcmtk names files so."""
        return {path.name.partition(".")[2]: path for path in self.folder.iterdir()}


@contextmanager
def storescp(folder: Path, ae_title: str = "TPS", *options: str) -> Iterator[Storescp]:
    """Run dcmtk's storescp, with further options."""
    folder.mkdir(parents=True)
    peer = tps(free_port(), ae_title)
    command = ["storescp", *options, "-od", str(folder), "-aet", ae_title, str(peer.port)]
    with process(command, folder.parent / "storescp.log"):
        wait_until(lambda: listens(peer.port), START_S, lambda: "storescp does not listen")
        yield Storescp(peer, folder)


@dataclass(frozen=True)
class Orthanc:
    """An Orthanc; `http_port` is that of its REST interface."""

    peer: Peer
    http_port: int

    def ask(self, path: str) -> Any:
        """Return the JSON that the REST interface answers with."""
        return json.loads(self.read(path))

    def read(self, path: str, *, method: str = "GET", body: bytes | None = None) -> bytes:
        """Return the bytes that the REST interface answers with.

        Raises:
            urllib.error.HTTPError: it says no.
        """
        url = f"http://{LOOPBACK}:{self.http_port}{path}"
        with _OPENER.open(urllib.request.Request(url, body, method=method), timeout=60) as answer:
            content: bytes = answer.read()
        return content

    def files(self) -> dict[str, bytes]:
        """Return the instances that it has, by SOP Instance UID."""
        return {
            self.ask(f"/instances/{name}")["MainDicomTags"]["SOPInstanceUID"]: self.read(f"/instances/{name}/file")
            for name in self.ask("/instances")
        }


@contextmanager
def orthanc(
    folder: Path, node_port: int, ae_title: str = "ORTHANC", more: Mapping[str, object] | None = None
) -> Iterator[Orthanc]:
    """Run Orthanc, with the node as a modality that it knows, and further settings."""
    folder.mkdir(parents=True)
    peer, http_port = tps(free_port(), ae_title), free_port()
    settings: Mapping[str, Any] = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [],
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": ae_title,
        "DicomPort": peer.port,
        "DicomCheckCalledAet": True,
        "DicomModalities": {"node": [AE_TITLE, LOOPBACK, node_port]},
        **(more or {}),
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with process(["Orthanc", str(folder / "orthanc.json")], folder / "orthanc.log"):
        wait_until(lambda: listens(peer.port) and listens(http_port), START_S, (folder / "orthanc.log").read_text)
        yield Orthanc(peer, http_port)


@contextmanager
def dcmqrscp(folder: Path, node_port: int, ae_title: str = "ARCHIVE") -> Iterator[Peer]:
    """Run dcmtk's archive, with the node as a destination that it knows."""
    (folder / "archive").mkdir(parents=True)
    peer = tps(free_port(), ae_title)
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {peer.port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nnode = ({AE_TITLE}, {LOOPBACK}, {node_port})\nHostTable END\n"
        f"AETable BEGIN\n{ae_title} {folder / 'archive'} RW (100, 1024mb) ANY\nAETable END\n"
    )
    with process(["dcmqrscp", "-c", str(folder / "dcmqrscp.cfg")], folder / "dcmqrscp.log"):
        wait_until(lambda: listens(peer.port), START_S, (folder / "dcmqrscp.log").read_text)
        yield peer


@contextmanager
def process(command: list[str], log: Path) -> Iterator[None]:
    """Run a program for as long as the block lasts."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=30)


def listens(port: int) -> bool:
    """Whether somebody listens on a port of the loopback address."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
