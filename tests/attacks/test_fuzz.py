"""A fuzzer against the running node and against every reader of strangers' bytes; what it finds becomes a test."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.encoded import Element, walk
from dicomnode.errors import NotUnderstood
from dicomnode.header import Header
from dicomnode.instance_file import parse_file
from tests.support.fuzz import faults_of, run_cases
from tests.support.fuzz_cases import in_process, on_the_wire
from tests.support.instances import encode
from tests.support.mutation import CHANGES, mutate
from tests.support.siege import Siege

pytestmark = pytest.mark.slow

IN_PROCESS_CASES = {"data set": 2000, "instance file": 2000, "CT series": 2000, "structure set": 200}
WIRE_CASES = 300  # of each of the four families
TEXTS = {
    "ImageComments": st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=40),
    "PatientID": st.from_regex(r"[A-Z0-9]{0,16}", fullmatch=True),
    "Rows": st.integers(0, 65535),
    "SliceLocation": st.integers(-9999, 9999).map(str),
    "SelectorFDValue": st.lists(st.floats(allow_nan=False), max_size=4),
    "StudyInstanceUID": st.from_regex(r"1(\.[1-9][0-9]{0,4}){1,8}", fullmatch=True),
}


@pytest.mark.parametrize("family", IN_PROCESS_CASES)
def test_no_bytes_break_a_reader(tmp_path: Path, family: str) -> None:
    """Row 23: wrong data sets, files, slices and structure sets are refused in words, and raise nothing else."""
    families = {family: in_process(tmp_path)[family]}

    assert run_cases(families, range(IN_PROCESS_CASES[family])) == []


def test_no_bytes_break_the_node(siege: Siege) -> None:
    """Row 23: wrong requests, PDUs, command sets and data sets leave a node that works, and files that are whole."""
    families = on_the_wire(siege)
    assert len(families) * WIRE_CASES >= 1200

    with siege.withstood():
        faults = run_cases(families, range(WIRE_CASES))

    assert faults + faults_of(siege) == []


def test_a_case_is_the_same_again() -> None:
    """The same seed makes the same bytes, other ones others, and every change changes something."""
    data = bytes(range(256)) * 4

    assert mutate(data, Random(1)) == mutate(data, Random(1)) != mutate(data, Random(2))
    assert [change.__name__ for change in CHANGES if all(change(data, Random(n)) == data for n in range(9))] == []


def data_sets(depth: int = 2) -> st.SearchStrategy[Dataset]:
    """Return data sets of some elements, with sequences in them."""
    items = st.lists(data_sets(depth - 1), max_size=2) if depth else st.just([])
    return st.fixed_dictionaries({}, optional={**TEXTS, "SourceImageSequence": items}).map(as_data_set)


def as_data_set(values: dict[str, object]) -> Dataset:
    """Return the data set with these values by keyword."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


@given(data_sets(), st.sampled_from([EXPLICIT_VR_LE, IMPLICIT_VR_LE]))
def test_the_walk_finds_every_element_where_it_lies(ds: Dataset, syntax: str) -> None:
    """Elements follow one another without a gap to the end of the data set, as many as were encoded."""
    data = encode(ds, syntax)

    elements = walk(data, implicit=syntax == IMPLICIT_VR_LE)

    assert [element.tag for element in elements] == [int(element.tag) for element in ds]
    assert [element.offset for element in elements] == [0, *(element.end for element in elements)][: len(elements)]
    assert not elements or elements[-1].end == len(data)


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_make_the_walk_leave_them(data: bytes, implicit: bool) -> None:
    """What the walk returns for bytes of any kind lies within them, and reading it raises nothing but a refusal."""
    try:
        elements = walk(data, implicit=implicit)
        header = Header(data, elements, implicit=implicit)
        header.text("PatientName")
        header.items("SourceImageSequence")
    except NotUnderstood:
        return
    assert all(is_within(element, len(data)) for element in elements)


def is_within(element: Element, size: int) -> bool:
    """Whether an element and all in it lie within so many bytes."""
    inner = [inside for item in element.items or () for inside in item]
    return 0 <= element.offset <= element.start <= element.end <= size and all(is_within(each, size) for each in inner)


@given(st.binary(max_size=300))
def test_no_bytes_are_taken_for_a_file_that_end_before_it(tail: bytes) -> None:
    """A file's head that announces more than there is is refused."""
    try:
        file = parse_file(bytes(128) + b"DICM" + tail)
    except NotUnderstood:
        return
    assert tail.endswith(file.data)
