"""How fast instances are taken in: the node with everything on beside dcmtk, Orthanc and pynetdicom, in one run.

    python -m benchmarks.ingest [--rounds 5] [--associations 1 4 8] [--rows 512 64] [--nagle] [--only NAME...]
    python -m benchmarks.ingest --idle

One sender, dcmtk's storescu, sends new slices to each receiver in turn, round by round, so that a machine that is busy
is busy for all. All have TCP_NODELAY=1: without it dcmtk waits 40 ms an instance. `--nagle` takes it from the sender.
Every data set that arrives is compared with what was sent. The floor is the bare disk: write, sync, rename, sync of the
folder, one after the other. Ratios are medians of paired rounds, larger is faster; processes that storescp forks are
counted where it has waited for them. Several associations send twice as many instances.

Nothing is deleted before the end. ext4 looks past each inode of a folder's group that was deleted in the last five
minutes whenever it makes a file there: the loads of earlier rounds once cost the receivers more than their own work,
and not all alike. So give a `--folder` on a disk where nobody has just deleted thousands of files, this program's last
run among them.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pynetdicom import AE

from benchmarks.ingest.load import Load, digests_in, write_load
from benchmarks.ingest.receivers import RECEIVERS, Receiver, program, running
from dicomnode.dimse import EXPLICIT_VR_LE
from dicomnode.routing import CT_IMAGE_STORAGE

FLOOR = "write, sync, rename, sync"
IDLE_S = 20.0


@dataclass
class Taken:
    """What one receiver needed, a value a round.

    Args:
        wall_s: from the start of the senders to their end.
        cpu_s_per_gb: processor seconds of the receiver for each GB of data sets.
    """

    wall_s: list[float] = field(default_factory=list)
    cpu_s_per_gb: list[float] = field(default_factory=list)


def send(load: Load, port: int, *, nagle: bool) -> float:
    """Send with one storescu for each association; return the seconds until all have been answered."""
    environment = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    environment |= {} if nagle else {"TCP_NODELAY": "1"}
    options = [program("storescu") or "", "-R", "-xe", "-aet", "BENCH", "-aec", "DICOMNODE", "+sd", "127.0.0.1"]
    began = time.perf_counter()
    senders = [
        subprocess.Popen([*options, str(port), str(folder)], env=environment, stderr=subprocess.PIPE)
        for folder in load.folders
    ]
    errors = [sender.communicate()[1] for sender in senders]
    if any(sender.returncode for sender in senders):
        sys.exit(f"storescu failed: {errors}")
    return time.perf_counter() - began


def write_durably(load: Load, folder: Path) -> float:
    """Write the same files one after the other as a careful program must; return the seconds."""
    target = folder / f"floor{time.monotonic_ns()}"
    target.mkdir()
    contents = [path.read_bytes() for each in load.folders for path in each.iterdir()]
    began = time.perf_counter()
    for number, content in enumerate(contents):
        part = target / f"{number}.part"
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target / f"{number}.dcm")
        directory = os.open(target, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
    return time.perf_counter() - began


def round_of(receivers: Sequence[Receiver], load: Load, taken: dict[str, Taken], *, nagle: bool) -> None:
    """Send the load to every receiver once, and check that all of it arrived."""
    for receiver in receivers:
        os.sync()  # what the round before left is nobody's burden
        cpu = receiver.cpu_s()
        taken[receiver.name].wall_s.append(send(load, receiver.port, nagle=nagle))
        taken[receiver.name].cpu_s_per_gb.append((receiver.cpu_s() - cpu) / load.size * 1e9)
        if missing := load.digests - digests_in(receiver.folder):
            sys.exit(f"{receiver.name}: {len(missing)} of {load.files} data sets did not arrive as they were sent")


def measure(
    receivers: Sequence[Receiver], folder: Path, associations: int, rows: int, options: argparse.Namespace
) -> None:
    """Measure one load, and print its table."""
    instances = options.instances * (1 if associations == 1 else 2)
    taken = {name: Taken() for name in (FLOOR, *(receiver.name for receiver in receivers))}
    for _ in range(options.rounds + 1):
        load = write_load(folder / f"load-{rows}-{associations}", associations, instances, rows)
        os.sync()
        taken[FLOOR].wall_s.append(write_durably(load, folder))
        taken[FLOOR].cpu_s_per_gb.append(0.0)
        round_of(receivers, load, taken, nagle=options.nagle)
    print(
        f"\n{instances} slices of {rows} x {rows}, {associations} associations{', Nagle on' if options.nagle else ''}"
    )
    names = [name for name in (FLOOR, "storescp", "Orthanc") if name in taken]
    print(
        f"| receiver | wall s | instances/s | MB/s | CPU s/GB | {' | '.join(f'x {name}' for name in names)} | peak MB |"
    )
    print(f"|---|{'---|' * (5 + len(names))}")
    peaks = {receiver.name: f"{receiver.peak_mb():.0f}" for receiver in receivers}
    for name, one in taken.items():
        wall, cpu = statistics.median(one.wall_s[1:]), statistics.median(one.cpu_s_per_gb[1:])
        ratios = [
            f"{statistics.median(b / a for a, b in zip(one.wall_s[1:], taken[base].wall_s[1:], strict=True)):.2f}"
            for base in names
        ]
        speed = f"{instances / wall:.0f} | {load.size / wall / 1e6:.0f}"
        print(
            f"| {name} | {wall:.3f} | {speed} | {cpu:.2f} | {' | '.join(ratios)} | {peaks.get(name, '')} |", flush=True
        )


def measure_idle(folder: Path) -> None:
    """Print how much of a core a node takes that does nothing, alone and with eight open associations."""
    with running("node", folder) as receiver:
        time.sleep(5.0)
        ae = AE("BENCH")
        ae.add_requested_context(CT_IMAGE_STORAGE, EXPLICIT_VR_LE)
        ae.network_timeout = None
        for count in (0, 8):
            associations = [ae.associate("127.0.0.1", receiver.port, ae_title="DICOMNODE") for _ in range(count)]
            cpu = receiver.cpu_s()
            time.sleep(IDLE_S)
            print(f"idle, {count} open associations: {(receiver.cpu_s() - cpu) / IDLE_S:.2%} of a core", flush=True)
            for association in associations:
                association.release()


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--rows", type=int, nargs="+", default=[512, 64])
    parser.add_argument(
        "--nagle", action="store_true", help="leave Nagle's algorithm on at the sender, as dcmtk ships it"
    )
    parser.add_argument("--only", nargs="+", default=list(RECEIVERS), choices=list(RECEIVERS))
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; the temporary folder if not given")
    parser.add_argument("--idle", action="store_true", help="measure what an idle node takes, and nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name, ExitStack() as stack:
        if options.idle:
            measure_idle(Path(name))
            return
        receivers = [stack.enter_context(running(each, Path(name))) for each in options.only]
        for rows in options.rows:
            for associations in options.associations:
                measure(receivers, Path(name), associations, rows, options)


if __name__ == "__main__":
    main()
