"""When contours of a file say that they were made, and under which UID: the same for the same input.

A structure set is read by systems that sort by its date, so it must have one; the clock's would make two files of one
input differ. The time of the CT is the latest that input tells; the UID is of the time too, so that one UID never
stands for two contents, nor for what a node makes of the same CT.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from pydicom import Dataset

from dicomnode.errors import NodeError
from dicomnode.identity import LABEL_LENGTH, structure_set_uid

NOW = "now"
TIMES = (  # of a CT image, what is nearest to its making first: PS3.3 C.12.1, C.7.6.1, C.7.3.1, C.7.2.1
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("ContentDate", "ContentTime"),
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
TIME_TAGS = tuple(keyword for pair in TIMES for keyword in pair)
EARLIEST_YEAR = 1970  # before it nobody had a CT made: it is what a de-identification left


def time_of_contours(headers: Iterable[Dataset], given: str = "") -> datetime:
    """Return the time that is given, else the CT's, else the clock's.

    Args:
        headers: of the slices, in any order; only `TIME_TAGS` are looked at.
        given: an ISO 8601 time, `now`, or nothing.

    Raises:
        NodeError: if what is given is no time.
    """
    if given and given != NOW:
        try:
            return datetime.fromisoformat(given).replace(microsecond=0)
        except ValueError:
            raise NodeError(f"{given!r} is no time such as 2026-11-23T14:30, nor {NOW}") from None
    slices = list(headers)
    for date, time in TIMES if not given else ():
        said = [found for header in slices if (found := _time(header, date, time)) is not None]
        if said:
            return max(said)
    return datetime.now(UTC).astimezone().replace(microsecond=0)


def uid_of_file(content: str, drawn_by: str, settings: str, created: datetime) -> str:
    """Return the SOP Instance UID of a structure set in a file.

    Args:
        content: digest of the CT.
        drawn_by: digest of the model, or of the masks.
        settings: what else decides how it looks.
        created: the time that it bears.
    """
    return structure_set_uid(content, drawn_by, json.dumps(["file", settings, f"{created:%Y%m%d%H%M%S}"]))


def label_of_file(kind: str, created: datetime, sop_instance_uid: str) -> str:
    """Return a Structure Set Label of at most 16 characters: several of one CT bear the same time, and other labels."""
    day = f"{kind}_{created:%m%d}_"
    return day + hashlib.sha256(sop_instance_uid.encode()).hexdigest()[: LABEL_LENGTH - len(day)].upper()


def _time(header: Dataset, date: str, time: str) -> datetime | None:
    """Return a date with its time, midnight where that is missing; None where there is no date that can be true."""
    day, clock = (_text(header, keyword) for keyword in (date, time))
    try:
        said = day + (clock.partition(".")[0] or "0").ljust(6, "0")
        found = datetime.strptime(said, "%Y%m%d%H%M%S").replace(tzinfo=UTC)  # of which zone, a CT seldom says
    except ValueError:
        return None
    return found if found.year >= EARLIEST_YEAR else None


def _text(header: Dataset, keyword: str) -> str:
    """Return a value as it is written: pydicom warns of one that is no date."""
    element = header.get_item(keyword)
    value = "" if element is None else element.value
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")).strip(" \0")
