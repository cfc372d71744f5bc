"""A series that the node is to forget at once, or everything of its patient."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from dicomnode.errors import NotFound
from dicomnode.node import Books
from dicomnode.purge import Purge
from dicomnode.records import Holding, SeriesRecord


@dataclass(frozen=True)
class Forgotten:
    """What the node had, and has no more.

    Args:
        series: by their pseudonyms.
        instances: that were received.
        conflicts: that were kept apart.
        results: structure sets of ours.
    """

    series: tuple[str, ...]
    instances: int
    conflicts: int
    results: int


def forget_series(books: Books, record: SeriesRecord, *, whole_patient: bool, dry: bool) -> Forgotten:
    """Forget a series with all that came of it, or everything of its patient; return what there was.

    Args:
        books: of the node.
        record: the series.
        whole_patient: forget all instances with the same Patient ID, whatever series they belong to.
        dry: only look.

    Raises:
        NotFound: the series has no Patient ID, or its files are not there any more.
        TransitionError: a series is on its way.
    """
    holding = _of_patient(books, record) if whole_patient else books.ledger.holding_of([record.series_instance_uid])
    if not dry:
        Purge(books, books.auditor.write).forget(holding)
    return Forgotten(
        tuple(books.pseudonyms.of(one.series_instance_uid) for one in holding.series),
        len(holding.instances),
        len(holding.conflicts),
        len(holding.results),
    )


def _of_patient(books: Books, record: SeriesRecord) -> Holding:
    data_dir = books.configuration.node.data_dir
    paths = books.examiner.paths_of(books.ledger.instances_of(record.series_instance_uid))
    patients = {patient_id for path in paths if (patient_id := _read(path)[0])}
    if not patients:
        raise NotFound("the series has no Patient ID, or its files are not there any more")
    series, instances = {record.series_instance_uid}, set()
    for path in _files(data_dir):
        patient_id, series_instance_uid, sop_instance_uid = _read(path)
        if patient_id in patients:
            series.add(series_instance_uid)
            instances.add(sop_instance_uid)
    return books.ledger.holding_of(series, instances)


def _files(data_dir: Path) -> Iterator[Path]:
    for folder in ("instances", "conflicts"):
        yield from (data_dir / folder).rglob("*.dcm")


def _read(path: Path) -> tuple[str, str, str]:
    """Return Patient ID, Series and SOP Instance UID of a file; empty where it is no DICOM file any more."""
    names = ["PatientID", "SeriesInstanceUID", "SOPInstanceUID"]
    try:
        ds = dcmread(path, specific_tags=names, stop_before_pixels=True)
    except (OSError, InvalidDicomError):
        return "", "", ""
    patient_id, series_instance_uid, sop_instance_uid = (str(ds.get(name, "")).strip() for name in names)
    return patient_id, series_instance_uid, sop_instance_uid


def as_json(forgotten: Forgotten) -> dict[str, object]:
    """Return what was forgotten as JSON has it."""
    return asdict(forgotten)
