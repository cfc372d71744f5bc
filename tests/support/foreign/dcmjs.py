"""dcmjs-dimse (Georgiadis, JavaScript): a client and a server of a few lines each, in the folder `dcmjs`.

`npm ci --prefix tests/support/foreign/dcmjs` installs the version that its lock file names.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomnode.dimse import ACCEPTED
from dicomnode.peers import Peer
from tests.support.authority import Issued
from tests.support.foreign.implementation import Answer, Call, Kept, Place, ask
from tests.support.node import free_port, tps, wait_until
from tests.support.peers_of_others import START_S, absent, listens, need, process

_FOLDER = Path(__file__).parent / "dcmjs"
_PACKAGE = _FOLDER / "node_modules" / "dcmjs-dimse" / "package.json"
_TAKEN = sorted({syntax for syntaxes in ACCEPTED.values() for syntax in syntaxes})


@dataclass(frozen=True)
class Dcmjs:
    """The two programs; the SCP writes data sets without reading them."""

    peer: Peer
    folder: Path
    options: Mapping[str, object]

    @property
    def version(self) -> str:
        """Of the installed package."""
        return f"dcmjs-dimse {json.loads(_PACKAGE.read_text())['version']}"

    @property
    def listens_as(self) -> Peer:
        """Of its SCP."""
        return self.peer

    def echo(self, call: Call) -> Answer:
        """Run the client without files."""
        return self.store(call, ())

    def store(self, call: Call, files: Sequence[Path]) -> Answer:
        """Run the client, which reads each file and writes it anew."""
        order = {
            "host": call.node.host,
            "port": call.node.port,
            "calling": call.calling,
            "called": call.node.ae_title,
            "files": [str(file) for file in files],
            "options": self.options,
        }
        return ask(["node", str(_FOLDER / "scu.js"), json.dumps(order)])

    def kept(self) -> Mapping[str, Kept]:
        """Return what its SCP has."""
        return {path.name: Kept(path.parent.name, path.read_bytes()) for path in self.folder.glob("*/*")}


@contextmanager
def dcmjs(place: Place) -> Iterator[Dcmjs]:
    """Run the server; the client runs when it is asked."""
    need("node")
    if not _PACKAGE.is_file():
        absent("dcmjs-dimse (npm ci --prefix tests/support/foreign/dcmjs)")
    got = place.folder / "got"
    got.mkdir(parents=True)
    peer = tps(free_port(), place.ae_title)
    secure = {"securityOptions": _security(place.papers)} if place.papers else {}
    order = {
        "port": peer.port,
        "aeTitle": place.ae_title,
        "folder": str(got),
        "classes": list(ACCEPTED),
        "syntaxes": _TAKEN,
        "options": secure,
    }
    with process(["node", str(_FOLDER / "scp.js"), json.dumps(order)], place.folder / "scp.log"):
        wait_until(lambda: listens(peer.port), START_S, (place.folder / "scp.log").read_text)
        yield Dcmjs(peer, got, secure)


def _security(own: Issued) -> dict[str, object]:
    return {
        "key": own.key.read_text(),
        "cert": own.certificate.read_text(),
        "ca": own.ca.read_text(),
        "requestCert": True,
        "rejectUnauthorized": True,
    }
