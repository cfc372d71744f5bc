"""The series that the node knows: found by any of their names, shown, released, sent or contoured again."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pydicom import dcmread

from dicomnode.errors import NotFound
from dicomnode.node import Books
from dicomnode.records import DeliveryRecord, ResultRecord, SeriesRecord


@dataclass(frozen=True)
class SeriesView:
    """A series as the operator sees it.

    Args:
        pseudonym: by which the log speaks of it.
        record: what the ledger knows.
        slices: how many instances it has.
        results: its structure sets, oldest first.
        deliveries: of its structure sets, oldest first.
    """

    pseudonym: str
    record: SeriesRecord
    slices: int
    results: tuple[ResultRecord, ...]
    deliveries: tuple[DeliveryRecord, ...]


def find_series(books: Books, name: str) -> SeriesRecord:
    """Return the series of this number, Series Instance UID or pseudonym.

    Raises:
        NotFound: if there is none.
    """
    for record in books.ledger.series_in():
        if name in (str(record.id), record.series_instance_uid, books.pseudonyms.of(record.series_instance_uid)):
            return record
    raise NotFound(f"there is no series {name}")


def view_series(books: Books, record: SeriesRecord) -> SeriesView:
    """Return a series with all that became of it."""
    results = tuple(books.ledger.results_of(record.id))
    return SeriesView(
        pseudonym=books.pseudonyms.of(record.series_instance_uid),
        record=record,
        slices=len(books.ledger.instances_of(record.series_instance_uid)),
        results=results,
        deliveries=tuple(d for result in results for d in books.ledger.deliveries(result_id=result.id)),
    )


def list_series(books: Books) -> list[SeriesView]:
    """Return every series, oldest first."""
    return [view_series(books, record) for record in books.ledger.series_in()]


def patient_of(books: Books, record: SeriesRecord) -> tuple[str, str]:
    """Return the patient's ID and name, read from the file: the ledger and the logs do not have them.

    Raises:
        NotFound: if the files are not there any more.
    """
    for path in books.examiner.paths_of(books.ledger.instances_of(record.series_instance_uid)):
        if path.is_file():
            ds = dcmread(path, specific_tags=["PatientID", "PatientName", "SpecificCharacterSet"])
            return str(ds.get("PatientID", "")), str(ds.get("PatientName", ""))
    raise NotFound("the files of the series are not there any more")


def as_json(view: SeriesView) -> dict[str, object]:
    """Return a series as JSON has it."""
    return {
        "pseudonym": view.pseudonym,
        "slices": view.slices,
        **{key: value for key, value in _plain(asdict(view.record)).items() if key != "patient"},
        "results": [_plain(asdict(result)) for result in view.results],
        "deliveries": [_plain(asdict(delivery)) for delivery in view.deliveries],
    }


def _plain(values: dict[str, object]) -> dict[str, object]:
    return {key: plain(value) for key, value in values.items()}


def plain(value: object) -> object:
    """Return a value as JSON can hold it: times in ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value
