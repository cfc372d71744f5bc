"""What came of the nights, as a table and a figure."""

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.marked import write_between


def read_nights(out: Path) -> list[dict[str, Any]]:
    """Return the nights that were run."""
    paths = sorted(out.glob("night-*.json"), key=lambda path: int(path.stem.rpartition("-")[2]))
    return [json.loads(path.read_text()) for path in paths]


def write_document(out: Path, document: Path) -> None:
    """Write what came of the nights and of the poisoned ones between the document's marks, and draw the figure.

    Args:
        out: the folder of the results.
        document: the figure comes into the folder `pictures` beside it.
    """
    for mark, table in (("nights", nights_table(out)), ("poisoned nights", poison_table(out))):
        write_between(document, f"<!-- {mark} -->", f"<!-- end {mark} -->", table)
    draw_nights(out, document.parent / "pictures" / "nights.png")


def nights_table(out: Path) -> str:
    """Return a row a night, and what was held against those candidates that were refused."""
    nights = read_nights(out)
    if not nights:
        return "no night was run yet"
    organs = list(nights[0]["before"])
    lines = [f"| night | learnt from | {' | '.join(organs)} | p (alpha) | verdict | in service |"]
    lines += ["|---" * (len(organs) + 5) + "|", _row("| | base", nights[0]["before"], organs) + " | | | |"]
    for number, one in enumerate(nights, 1):
        test = tested(out, one["night"])
        p = f"{test['p']:.2g} ({test['alpha']:.2g})" if test else ""
        dsc = f"{one['in_service']['mean']:.3f}"
        row = _row(f"| {number} | {one['patients']}", one["candidate"], organs)
        lines.append(f"{row} | {p} | {one['end']} | {dsc} |")
    why = [f"- Night {number}: {'; '.join(one['reasons'])}." for number, one in enumerate(nights, 1) if one["reasons"]]
    return "\n".join([*lines, "", *why])


def tested(out: Path, night: str) -> dict[str, Any]:
    """Return the numbers of a night's test of all organs together, from its dossier; empty where there was none."""
    path = out / "course" / "node" / "data" / "adaptation" / "runs" / night / "dossier.json"
    if not path.exists():
        return {}
    demands = json.loads(path.read_text())["impact_assessment"]["whole"]
    return next((one["numbers"] for one in demands if "p" in one["numbers"]), {})


def _row(first: str, dsc: dict[str, float], organs: list[str]) -> str:
    return f"{first} | {' | '.join(f'{dsc[organ]:.3f}' if dsc else '' for organ in organs)}"


def poison_table(out: Path) -> str:
    """Return a row a poisoned night, and the sums."""
    found = [json.loads(path.read_text()) for path in sorted(out.glob("poison-*.json"))]
    if not found:
        return "no poisoned night was run yet"
    lines = [
        "| seed | poison | kept out by admission | the gate, had all been learnt from | unseen patients | harmful |"
    ]
    lines.append("|---" * 6 + "|")
    for one in found:
        harm, dsc = ("", "") if not one["promoted"] else ("yes" if one["harmful"] else "no", _change(one))
        kept = f"{one['kept_out']} of {one['poisoned']}"
        lines.append(f"| {one['seed']} | {one['kind']} | {kept} | {one['end']} | {dsc} | {harm} |")
    kept, all_of = sum(one["kept_out"] for one in found), sum(one["poisoned"] for one in found)
    promoted, harmful = sum(one["promoted"] for one in found), sum(one["harmful"] for one in found)
    sums = f"{len(found)} nights: {kept} of {all_of} wrong sets kept out; {promoted} promotions, {harmful} harmful."
    return "\n".join([*lines, "", sums])


def _change(one: dict[str, Any]) -> str:
    return f"{one['before']['mean']:.3f} to {one['after']['mean']:.3f}"


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
