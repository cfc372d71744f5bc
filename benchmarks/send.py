"""How long sending takes: dicomnode's own sender against dcmtk's storescu, interleaved, to the same storescp.

    python benchmarks/send.py [--rounds 7] [--slices 200]

Every run sends to a fresh folder of one storescp (+B, TCP_NODELAY=1), and what arrived is compared byte by byte with
what was sent. dcmtk's storescu is a process of its own, whose start alone is a row of the table; ours sends as the
daemon does, from a process that runs. Ratios are medians of paired rounds.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pydicom.uid import CTImageStorage, RTStructureSetStorage
from pynetdicom import AE

from dicomnode.instance_file import InstanceFile, file_head
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.scu import send
from tests.support.programs import path_of_others

EXPLICIT_LE = "1.2.840.10008.1.2.1"
PATH = path_of_others()
Send = Callable[[Peer, Sequence[Path]], None]


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """Return one element in explicit VR little endian."""
    value += (b"\0" if vr in {b"UI", b"OW", b"OB"} else b" ") * (len(value) % 2)
    tag = group.to_bytes(2, "little") + number.to_bytes(2, "little") + vr
    if vr in {b"OW", b"OB"}:
        return tag + b"\0\0" + len(value).to_bytes(4, "little") + value
    return tag + len(value).to_bytes(2, "little") + value


def write_instance(folder: Path, number: int, sop_class: str, size: int) -> None:
    """Write a file with an instance of about this size, of noise."""
    uid, noise = f"1.2.826.0.1.3680043.8.498.{size}.{number}", np.random.default_rng(number).bytes(size)
    is_ct = sop_class == CTImageStorage
    private = element(0x0009, 0x0010, b"LO", b"NOISE") + element(0x0009, 0x1010, b"OB", noise)
    data = b"".join(
        (
            element(0x0008, 0x0016, b"UI", sop_class.encode()),
            element(0x0008, 0x0018, b"UI", uid.encode()),
            b"" if is_ct else private,
            element(0x0020, 0x000D, b"UI", b"1.2.826.0.1.3680043.8.498.1"),
            element(0x0020, 0x000E, b"UI", b"1.2.826.0.1.3680043.8.498.2"),
            element(0x7FE0, 0x0010, b"OW", noise) if is_ct else b"",
        )
    )
    file = InstanceFile(sop_class, uid, EXPLICIT_LE, "BENCH", "STORESCP", "127.0.0.1", data)
    (folder / f"{number:04}.dcm").write_bytes(file_head(file) + data)


@contextmanager
def storescp(folder: Path) -> Iterator[Peer]:
    """Run dcmtk's storage SCP, without its stall."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(shutil.which("storescp", path=PATH)), "+B", "-aet", "STORESCP", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"}, stdout=subprocess.DEVNULL)
    try:
        while not listens(port):
            if process.poll() is not None:
                sys.exit("storescp does not start: try again")
            time.sleep(0.05)
        yield Peer("STORESCP", "127.0.0.1", port)
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def by_storescu(peer: Peer, paths: Sequence[Path]) -> None:
    """Send with dcmtk."""
    command = [
        str(shutil.which("storescu", path=PATH)),
        "-R",
        "-aec",
        peer.ae_title,
        "+sd",
        peer.host,
        str(peer.port),
        str(paths[0].parent),
    ]
    subprocess.run(command, env={**os.environ, "TCP_NODELAY": "1"}, check=True, capture_output=True)


def only_start(_peer: Peer, _paths: Sequence[Path]) -> None:
    """Start dcmtk's storescu, and send nothing."""
    subprocess.run([str(shutil.which("storescu", path=PATH)), "--version"], check=True, capture_output=True)


def by_us(peer: Peer, paths: Sequence[Path]) -> None:
    """Send with our sender in this process, as the daemon does."""
    outcome = send(peer, paths, "BENCH", Timeouts())
    if not outcome.ok:
        sys.exit(outcome.comment)


def by_pynetdicom(peer: Peer, paths: Sequence[Path]) -> None:
    """Send with stock pynetdicom."""
    ae = AE("BENCH")
    for sop_class in (CTImageStorage, RTStructureSetStorage):
        ae.add_requested_context(sop_class, EXPLICIT_LE)
    association = ae.associate(peer.host, peer.port, ae_title=peer.ae_title)
    for path in paths:
        if association.send_c_store(path).get("Status") != 0:
            sys.exit(f"pynetdicom: {path.name} was not stored")
    association.release()


SENDERS: dict[str, Send] = {
    "storescu": by_storescu,
    "dicomnode": by_us,
    "start of storescu alone": only_start,
    "pynetdicom": by_pynetdicom,
}


def check_arrived(paths: Sequence[Path], folder: Path) -> None:
    """Compare the data sets that arrived with those sent, and empty the folder."""
    arrived = {data_set(path) for path in folder.iterdir()}
    if arrived != {data_set(path) for path in paths}:
        sys.exit("what arrived is not what was sent")
    for path in folder.iterdir():
        path.unlink()


def data_set(path: Path) -> bytes:
    """Return a file's bytes from its first element behind the meta information."""
    content = path.read_bytes()
    return content[content.index(b"\x08\x00\x16\x00UI") :]


def measure(paths: Sequence[Path], rounds: int) -> None:
    """Send with each sender in turn, round by round, and print a row for each."""
    with tempfile.TemporaryDirectory() as name, storescp(Path(name)) as peer:
        times: dict[str, list[float]] = {sender: [] for sender in SENDERS}
        for _ in range(rounds + 1):
            for sender, go in SENDERS.items():
                began = time.perf_counter()
                go(peer, paths)
                times[sender].append(time.perf_counter() - began)
                check_arrived([] if go is only_start else paths, Path(name))
        for sender, taken in times.items():
            ratio = statistics.median(a / b for a, b in zip(taken[1:], times["storescu"][1:], strict=True))
            print(f"| {sender} | {statistics.median(taken[1:]) * 1000:.0f} ms | {ratio:.2f} |")


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slices", type=int, default=200)
    options = parser.parse_args()
    if not shutil.which("storescu", path=PATH):
        sys.exit("dcmtk is not installed")
    loads = (
        ("structure set of 0.4 MB", 1, RTStructureSetStorage, 400_000),
        ("structure set of 1.1 MB", 1, RTStructureSetStorage, 1_100_000),
        ("structure set of 5 MB", 1, RTStructureSetStorage, 5_000_000),
        (f"{options.slices} slices of 0.5 MB", options.slices, CTImageStorage, 524_288),
    )
    for what, count, sop_class, size in loads:
        with tempfile.TemporaryDirectory() as name:
            for number in range(count):
                write_instance(Path(name), number, sop_class, size)
            print(f"\n{what}\n| sender | median | x storescu |\n|---|---|---|")
            measure(sorted(Path(name).iterdir()), options.rounds)


if __name__ == "__main__":
    main()
