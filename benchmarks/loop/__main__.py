"""The whole loop on real patients: nights that bring a gain, nights that do not, and poisoned nights.

    PYTHONPATH=. python -m benchmarks.loop nights --data OPENKBP --base BUNDLE --out DIR
    PYTHONPATH=. python -m benchmarks.loop poison --data OPENKBP --base BUNDLE --out DIR
    PYTHONPATH=. python -m benchmarks.loop table --out DIR [--write docs/adaptation.md]

BUNDLE has seen patients of `source` alone. Each night's result is a file in DIR: what is there is not run again, and a
night that was cut short goes on.
"""

import argparse
import os
from pathlib import Path

from benchmarks.loop.nights import run_nights
from benchmarks.loop.poison import run_seed
from benchmarks.loop.table import draw_nights, nights_table, poison_table, write_document
from benchmarks.loop.world import World
from tests.support.programs import path_of_others


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["nights", "poison", "table"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--out", type=Path, default=Path("loop"))
    parser.add_argument("--seeds", type=int, default=20, help="Poisoned nights.")
    parser.add_argument("--write", type=Path, help="Document whose tables are written from what is in --out.")
    arguments = parser.parse_args()
    os.environ["PATH"] = path_of_others()
    if arguments.what == "nights":
        run_nights(World(arguments.data, arguments.base, arguments.out / "course"), arguments.out)
    elif arguments.what == "poison":
        for seed in range(arguments.seeds):
            came = run_seed(World(arguments.data, arguments.base, arguments.out / "poisoned"), seed, arguments.out)
            print(
                f"seed {seed}: {came['kind']}: {came['kept_out']} of {came['poisoned']} kept out; {came['end']}",
                flush=True,
            )
    print(nights_table(arguments.out), poison_table(arguments.out), sep="\n\n")
    draw_nights(arguments.out, arguments.out / "nights.png")
    if arguments.write:
        write_document(arguments.out, arguments.write)


if __name__ == "__main__":
    main()
