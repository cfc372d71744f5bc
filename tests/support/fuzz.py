"""A fuzzer that does the same each time: family, seed and number of a case are all that is needed to see it again.

`python -m tests.support.fuzz 100000` runs so many cases and says what it found;
`python -m tests.support.fuzz 1 --family "data set" --first 4711` runs one of them again. The families on the wire
attack a node of their own, with a peer at work beside them.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.support.fuzz_cases import Case, in_process, kept_and_not_whole, on_the_wire
from tests.support.siege import Siege, besieged


def run_cases(families: Mapping[str, Case], cases: Iterable[int], seed: int = 1) -> list[str]:
    """Run cases of each family in turn; return what went wrong, by family and number.

    Args:
        families: what is done in a case.
        cases: their numbers.
        seed: another one makes other cases of the same numbers.
    """
    faults = []
    for number in cases:
        for name, case in families.items():
            try:
                case(Random(f"{name}/{seed}/{number}"))
            except Exception:  # noqa: BLE001 every exception that gets here is what is looked for
                faults.append(f"{name}, case {number}: {traceback.format_exc()}")
    return faults


def faults_of(siege: Siege) -> list[str]:
    """Return what a node has that it must not have after a campaign."""
    faults = kept_and_not_whole(siege)
    faults += [line for line in siege.node.log.splitlines() if "Traceback" in line or "Exception in" in line]
    if not siege.node.is_alive:
        faults.append("the node has ended")
    return faults


def main() -> None:
    """Run as many cases as the command line says, shared among the families."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--family", help="only this one")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, besieged(Path(folder) / "node") as siege:
        families = {**in_process(Path(folder)), **on_the_wire(siege)}
        if arguments.family:
            families = {arguments.family: families[arguments.family]}
        numbers = range(arguments.first, arguments.first + -(-arguments.cases // len(families)))
        begin = time.monotonic()
        with siege.working():
            faults = run_cases(families, numbers, arguments.seed)
        faults += [*siege.faults, *faults_of(siege)]
        seconds = time.monotonic() - begin
        words = f"{len(numbers) * len(families)} cases in {seconds:.0f} s, {len(siege.waits_s)} services of the worker"
    print(f"{words}, {len(faults)} faults", *faults, sep="\n")  # noqa: T201
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
