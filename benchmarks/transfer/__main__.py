"""The paper's experiment: a source model, one of the target alone, and one transferred, on the same patients.

    python -m benchmarks.transfer --data shared/data/openkbp --out RESULTS             # all cells that have no result
    python -m benchmarks.transfer --data shared/data/openkbp --out RESULTS --cells real-plus-S     # those that begin so
    python -m benchmarks.transfer --out RESULTS --write docs/experiment.md             # the tables, from the results

Each cell writes its result to a file and is skipped when that is there; a training that was stopped goes on from its
checkpoint. Where the node draws or judges otherwise than when a result was written, its weights are judged anew.
Several of these processes may work on one folder: a cell is one process's. Each computes with one thread: beside other
work, threads that wait for each other cost more than they give. MONAI must be installed for the peer.
"""

import argparse
import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from benchmarks.transfer.cells import CELLS, Cell, World
from benchmarks.transfer.document import write_document
from benchmarks.transfer.learn import Bench, is_done, run
from benchmarks.transfer.worlds import Centres, centres_of


def work(data: Path, out: Path, chosen: str) -> None:
    """Make cells until none is left that can be made."""

    @cache
    def centres(world: World) -> Centres:
        return centres_of(world, data)

    while (cell := next((cell for cell in CELLS if cell.name.startswith(chosen) and is_ready(out, cell)), None)) and (
        out / cell.name
    ):
        with claimed(out / cell.name) as mine:
            if mine and not is_done(out, cell):
                run(cell, Bench(out, centres(cell.world), lambda text: print(text, flush=True)))


def is_ready(out: Path, cell: Cell) -> bool:
    """Whether a cell is to be made, can be, and is nobody's."""
    needed = [cell.source] if cell.source else []
    if cell.network == "unet":
        needed.append(cell.ours)
    if is_done(out, cell) or not all(is_done(out, one) for one in needed):
        return False
    with claimed(out / cell.name) as mine:
        return mine


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Hold a cell as long as the block runs; yields whether it was free."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def main() -> None:
    """Make the cells, or write what they say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cells", default="", help="only those whose names begin so")
    parser.add_argument("--write", type=Path, help="the document to write from the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.write:
        write_document(options.out, options.write)
    elif options.data is None:
        sys.exit("--data is needed to make cells")
    else:
        work(options.data, options.out, options.cells)


if __name__ == "__main__":
    main()
