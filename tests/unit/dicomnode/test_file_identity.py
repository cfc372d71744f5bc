"""Of what time and which UID the contours in a file are."""

from datetime import UTC, datetime, timedelta

import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from dicomnode.commands.file_identity import label_of_file, time_of_contours, uid_of_file
from dicomnode.errors import NodeError

MARCH = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)


def header(**values: str) -> Dataset:
    """A header as it is read, every value still raw."""
    ds = Dataset()
    for keyword, value in values.items():
        tag = Tag(keyword)
        ds[tag] = RawDataElement(tag, None, len(value), value.encode(), 0, True, True)
    return ds


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"StudyDate": "20260301", "ContentDate": "20260302", "ContentTime": "090500.25"}, MARCH),
        ({"InstanceCreationDate": "20260302", "InstanceCreationTime": "0905", "StudyDate": "20260301"}, MARCH),
        ({"InstanceCreationDate": "", "StudyDate": "20260302"}, MARCH.replace(hour=0, minute=0)),
        ({"InstanceCreationDate": "19000101", "SeriesDate": "20260302", "SeriesTime": "090500"}, MARCH),
        ({"ContentDate": "2026.3.2", "StudyDate": "20260302", "StudyTime": "09:05"}, None),
    ],
    ids=["content", "instance", "no time", "de-identified", "no date that is one"],
)
def test_the_time_is_the_ct_s(values: dict[str, str], expected: datetime | None) -> None:
    """The nearest to its making that is a date; where there is none, the clock's."""
    found = time_of_contours([header(**values)])

    assert found == expected if expected else datetime.now(UTC) - found.astimezone(UTC) < timedelta(minutes=5)


def test_the_last_slice_counts() -> None:
    """Contours cannot be older than what they are drawn on."""
    slices = [header(ContentDate="20260302", ContentTime=time) for time in ("090459", "090500", "090401")]

    assert time_of_contours(slices) == MARCH


def test_a_time_may_be_given() -> None:
    """As ISO 8601, or now; what is neither is refused."""
    slices = [header(ContentDate="20250302")]

    assert time_of_contours(slices, "2026-03-02T09:05+00:00") == MARCH
    assert time_of_contours(slices, "now").year >= MARCH.year
    with pytest.raises(NodeError, match=r"'noon' is no time such as 2026-11-23T14:30, nor now"):
        time_of_contours(slices, "noon")


def test_another_time_is_another_instance() -> None:
    """One UID never stands for two contents."""
    uids = {uid_of_file("ct", "model", "settings", MARCH + timedelta(seconds=more)) for more in (0, 0, 1)}

    assert len(uids) == 2


@pytest.mark.parametrize(("kind", "begin"), [("AI", "AI_0302_"), ("MASKS", "MASKS_0302_")])
def test_labels_of_one_day_differ(kind: str, begin: str) -> None:
    """Sixteen characters, by which a TPS lists them: two models on one CT must not look the same."""
    one, other = (label_of_file(kind, MARCH, uid) for uid in ("1.2", "1.3"))

    assert one != other
    assert (one.startswith(begin), len(one)) == (True, 16)
