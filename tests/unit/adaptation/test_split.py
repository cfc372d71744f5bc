from hypothesis import given
from hypothesis import strategies as st

from adaptation.labelled_ct import Case
from adaptation.split import split


def cases(counts):
    return [
        Case(f"{group}/{number}", group, load=lambda: None)
        for group, count in counts.items()
        for number in range(count)
    ]


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 30), min_size=1), st.integers(0, 99))
def test_every_case_is_in_one_part_and_every_group_in_the_unseen(counts, seed):
    """No case is learnt from and judged on; each group gives its share."""
    parts = split(cases(counts), unseen=0.15, tune=0.05, seed=seed)

    names = [case.name for part in (parts.learn, parts.tune, parts.unseen) for case in part]
    assert sorted(names) == sorted(case.name for case in cases(counts))
    assert all(sum(case.group == group for case in parts.unseen) >= 0.15 * count for group, count in counts.items())


def test_split_does_not_depend_on_the_order_of_the_files():
    """The same names and seed give the same parts."""
    one = split(cases({"a": 20}), unseen=0.2, tune=0.1, seed=3)
    other = split(cases({"a": 20})[::-1], unseen=0.2, tune=0.1, seed=3)

    assert [case.name for case in one.unseen] == [case.name for case in other.unseen]
