"""A hundred thousand instances from eight peers: is any lost, and does the node hold more and more?

    PYTHONPATH=. python benchmarks/soak.py 100000 --out soak.png

The picture has memory and descriptors over time; the slope is of the second half. Instances are of 64 x 64 pixels, so
that they fit a disk: --rows 512 makes them as large as a scanner's.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure

from tests.support.siege import besieged
from tests.support.soak import Soak, lost_or_altered, soak


def draw(outcome: Soak, path: Path) -> None:
    """Draw memory and descriptors over time."""
    minutes = [seconds / 60 for seconds, _ in outcome.held]
    figure = Figure(figsize=(9, 4), layout="constrained")
    memory = figure.subplots()
    memory.plot(minutes, [held.memory / 1e6 for _, held in outcome.held], color="tab:blue")
    memory.set(xlabel="minutes", ylabel="resident memory, MB", ylim=(0, None))
    descriptors = memory.twinx()
    descriptors.plot(minutes, [held.descriptors for _, held in outcome.held], color="tab:orange")
    descriptors.set(ylabel="descriptors", ylim=(0, None))
    memory.set_title(f"{len(outcome.acknowledged)} instances, {outcome.slope_mb_per_hour():.1f} MB/h")
    figure.savefig(path)


def main() -> None:
    """Soak a node as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instances", type=int, nargs="?", default=100_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("soak.png"))
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, besieged(Path(folder) / "node", {"logging": {"level": "INFO"}}) as siege:
        outcome = soak(siege, clients=arguments.clients, instances=arguments.instances, rows=arguments.rows)
        lost = lost_or_altered(siege, outcome)
    draw(outcome, arguments.out)
    sent = len(outcome.acknowledged)
    most = max(held.memory for _, held in outcome.held) / 1e6
    print(f"{sent} instances in {outcome.seconds:.0f} s, {sent / outcome.seconds:.0f}/s; {outcome.refused} refused")
    print(f"{len(lost)} lost or altered; at most {most:.0f} MB; slope {outcome.slope_mb_per_hour():.1f} MB/h")


if __name__ == "__main__":
    main()
