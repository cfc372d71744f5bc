"""The tables of the experiment as Markdown (pure)."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.transfer.results import ALL, Dices, Result, mean, organs_of, p_better, values, wins

NOT_RUN = "not run"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in [head, *rows]]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def spread(dices: Dices, organ: str) -> str:
    """Return mean and standard deviation over the cases."""
    found = [value for value in values(dices, organ) if np.isfinite(value)]
    return f"{_short(np.mean(found))} +- {_short(np.std(found, ddof=1))}"


def table_two(models: Mapping[str, Dices], pairs: Sequence[tuple[str, str]]) -> str:
    """Return the paper's Table 2: a row an organ, a column a model, and p-values of pairs of models.

    Args:
        models: name to Dice on the same cases.
        pairs: of names; whether the first is better.
    """
    first = next(iter(models.values()))
    rows = [
        [
            organ,
            *(spread(dices, organ) for dices in models.values()),
            *(p_of(p_better(models[a], models[b], organ)) for a, b in pairs),
        ]
        for organ in [*organs_of(first), ALL]
    ]
    return markdown(["organ", *models, *(f"p {a} > {b}" for a, b in pairs)], rows)


def rows_by_organ(models: Mapping[str, Result | None], organs: Sequence[str], source: Result | None) -> str:
    """Return a row a model: mean Dice of each organ and of all, and what its training cost."""
    rows = []
    for name, result in models.items():
        if result is None:
            rows.append([name, NOT_RUN, *([""] * (len(organs) + 2))])
            continue
        cost = f"{result.cpu_seconds / 60:.1f}" if result.cpu_seconds else "-"
        rows.append(
            [
                name,
                *(_short(mean(result.dices, organ)) for organ in organs),
                f"**{_short(mean(result.dices))}**",
                str(wins(result.dices, source.dices, organs)) if source and source is not result else "-",
                cost,
            ]
        )
    return markdown(["", *organs, "mean", f"organs better than S, of {len(organs)}, p < .05", "CPU min"], rows)


def counts(rows: Sequence[tuple[int, Result | None, Result | None]], source: Dices) -> str:
    """Return a row a number of target cases: T, ST, how far apart, and in how many organs ST is better."""
    lines = []
    for number, alone, transferred in rows:
        t, st = (_short(mean(one.dices)) if one else NOT_RUN for one in (alone, transferred))
        gap, better, p = "", "", ""
        if alone and transferred:
            organs = organs_of(transferred.dices)
            gap = f"{mean(transferred.dices) - mean(alone.dices):+.3f}"
            better = f"{wins(transferred.dices, alone.dices, organs)} of {len(organs)}"
            p = p_of(p_better(transferred.dices, alone.dices, ALL))
        over = f"{mean(transferred.dices) - mean(source):+.3f}" if transferred else ""
        lines.append([str(number), t, st, gap, better, p, over])
    return markdown(["target cases", "T", "ST", "ST - T", "organs with p < .05", "p of the mean", "ST - S"], lines)


def shares_of_the_way(rows: Sequence[tuple[int, float, Result | None, Result | None]], source: Dices) -> str:
    """Return a row a number of target cases and a share of the way from S to ST: how it does beside S and beside T."""
    lines = []
    for number, share, blended, alone in rows:
        reached = _short(mean(blended.dices)) if blended else NOT_RUN
        beside = [_beside(blended, other) for other in (source, alone.dices if alone else None)]
        lines.append([str(number), f"{share:g}", reached, *beside[0], *beside[1]])
    head = ["target cases", "share", "ST"]
    return markdown([*head, *(f"{what} {name}" for name in "ST" for what in BESIDE)], lines)


BESIDE = ("over", "p of the mean over", "organs with p < .05 over", "lowest organ beside")


def _beside(one: Result | None, other: Dices | None) -> list[str]:
    """Return how much better a model is than another, how sure that is, and its worst organ."""
    if one is None or other is None:
        return [""] * len(BESIDE)
    organs = organs_of(one.dices)
    worst = min(organs, key=lambda organ: mean(one.dices, organ) - mean(other, organ))
    return [
        f"{mean(one.dices) - mean(other):+.3f}",
        p_of(p_better(one.dices, other, ALL)),
        f"{wins(one.dices, other, organs)} of {len(organs)}",
        f"{worst} {mean(one.dices, worst) - mean(other, worst):+.3f}",
    ]


def p_of(p: float) -> str:
    """Return a p-value as one prints it."""
    return "-" if not np.isfinite(p) else "< .001" if p < 0.001 else _short(p, 3)


def _short(value: float | np.floating, digits: int = 3) -> str:
    """Return a number between 0 and 1 without its 0."""
    return f"{value:.{digits}f}".replace("0.", ".", 1)
