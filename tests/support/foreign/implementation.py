"""What a foreign implementation can be told: call the node, send files to it, and show what it was sent."""

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dicomnode.part_ten import read_meta
from dicomnode.peers import Peer
from tests.support.authority import Issued

LONGEST_S = 120.0


@dataclass(frozen=True)
class Call:
    """Whom a foreign SCU calls, and how it calls itself.

    Args:
        node: called by its address and AE title, over TLS if it says so.
        calling: AE title of the caller.
    """

    node: Peer
    calling: str


@dataclass(frozen=True)
class Answer:
    """What a foreign program said: whether all went well, and its words."""

    ok: bool
    words: str


@dataclass(frozen=True)
class Kept:
    """An instance that a foreign SCP was sent.

    Args:
        transfer_syntax_uid: in which it came.
        data: the data set as it was kept.
    """

    transfer_syntax_uid: str
    data: bytes


class Foreign(Protocol):
    """A foreign implementation while it runs."""

    @property
    def version(self) -> str:
        """Its name and version."""
        ...

    @property
    def listens_as(self) -> Peer | None:
        """Its SCP as the node's configuration names it; None where it has none."""
        ...

    def echo(self, call: Call) -> Answer:
        """Ask for a C-ECHO."""
        ...

    def store(self, call: Call, files: Sequence[Path]) -> Answer:
        """Send DICOM files, each in its own transfer syntax."""
        ...

    def kept(self) -> Mapping[str, Kept]:
        """Return what its SCP was sent, by SOP Instance UID."""
        ...


@dataclass(frozen=True)
class Place:
    """Where an implementation is run.

    Args:
        folder: its own.
        ae_title: its own.
        node_port: where the node listens.
        papers: its certificate, if it is to speak TLS.
    """

    folder: Path
    ae_title: str
    node_port: int
    papers: Issued | None = None


Run = Callable[[Place], AbstractContextManager[Foreign]]
"""Runs an implementation."""


def ask(command: Sequence[str], *, given: str = "") -> Answer:
    """Run a program to its end; `given` goes to its standard input."""
    environment = {**os.environ, "TCP_NODELAY": "1"}  # dcmtk waits 40 ms an instance without it
    done = subprocess.run(
        list(command), input=given, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=environment
    )
    return Answer(done.returncode == 0, f"{done.stdout}{done.stderr}")


def kept_of(files: Iterable[bytes]) -> dict[str, Kept]:
    """Return what DICOM files hold, by SOP Instance UID."""
    metas = [(read_meta(content), content) for content in files]
    return {meta.sop_instance_uid: Kept(meta.transfer_syntax_uid, content[meta.data_at :]) for meta, content in metas}
