"""dcmtk (OFFIS, C++): echoscu, dcmsend and storescp."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomnode.peers import Peer
from tests.support.foreign.implementation import Answer, Call, Foreign, Kept, ask, kept_of
from tests.support.peers_of_others import Storescp, need, storescp


@dataclass(frozen=True)
class Dcmtk:
    """Programs of dcmtk; storescp keeps what it gets as it comes (+B) and takes every syntax that it knows (+xa)."""

    scp: Storescp

    @property
    def version(self) -> str:
        """Of echoscu."""
        return "dcmtk " + ask(["echoscu", "--version"]).words.split()[2].lstrip("v")

    @property
    def listens_as(self) -> Peer:
        """Of storescp."""
        return self.scp.peer

    def echo(self, call: Call) -> Answer:
        """Run echoscu."""
        return ask(["echoscu", "-v", *_addressed(call)])

    def store(self, call: Call, files: Sequence[Path]) -> Answer:
        """Run dcmsend, which offers each file's own syntax when it may not decompress."""
        return ask(["dcmsend", "-v", "-dn", *_addressed(call), *map(str, files)])

    def kept(self) -> Mapping[str, Kept]:
        """Return what storescp has."""
        return kept_of(path.read_bytes() for path in self.scp.files().values())


@contextmanager
def dcmtk(folder: Path, ae_title: str, node_port: int) -> Iterator[Foreign]:
    """Run storescp; the other programs run when they are asked."""
    del node_port  # it needs to know nobody
    need("echoscu", "dcmsend", "storescp")
    with storescp(folder / "got", ae_title, "+B", "+xa") as scp:
        yield Dcmtk(scp)


def _addressed(call: Call) -> list[str]:
    return ["-aet", call.calling, "-aec", call.node.ae_title, call.node.host, str(call.node.port)]
