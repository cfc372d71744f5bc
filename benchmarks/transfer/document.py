"""docs/experiment.md from the result files: figures only, and a plain answer that follows from them."""

from pathlib import Path

from benchmarks.marked import write_between
from benchmarks.transfer.cells import (
    BLENDS,
    COUNTS,
    NNUNET,
    NOTHING,
    PAPER,
    PLACES,
    SHORT,
    Cell,
    Model,
    Network,
    World,
)
from benchmarks.transfer.results import ALL, Result, Results, mean, organs_of, p_better, wins
from benchmarks.transfer.tables import counts, p_of, rows_by_organ, shares_of_the_way, table_two

BEGIN, END = "<!-- results -->", "<!-- end -->"
MOST = 0.5  # of the organs


def write_document(out: Path, path: Path) -> None:
    """Write the results between the document's marks.

    Args:
        out: the folder of the results.
        path: the document.
    """
    results = Results(out)
    chapters = [answer(results), real(results), places(results), numbers(results), blends(results)]
    chapters += [time_needed(results), peers(results)]
    text = "\n\n".join([*chapters, phantoms(results)])
    write_between(path, BEGIN, END, text)


def three(results: Results, number: int, world: World = "real") -> dict[str, Result]:
    """Return S, T and ST at a number of target cases; those that there are."""
    cells = {"S": Cell(world, "S"), "T": Cell(world, "T", number), "ST": Cell(world, "ST", number, PAPER)}
    return {name: found for name, cell in cells.items() if (found := results.of(cell))}


def answer(results: Results) -> str:
    """Return what was to be shown, and whether it was."""
    lines = ["## The answer", ""]
    for number in (40, SHORT):
        some = three(results, number)
        if len(some) < 3:
            lines.append(f"- {number} target patients: not all three models have a result.")
            continue
        s, t, st = (mean(some[name].dices) for name in ("S", "T", "ST"))
        organs = organs_of(some["ST"].dices)
        over_s, over_t = (wins(some["ST"].dices, some[name].dices, organs) for name in ("S", "T"))
        order = "holds" if s < t < st else "does **not** hold"
        most = "most" if over_t > MOST * len(organs) else "**not** most"
        lines.append(
            f"- {number} target patients: S {s:.3f}, T {t:.3f}, ST {st:.3f}. S < T < ST {order}; ST - S is "
            f"{st - s:+.3f} (.05 was wanted), better with p < .05 in {over_s} of {len(organs)} organs; ST - T is "
            f"{st - t:+.3f}, better with p < .05 in {over_t} of {len(organs)} organs, {most} of them."
        )
    return "\n".join([*lines, *winner(results)])


PEERS: dict[Network, tuple[str, str]] = {
    "unet": ("MONAI's U-Net", "the U-Net"),
    "nnunet": ("nnU-Net 2d", "nnU-Net"),
}
"""What the peers are called, in full and in short."""


def winner(results: Results) -> list[str]:
    """Return who wins at equal processor time."""
    found = []
    models: tuple[tuple[Model, int], ...] = (("S", 0), ("ST", 40), ("ST", SHORT), ("T", 40), ("T", SHORT))
    for network, (long, short) in PEERS.items():
        for model, number in models:
            peer = Cell("real", model, number, network=network)
            theirs, ours = results.of(peer), results.of(peer.ours)
            if ours and theirs:
                one, other = mean(ours.dices), mean(theirs.dices)
                p = min(p_better(ours.dices, theirs.dices, ALL), p_better(theirs.dices, ours.dices, ALL))
                who = short if other > one else "the ResNet-SPP"
                name = f"{model}, {number} target patients" if number else "S"
                found.append(
                    f"- {name}: {long} {other:.3f}, ResNet-SPP {one:.3f} in the same processor time: **{who} wins** "
                    f"(one-sided p {p_of(p)})."
                )
    return found


def real(results: Results) -> str:
    """Return the paper's Table 2, twice."""
    parts = ["## Model_S, Model_T, Model_ST (the paper's Table 2)"]
    for number in (40, SHORT):
        some = three(results, number)
        if len(some) == 3:
            models = {name: result.dices for name, result in some.items()}
            parts += [f"{number} target patients learnt from, 17 judged.", table_two(models, PAIRS)]
    source = results.of(Cell("real", "S"))
    if source and source.at_home:
        at_home = ", ".join(f"{organ} {mean(source.at_home, organ):.3f}" for organ in organs_of(source.at_home))
        parts.append(
            f"At home, on the {len(source.at_home)} patients of the source centre that it has not seen, S reaches "
            f"{mean(source.at_home):.3f} ({at_home}); at the target {mean(source.dices):.3f}: that is the gap between "
            "the centres."
        )
    return "\n\n".join(parts)


PAIRS = (("ST", "S"), ("ST", "T"), ("T", "S"))


def places(results: Results) -> str:
    """Return the effect of how much is re-trained."""
    source = results.of(Cell("real", "S"))
    parts = ["## How many layers are re-trained"]
    for number in (40, SHORT):
        models = {
            words: source if frozen == "spp" else results.of(Cell("real", "ST", number, frozen))
            for frozen, words in PLACES.items()
        }
        if source and sum(result is not None for result in models.values()) > 2:
            table = rows_by_organ(models, organs_of(source.dices), source)
            parts += [f"{number} target patients, the same steps each.", table]
    return "\n\n".join(parts)


def numbers(results: Results) -> str:
    """Return the effect of how many target patients there are."""
    source = results.of(Cell("real", "S"))
    rows = [
        (number, results.of(Cell("real", "T", number)), results.of(Cell("real", "ST", number, PAPER)))
        for number in COUNTS
    ]
    table = counts(rows, source.dices) if source else "not run"
    return f"## How many target patients\n\n{table}"


def blends(results: Results) -> str:
    """Return what weights between S and ST do."""
    source = results.of(Cell("real", "S"))
    rows = [
        (
            number,
            blend,
            results.of(Cell("real", "ST", number, PAPER, blend=blend)),
            results.of(Cell("real", "T", number)),
        )
        for number, shares in BLENDS.items()
        for blend in (*shares, 1.0)
    ]
    table = shares_of_the_way(rows, source.dices) if source else "not run"
    return f"## Some of the way from S to ST\n\n{table}"


def time_needed(results: Results) -> str:
    """Return when T and ST reach the same Dice."""
    lines = ["## Time to equal Dice", ""]
    for number in (40, SHORT):
        some = three(results, number)
        for name in ("T", "ST"):
            if name in some and some[name].curve:
                looks = "; ".join(f"{seconds / 60:.1f} min {dice:.3f}" for seconds, dice in some[name].curve.values())
                lines.append(f"- {name}, {number} target patients: {looks}.")
        if "T" in some and "ST" in some and some["T"].curve and some["ST"].curve:
            goal = list(some["T"].curve.values())[-1][1]
            reached = next((seconds for seconds, dice in some["ST"].curve.values() if dice >= goal), None)
            alone = some["T"].cpu_seconds
            lines.append(
                f"  ST has T's last Dice after {reached / 60:.1f} of T's {alone / 60:.1f} minutes, "
                f"{1 - reached / alone:.0%} less."
                if reached
                else "  ST does not reach T's last Dice."
            )
    source = results.of(Cell("real", "S"))
    slices = (
        f" A slice, from HU to masks, takes {source.seconds_a_slice * 1000:.0f} ms of one thread." if source else ""
    )
    return (
        "\n".join(lines) + "\n\nMinutes of one thread's processor time; mean Dice of four target patients before "
        "post-processing, looked at on the way and choosing nothing." + slices
    )


def peers(results: Results) -> str:
    """Return the peers beside ours."""
    models = {
        f"{words}, {name}": results.of(Cell("real", model, number, frozen, network))
        for words, network in (("ResNet-SPP `plus`", "plus"), ("ResNet-SPP `paper`", "paper"), ("MONAI U-Net", "unet"))
        for name, model, number, frozen in (
            ("S", "S", 0, NOTHING),
            ("T 40", "T", 40, NOTHING),
            ("ST 40", "ST", 40, NOTHING if network == "unet" else PAPER),
            ("T 10", "T", SHORT, NOTHING),
            ("ST 10", "ST", SHORT, NOTHING if network == "unet" else PAPER),
        )
    }
    for cell in NNUNET:
        models[f"nnU-Net 2d, {cell.model} {cell.cases or ''}".rstrip()] = results.of(cell)
    source = results.of(Cell("real", "S"))
    organs = organs_of(source.dices) if source else []
    return "## Peers, on the same patients and in the same processor time\n\n" + rows_by_organ(models, organs, source)


def phantoms(results: Results) -> str:
    """Return the same on phantoms with all organs."""
    some = three(results, SHORT, "phantom")
    head = "## Phantoms: twelve organs, two ways to contour"
    if len(some) < 3:
        return f"{head}\n\nnot run"
    return f"{head}\n\n{table_two({name: result.dices for name, result in some.items()}, PAIRS)}"
