"""GDCM (Malaterre, C++): gdcmscu, which has no SCP of its own for storage."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.foreign.implementation import Answer, Call, Foreign, Kept, Place, ask
from tests.support.peers_of_others import need

# gdcmscu 3.0.21 ends every association so, whoever the SCP is (dcmtk's storescp too): it reads the A-RELEASE-RP,
# closes the connection, and is then aborted by a fault of its own. What went wrong before ends it in other words.
_AFTER_RELEASE = "ProtocolStream as nullptr is invalid"


@dataclass(frozen=True)
class Gdcm:
    """The program gdcmscu."""

    listens_as = None

    @property
    def version(self) -> str:
        """Of gdcmscu."""
        return "GDCM " + ask(["gdcmscu", "--version"]).words.split()[2]

    def echo(self, call: Call) -> Answer:
        """Run gdcmscu --echo."""
        return _run(call, "--echo")

    def store(self, call: Call, files: Sequence[Path]) -> Answer:
        """Run gdcmscu --store."""
        return _run(call, "--store", *map(str, files))

    def kept(self) -> Mapping[str, Kept]:
        """Return nothing."""
        return {}


@contextmanager
def gdcm(_place: Place) -> Iterator[Foreign]:
    """Have gdcmscu ready."""
    need("gdcmscu")
    yield Gdcm()


def _run(call: Call, *what: str) -> Answer:
    names = ["--aetitle", call.calling, "--call", call.node.ae_title]
    answer = ask(["gdcmscu", *names, call.node.host, str(call.node.port), *what])
    return Answer(answer.ok or _AFTER_RELEASE in answer.words, answer.words)
