"""A node is killed again and again while three peers send, and started again: nothing acknowledged may be lost.

`python -m tests.support.kill_loop 500` kills it five hundred times, in every step of the way of an instance and at
times of no step's, and says what it found.
"""

import argparse
import hashlib
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from dicomnode.errors import NotUnderstood
from dicomnode.instance_file import parse_file
from tests.support.instances import ct_instance, encode
from tests.support.killable_receiver import STEPS
from tests.support.node import Node, make_node
from tests.support.siege import IGNORE_ALL, WORKER, besiegers
from tests.support.wire import ASSOCIATE_AC, wire

PROGRAM = str(Path(__file__).with_name("killable_receiver.py"))
SENDERS = 3
SIZES = (24, 64, 256)  # rows and columns
DEATH_S = 30.0


@dataclass
class Tally:
    """What was promised, and what was found.

    Args:
        rounds: how often the node was killed.
        promised: SHA-256 of the data set of each instance that was answered with Success, by its UID.
        lost: UIDs that were promised and have no file or no row.
        altered: UIDs whose file holds something else.
        unreadable: files that are no whole instance.
        parts: remnants of writing that a start left.
        rows_without_file: paths that only the ledger knows.
        files_without_row: paths that the ledger does not know.
    """

    rounds: int = 0
    promised: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    rows_without_file: set[str] = field(default_factory=set)
    files_without_row: set[str] = field(default_factory=set)

    @property
    def faults(self) -> dict[str, set[str]]:
        """Return what must be empty and is not."""
        names = ("lost", "altered", "unreadable", "parts", "rows_without_file", "files_without_row")
        return {name: found for name in names if (found := getattr(self, name))}


@dataclass
class KillLoop:
    """A node, its peers, and its deaths.

    Args:
        node: not started yet.
        seed: of sizes, and of the times of the deaths at no step.
    """

    node: Node
    seed: int = 1
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._numbers = count(1)

    def kill(self, step: str) -> None:
        """Start the node, let it die at a step, or at some time where the step is none, and look at what it left."""
        after = self._random.randrange(SENDERS, 4 * SENDERS)
        self.node.start(PROGRAM, environment={"KILL_AT": step, "KILL_AFTER": str(after)} if step else None)
        self.look()
        senders = [threading.Thread(target=self._send_until_cut) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        if not step:
            time.sleep(self._random.uniform(0.02, 0.3))
            self.node.kill()
        self.node.wait_until_dead(DEATH_S)
        for sender in senders:
            sender.join()
        self.tally.rounds += 1

    def _send_until_cut(self) -> None:
        try:
            with wire((self.node.own.host, self.node.port), WORKER) as peer:
                assert peer.ask("WORKER")[0] == ASSOCIATE_AC
                while True:
                    number = next(self._numbers)
                    size = SIZES[number % len(SIZES)]
                    ds = ct_instance(
                        number, series=f"1.2.826.0.1.3680043.8.498.{number % 5 + 50}", rows=size, columns=size
                    )
                    data = encode(ds)
                    if peer.store(ds.SOPInstanceUID, data) == 0x0000:
                        self.tally.promised[ds.SOPInstanceUID] = hashlib.sha256(data).hexdigest()
        except OSError:
            return

    def look(self) -> None:
        """Compare what was promised with the files, and the files with the rows, now that the node runs again."""
        with self.node.ledger() as ledger:
            known = {path for path in ledger.known_paths() if path.startswith("instances/")}
        found, paths = {}, set()
        for path in (self.node.data / "instances").glob("*/*"):
            name = path.relative_to(self.node.data).as_posix()
            paths.add(name)
            try:
                file = parse_file(path.read_bytes())
            except NotUnderstood:
                self.tally.unreadable.add(name)
            else:
                found[file.sop_instance_uid] = hashlib.sha256(file.data).hexdigest()
        promised = self.tally.promised
        self.tally.lost |= promised.keys() - found.keys()
        self.tally.altered |= {uid for uid in promised.keys() & found.keys() if promised[uid] != found[uid]}
        self.tally.parts |= {path.name for path in (self.node.data / "incoming").iterdir()}
        self.tally.rows_without_file |= known - paths
        self.tally.files_without_row |= paths - known

    def run(self, steps: Sequence[str]) -> Tally:
        """Kill the node at each of these steps; look once more at the end."""
        for step in steps:
            self.kill(step)
        self.node.start(PROGRAM)
        self.look()
        self.node.kill()
        return self.tally


def kill_loop(folder: Path, seed: int = 1) -> KillLoop:
    """Return a loop on a fresh node that keeps everything and contours nothing."""
    return KillLoop(make_node(folder, *besiegers(), rules=IGNORE_ALL), seed)


def main() -> None:
    """Kill as often as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    order = (*STEPS, "")
    with TemporaryDirectory() as folder:
        tally = kill_loop(Path(folder) / "node", arguments.seed).run(
            [order[number % len(order)] for number in range(arguments.rounds)]
        )
    print(f"{tally.rounds} deaths, {len(tally.promised)} instances acknowledged, faults: {tally.faults or 'none'}")  # noqa: T201


if __name__ == "__main__":
    main()
