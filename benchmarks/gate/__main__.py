"""How often the gate is wrong within a year, and how often it sees a gain: by simulation, with the gate itself.

    python -m benchmarks.gate [--years 2000] [--looks 1000] [--write docs/adaptation.md]

Prints two tables; with `--write` they are written where the document has their place. Takes some minutes. Ends with 1
if equal models are promoted in more than one year of twenty, chance within the simulation allowed for.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gate.looks import LOOKS, alphas, power_at, without_budget, years_of
from benchmarks.gate.patients import Population
from benchmarks.marked import write_between

BEGIN, END = "<!-- gate statistics -->", "<!-- end -->"
CASES = (20, 30)
ALIKE = {0.0: "independent", 0.5: "alike by half", 0.9: "alike by nine tenths"}
SHAPES = {"normal": "normal", "failing": "both fail now and then", "skewed": "*only the candidate fails now and then*"}
YEAR_RUNS_WITHOUT = 200  # years of 365 looks: the rate is so large that few show it


def wrong(years: int) -> tuple[list[Sequence[str]], bool]:
    """Return the rows of equal models, and whether each kind of equal models stays within the year's alpha."""
    rows, holds = [], True
    allowed = LOOKS.year_alpha + 3 * math.sqrt(LOOKS.year_alpha * (1 - LOOKS.year_alpha) / years)
    for shape, shape_words in SHAPES.items():
        for alike, words in ALIKE.items():
            population = Population(alike=alike, shape=shape)
            rates = []
            for cases in CASES:
                passed = [year for year in years_of(years, cases, population, seed=1) if year.number]
                rate, single = len(passed) / years, sum(not year.whole for year in passed) / years
                holds = holds and (shape == "skewed" or rate <= allowed)
                rates.append(f"{rate:.1%} (single organs {single:.1%})")
            before = without_budget(YEAR_RUNS_WITHOUT, CASES[0], population, seed=1)
            rows.append((shape_words, words, *rates, f"{before:.0%}"))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows, holds


def seen(looks: int, years: int) -> list[Sequence[str]]:
    """Return the rows of candidates that are better."""
    spent = alphas()
    rows = []
    for gain in (0.01, 0.02):
        for cases in CASES:
            at = [power_at(alpha, looks, cases, Population(gain), seed=2) for alpha in (spent[0], spent[4], spent[-1])]
            of_years = [
                sum(year.number > 0 for year in years_of(years, cases, Population(gain, alike), seed=2)) / years
                for alike in ALIKE
            ]
            cells = [f"{passed:.2f} ({whole:.2f})" for passed, whole in at]
            rows.append((f"+{gain:.2f}", str(cases), *cells, *(f"{share:.2f}" for share in of_years)))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in [head, *rows]]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def main() -> None:
    """Run both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", type=int, default=2000)
    parser.add_argument("--looks", type=int, default=1000)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    rows, holds = wrong(options.years)
    spent = alphas()
    first = table(
        ["spread", "nights", *(f"{n} gate cases" for n in CASES), "p < .05 on any of 365 nights, 20 cases"], rows
    )
    places = [f"look {number}, alpha {spent[number - 1]:.4f}" for number in (1, 5, len(spent))]
    second = table(
        ["gain", "cases", *places, *(f"a year, {words}" for words in ALIKE.values())],
        seen(options.looks, options.years // 10),
    )
    text = (
        f"Share of {options.years} years of nightly looks in which anything was let through though the mean gain is"
        " 0:\n\n"
        f"{first}\n\nShare of {options.looks} looks that let a better candidate through, in brackets as a whole, and of"
        f" {options.years // 10} years of nightly looks at such candidates:\n\n{second}"
    )
    print(text)
    if options.write:
        write_between(options.write, BEGIN, END, text)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
