"""Tests of telling uneven slices from missing ones."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.slice_spacing import find_gaps

SPACINGS_MM = st.sampled_from([0.6, 1.0, 1.25, 2.0, 3.0, 5.0])
JITTER_MM = st.floats(-0.01, 0.01)


def places(*steps_mm):
    return list(accumulate(steps_mm, initial=-100.0))


def slow_gaps(steps):
    """Say for each step, one at a time and by its definition, whether slices are missing in it."""

    def is_settled(index):
        windows = [steps[first : first + 3] for first in range(max(0, index - 2), index + 1)]
        return any(len(window) == 3 and len(set(window)) == 1 for window in windows)

    def length_of_run(index):
        first, last = index, index
        while first > 0 and steps[first - 1] == steps[index]:
            first -= 1
        while last < len(steps) - 1 and steps[last + 1] == steps[index]:
            last += 1
        return last - first + 1

    def is_gap(index):
        below = [steps[other] for other in range(index) if is_settled(other)][-1:]
        above = [steps[other] for other in range(index + 1, len(steps)) if is_settled(other)][:1]
        usual = below + above or [min(steps)]
        step = steps[index]
        return (
            not is_settled(index)
            and step > max(usual)
            and (
                any(step % other == 0 for other in usual)
                or (len(usual) == 2 and step == sum(usual))
                or (length_of_run(index) == 1 and 2 * step >= 3 * max(usual))
            )
        )

    return [index for index in range(len(steps)) if is_gap(index)]


@given(st.lists(st.integers(1, 9), max_size=24))
def test_gaps_are_those_of_the_slow_definition(steps):
    """Whole steps of any sequence give the gaps that a step-by-step reading of the rule gives."""
    positions = places(*map(float, steps))

    found = [positions.index(gap.below_mm) for gap in find_gaps(positions)]

    assert found == slow_gaps(steps)


@given(SPACINGS_MM, st.lists(JITTER_MM, min_size=2, max_size=80))
def test_even_slices_have_no_gap(spacing, jitter):
    """Slices at one spacing, each up to 0.01 mm off its place, lack nothing."""
    assert not find_gaps([index * spacing + off for index, off in enumerate(jitter)])


@given(SPACINGS_MM, SPACINGS_MM, st.integers(3, 40), st.integers(3, 40))
def test_one_change_of_spacing_is_no_gap(lower, upper, below, above):
    """Two spacings of three steps or more in one series lack nothing, even where one is twice the other."""
    assert not find_gaps(places(*[lower] * below, *[upper] * above))


@given(SPACINGS_MM, SPACINGS_MM, st.integers(3, 20), st.integers(3, 20))
def test_a_middling_step_at_a_change_of_spacing_is_no_gap(lower, upper, below, above):
    """Slabs that touch have their centres half of each thickness apart."""
    assert not find_gaps(places(*[lower] * below, (lower + upper) / 2, *[upper] * above))


@given(SPACINGS_MM, st.integers(4, 60), st.data())
def test_a_lost_slice_is_found_where_it_was(spacing, count, data):
    """One slice taken out of an even series leaves one gap at its place."""
    positions = [index * spacing for index in range(count)]
    lost = positions.pop(data.draw(st.integers(1, count - 2)))

    (gap,) = find_gaps(positions)

    assert gap.below_mm < lost < gap.above_mm
    assert gap.missing == 1


@given(SPACINGS_MM, st.integers(2, 5), st.integers(3, 20), st.integers(3, 20))
def test_neighbours_lost_together_are_counted(spacing, lost, below, above):
    """A gap says how many slices would fit into it."""
    (gap,) = find_gaps(places(*[spacing] * below, spacing * (lost + 1), *[spacing] * above))

    assert gap.missing == lost


@pytest.mark.parametrize("lost", [1, 2, 5, 9, 10, 11, 12, 15, 18])
def test_a_slice_lost_from_three_then_five_mm_is_found(lost):
    """Wherever a slice is taken out of ten steps of 3 mm and nine of 5 mm, one gap lies there."""
    positions = places(*[3.0] * 10, *[5.0] * 9)
    at = positions.pop(lost)

    (gap,) = find_gaps(positions)

    assert gap.below_mm < at < gap.above_mm
    assert gap.missing == 1


@pytest.mark.parametrize(
    "steps",
    [
        [3, 3, 3, 5, 5],
        [5, 5, 3, 3, 3, 3],
        [1.5] * 5 + [3] * 5,
        [3] * 5 + [1.5] * 5 + [3] * 5,
        [5] * 5 + [3] * 9 + [5] * 5,
        [3, 3, 3, 4, 3, 3, 3],  # two scans that begin a little apart
        [3, 3, 3, 1, 3, 3, 3],  # or overlap
        [2.5],
        [],
    ],
)
def test_legal_spacings_have_no_gap(steps):
    """Uneven spacing that a protocol makes is not taken for a missing slice."""
    assert not find_gaps(places(*steps))


@pytest.mark.parametrize(
    ("steps", "missing"),
    [
        ([5, 5, 10], [1]),
        ([10, 5, 5], [1]),
        ([3, 6, 3, 6, 3], [1, 1]),  # every other slice
        ([3, 3, 3, 6, 6, 3, 3, 3], [1, 1]),  # two slices, one apart
        ([3, 3, 3, 6, 9, 3, 3, 3], [1, 2]),
        ([3, 3, 3, 5, 3, 3, 3], [1]),  # no multiple, but much too wide
        ([1.5, 1.5, 1.5, 6.5, 5, 5, 5], [1]),  # the slice at which the spacing changes
    ],
)
def test_gaps_are_counted(steps, missing):
    """Gaps at the ends, beside one another and at changes of spacing are found and counted."""
    assert [gap.missing for gap in find_gaps(places(*steps))] == missing


def test_numbers_tell_a_loss_where_spacing_doubles():
    """A slice lost just where 1.5 mm becomes 3 mm leaves legal positions; the instance numbers betray it."""
    positions = places(*[1.5] * 4, *[3.0] * 4)
    numbers = [1, 2, 3, 4, 5, 7, 8, 9, 10]

    (gap,) = find_gaps(positions, numbers)

    assert (gap.below_mm, gap.above_mm, gap.missing) == (-94.0, -91.0, 1)


@pytest.mark.parametrize("numbers", [range(1, 10), range(9, 0, -1), [None] * 9, [7] * 9, [1, 9, 2, 8, 3, 7, 4, 6, 5]])
def test_numbers_do_not_make_a_gap_of_a_legal_change(numbers):
    """Numbers that are consecutive, unknown or useless leave the verdict to the positions."""
    assert not find_gaps(places(*[1.5] * 4, *[3.0] * 4), list(numbers))


def test_consecutive_numbers_do_not_acquit():
    """A gap in the positions stays one though an exporter numbered the slices anew."""
    assert find_gaps(places(3.0, 3.0, 3.0, 6.0, 3.0, 3.0, 3.0), range(1, 9))


@given(st.lists(st.integers(1, 9), max_size=20))
def test_upside_down_is_the_same(steps):
    """The verdict does not depend on which end is up."""
    upright = [gap.missing for gap in find_gaps(places(*steps))]

    assert [gap.missing for gap in find_gaps(places(*reversed(steps)))] == upright[::-1]
