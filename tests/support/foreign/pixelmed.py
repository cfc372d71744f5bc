"""PixelMed (Clunie, Java): the programs of its toolkit for verification and storage."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomnode.peers import Peer
from tests.support.foreign.implementation import Answer, Call, Kept, Place, ask, kept_of
from tests.support.node import free_port, tps, wait_until
from tests.support.peers_of_others import START_S, absent, listens, need, process

_JARS = Path("/usr/share/java")
_NEEDED = (
    "pixelmed",
    "commons-codec",
    "commons-net",
    "hsqldb",
    "jaxb-api",
    "jmdns",
    "slf4j-api",
    "slf4j-jdk14",
    "vecmath",
)
_CLASS_PATH = ":".join(str(_JARS / f"{name}.jar") for name in _NEEDED)
_JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", _CLASS_PATH]
_NETWORK = "com.pixelmed.network"


@dataclass(frozen=True)
class Pixelmed:
    """Programs of PixelMed's toolkit; its SCP takes every explicit VR syntax (ANY)."""

    peer: Peer
    folder: Path

    @property
    def version(self) -> str:
        """As Debian's file name says."""
        return f"PixelMed {(_JARS / 'pixelmed.jar').resolve().stem.partition('-')[2]}"

    @property
    def listens_as(self) -> Peer:
        """Of its SCP."""
        return self.peer

    def echo(self, call: Call) -> Answer:
        """Run VerificationSOPClassSCU, which says how it went in words alone."""
        return self.echo_as(call)

    def echo_as(self, call: Call, *user: str) -> Answer:
        """Run it for a user: name and passcode."""
        order = (call.node.host, call.node.port, call.node.ae_title, call.calling, "NONSECURE", *user)
        answer = self._run("VerificationSOPClassSCU", *order)
        return Answer("was successful" in answer.words.replace("  ", " "), answer.words)

    def store(self, call: Call, files: Sequence[Path]) -> Answer:
        """Run StorageSOPClassSCU, which reads the names of the files; it tells of each that it could not send."""
        names = "".join(f"{file}\n" for file in files)
        order = (call.node.host, call.node.port, call.node.ae_title, call.calling, "-", 0)
        answer = self._run("StorageSOPClassSCU", *order, given=names)
        return Answer(not any(word in answer.words for word in ("Exception", "fail", "Fail")), answer.words)

    def kept(self) -> Mapping[str, Kept]:
        """Return what its SCP has."""
        return kept_of(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())

    def _run(self, program: str, *arguments: str | int, given: str = "") -> Answer:
        return ask([*_JAVA, f"{_NETWORK}.{program}", *map(str, arguments)], given=given)


@contextmanager
def pixelmed(place: Place) -> Iterator[Pixelmed]:
    """Run StorageSOPClassSCPDispatcher; the other programs run when they are asked."""
    need("java")
    if missing := [name for name in _NEEDED if not (_JARS / f"{name}.jar").is_file()]:
        absent(", ".join(missing))
    got = place.folder / "got"
    got.mkdir(parents=True)
    peer = tps(free_port(), place.ae_title)
    scp = f"{_NETWORK}.StorageSOPClassSCPDispatcher"
    command = [*_JAVA, scp, str(peer.port), place.ae_title, str(got), "NONSECURE", "ANY"]
    with process(command, place.folder / "scp.log"):
        wait_until(lambda: listens(peer.port), START_S, (place.folder / "scp.log").read_text)
        yield Pixelmed(peer, got)
