"""What came of the nights, as a table and a figure."""

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def read_nights(out: Path) -> list[dict[str, Any]]:
    """Return the nights that were run."""
    paths = sorted(out.glob("night-*.json"), key=lambda path: int(path.stem.rpartition("-")[2]))
    return [json.loads(path.read_text()) for path in paths]


def print_nights(out: Path) -> None:
    """Print a row a night."""
    nights = read_nights(out)
    if not nights:
        print("no night was run yet")
        return
    organs = [organ for organ in nights[0]["before"] if organ != "mean"]
    print(f"| night | patients | candidate | outcome | {' | '.join(organs)} | mean |")
    print(f"|---|---|---|---|{'---|' * len(organs)}---|")
    print(_row("base", nights[0]["before"], organs))
    for one in nights:
        candidate = f"{one['candidate']['mean']:.4f}" if one["candidate"] else ""
        first = f"{one['night']} | {one['patients']} | {candidate} | {one['end']}"
        print(_row(first, one["in_service"], organs))
    for one in nights:
        for reason in one["reasons"]:
            print(f"{one['night']}: {reason}")


def _row(first: str, dsc: dict[str, float], organs: list[str]) -> str:
    start = first if " | " in first else f"{first} |  |  | "
    return f"| {start} | {' | '.join(f'{dsc[organ]:.4f}' for organ in organs)} | {dsc['mean']:.4f} |"


def draw_nights(out: Path, path: Path) -> None:
    """Draw the DSC per organ of the model in service over the nights, and the mean of each candidate."""
    nights = read_nights(out)
    if not nights:
        return
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    labels = ["base", *[f"{one['night'][5:]}\n{one['patients']}" for one in nights]]
    for organ in nights[0]["before"]:
        values = [nights[0]["before"][organ], *[one["in_service"][organ] for one in nights]]
        axes.plot(labels, values, marker="o", label=organ, linewidth=3 if organ == "mean" else 1)
    tried = [
        (index, one["candidate"]["mean"], one["in_service"]["mean"])
        for index, one in enumerate(nights, 1)
        if one["candidate"]
    ]
    refused = [(index, mean) for index, mean, serving in tried if abs(mean - serving) > 1e-9]
    axes.plot([i for i, _ in refused], [m for _, m in refused], "kx", label="candidate, refused")
    axes.set(xlabel="night, patients to learn from", ylabel="DSC on the 17 patients of the gate, in service")
    axes.legend(ncols=2)
    figure.savefig(path, dpi=120)
