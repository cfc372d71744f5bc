"""Whether slices lie unevenly because they were scanned so, or because some are missing (pure).

The rule and its reasons stand in words in docs/completeness.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

SAME_STEP_MM = 0.15  # positions are often written with one decimal: two equal steps then differ by up to 0.1 mm
SAME_STEP_FRACTION = 0.05  # and of thick slices the couch makes somewhat more
SETTLED_STEPS = 3  # equal steps in a row that a protocol makes and lost slices hardly do
WIDE = 1.5  # a lone step of so many times its neighbours leaves half a slice of the patient unseen


@dataclass(frozen=True)
class Gap:
    """Two neighbouring slices with something missing between them.

    Args:
        below_mm: place of the lower slice along the stack.
        above_mm: place of the upper slice.
        usual_mm: the steps to expect there: of the spacing below, of the spacing above, or of both where they differ.
        missing: how many slices seem to be missing, at least 1.
    """

    below_mm: float
    above_mm: float
    usual_mm: tuple[float, ...]
    missing: int


@dataclass(frozen=True)
class _Run:
    """Equal steps in a row; `first` is the index of the first."""

    first: int
    steps: tuple[float, ...]

    @property
    def step(self) -> float:
        return sum(self.steps) / len(self.steps)

    @property
    def is_settled(self) -> bool:
        return len(self.steps) >= SETTLED_STEPS


def find_gaps(positions_mm: Sequence[float], instance_numbers: Sequence[int | None] = ()) -> tuple[Gap, ...]:
    """Return where slices seem to be missing.

    Args:
        positions_mm: of the slices along their normal, ascending, no two the same.
        instance_numbers: of the same slices, for evidence where positions alone do not decide; ignored unless all
            are known. They never acquit.
    """
    steps = [above - below for below, above in pairwise(positions_mm)]
    jumps = _jumps(instance_numbers) if len(instance_numbers) == len(positions_mm) else []
    runs = _runs(steps)
    smallest = min(runs, key=lambda run: run.step, default=None)
    gaps = []
    for place, run in enumerate(runs):
        beside = _settled_beside(runs, place) or ([smallest] if smallest and not run.is_settled else [])
        usual = tuple(dict.fromkeys(round(other.step, 3) for other in beside))
        for index in _missing_in(run, beside, jumps):
            missing = _how_many(steps[index], usual)
            gaps.append(Gap(positions_mm[index], positions_mm[index + 1], usual, missing))
    return tuple(gaps)


def _jumps(instance_numbers: Sequence[int | None]) -> list[int]:
    """By how much the number grows from slice to slice; nothing unless every number is known."""
    known = [number for number in instance_numbers if number is not None]
    return [abs(after - before) for before, after in pairwise(known)] if len(known) == len(instance_numbers) else []


def _runs(steps: Sequence[float]) -> list[_Run]:
    """Cut the steps into runs of equal ones; each is compared with the first of its run, lest a drift go unseen."""
    runs: list[_Run] = []
    for index, step in enumerate(steps):
        if runs and _same(step, runs[-1].steps[0]):
            runs[-1] = _Run(runs[-1].first, (*runs[-1].steps, step))
        else:
            runs.append(_Run(index, (step,)))
    return runs


def _settled_beside(runs: Sequence[_Run], place: int) -> list[_Run]:
    """Return the nearest settled run below and the nearest above."""
    below = next((run for run in reversed(runs[:place]) if run.is_settled), None)
    above = next((run for run in runs[place + 1 :] if run.is_settled), None)
    return [run for run in (below, above) if run is not None]


def _missing_in(run: _Run, beside: Sequence[_Run], jumps: Sequence[int]) -> Iterator[int]:
    """Yield the indices of the steps of a run that are too wide."""
    too_wide = _is_too_wide(run, [other.step for other in beside])
    for index in range(run.first, run.first + len(run.steps)):
        if too_wide or (jumps and _is_numbered_so(index, run, beside, jumps)):
            yield index


def _is_too_wide(run: _Run, usual: Sequence[float]) -> bool:
    """Whether the positions alone say that slices are missing in a run."""
    if run.is_settled or not usual or run.step <= max(usual) or _same(run.step, max(usual)):
        return False  # a settled spacing is a protocol's; a step no wider than one of its sides is a change of spacing
    if any(_multiple(run.step, step) > 1 for step in usual):
        return True
    if len(usual) == 2 and _same(run.step, sum(usual)):  # the slice at which the spacing changes is the missing one
        return True
    return len(run.steps) == 1 and run.step >= WIDE * max(usual)


def _is_numbered_so(index: int, run: _Run, beside: Sequence[_Run], jumps: Sequence[int]) -> bool:
    """Whether the instance numbers, consecutive beside, leave out as many slices here as the step has room for."""
    return any(
        _multiple(run.step, other.step) == jumps[index] > 1
        and all(jump == 1 for jump in jumps[other.first : other.first + len(other.steps)])
        for other in beside
    )


def _how_many(step: float, usual: Sequence[float]) -> int:
    """Return how many slices fit into a step: by the spacing of which it is a multiple, else by the wider one."""
    whole = [multiple for multiple in (_multiple(step, other) for other in usual) if multiple > 1]
    return max(1, min(whole, default=round(step / max(usual))) - 1)


def _multiple(step: float, of: float) -> int:
    """Return k if `step` is k times `of`, else 0."""
    times = round(step / of)
    return times if times and _same(step, times * of) else 0


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= max(SAME_STEP_MM, SAME_STEP_FRACTION * min(a, b))
