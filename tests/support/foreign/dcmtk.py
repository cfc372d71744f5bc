"""dcmtk (OFFIS, C++): echoscu, dcmsend and storescp."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomnode.peers import Peer
from tests.support.foreign.implementation import Answer, Call, Foreign, Kept, Place, ask, kept_of
from tests.support.peers_of_others import Storescp, need, storescp


@dataclass(frozen=True)
class Dcmtk:
    """Programs of dcmtk; storescp keeps what it gets as it comes (+B) and takes every syntax that it knows (+xa)."""

    scp: Storescp
    secure: tuple[str, ...]

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
        return ask(["echoscu", "-v", *self.secure, *_addressed(call)])

    def store(self, call: Call, files: Sequence[Path]) -> Answer:
        """Run dcmsend, which offers each file as it is; over TLS, which it does not speak, storescu for JPEG 2000."""
        if self.secure:
            return ask(["storescu", "-v", "-xv", *self.secure, *_addressed(call), *map(str, files)])
        return ask(["dcmsend", "-v", "-dn", *_addressed(call), *map(str, files)])

    def kept(self) -> Mapping[str, Kept]:
        """Return what storescp has."""
        return kept_of(path.read_bytes() for path in self.scp.files().values())


@contextmanager
def dcmtk(place: Place) -> Iterator[Foreign]:
    """Run storescp; the other programs run when they are asked."""
    need("echoscu", "dcmsend", "storescu", "storescp")
    secure: tuple[str, ...] = ()
    if own := place.papers:
        secure = ("+tls", str(own.key), str(own.certificate), "+cf", str(own.ca))
    with storescp(place.folder / "got", place.ae_title, "+B", "+xa", *secure) as scp:
        yield Dcmtk(scp, secure)


def _addressed(call: Call) -> list[str]:
    return ["-aet", call.calling, "-aec", call.node.ae_title, call.node.host, str(call.node.port)]
