"""A series that the node is to forget at once, or everything of its patient."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from dicomnode.commands.cases import forget_learnt, forget_learnt_on
from dicomnode.errors import NotFound, TransitionError
from dicomnode.node import Books, case_store
from dicomnode.purge import ON_ITS_WAY, Purge
from dicomnode.records import Holding, SeriesRecord
from dicomnode.series import OVER


@dataclass(frozen=True)
class Forgotten:
    """What the node had, and has no more.

    Args:
        series: by their pseudonyms.
        instances: that were received.
        conflicts: that were kept apart.
        results: structure sets of ours.
        cases: that were to be learnt from.
    """

    series: tuple[str, ...]
    instances: int
    conflicts: int
    results: int
    cases: int = 0


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
    patients = _patients_of(books, record) if whole_patient else set()
    if whole_patient:
        holding = _of_patients(books, record, patients)
    else:
        holding = books.ledger.holding_of([record.series_instance_uid])
    cases = _cases_of(books, holding, patients)
    if not dry:
        if any(one.state not in OVER for one in holding.series):
            raise TransitionError(ON_ITS_WAY)
        # Cases first: who is killed in between finds the series still there, and can ask again.
        _forget_cases(books, holding, patients)
        Purge(books, books.auditor.write).forget(holding)
        _forget_cases(books, holding, patients)  # what was filed between the two
    return Forgotten(
        tuple(books.pseudonyms.of(one.series_instance_uid) for one in holding.series),
        len(holding.instances),
        len(holding.conflicts),
        len(holding.results),
        len(cases),
    )


def _patients_of(books: Books, record: SeriesRecord) -> set[str]:
    """Return the Patient IDs of a series.

    Raises:
        NotFound: it has none, or its files are not there any more.
    """
    paths = books.examiner.paths_of(books.ledger.instances_of(record.series_instance_uid))
    patients = {patient_id for path in paths if (patient_id := _read(path)[0])}
    if not patients:
        raise NotFound("the series has no Patient ID, or its files are not there any more")
    return patients


def _of_patients(books: Books, record: SeriesRecord, patients: set[str]) -> Holding:
    """Return everything that the node has of some patients."""
    data_dir = books.configuration.node.data_dir
    series, instances = {record.series_instance_uid}, set()
    for path in _files(data_dir):
        patient_id, series_instance_uid, sop_instance_uid = _read(path)
        if patient_id in patients:
            series.add(series_instance_uid)
            instances.add(sop_instance_uid)
    return books.ledger.holding_of(series, instances)


def _pseudonyms_of(books: Books, holding: Holding, patients: set[str]) -> list[str]:
    """Return by which pseudonyms learning knows some patients; one without an ID is known by the series."""
    identities = [*patients, *(one.series_instance_uid for one in holding.series if patients)]
    found = [books.ledger.find_pseudonym(books.pseudonyms.identity_of(one)) for one in identities]
    return [pseudonym for pseudonym in found if pseudonym]


def _cases_of(books: Books, holding: Holding, patients: set[str]) -> list[str]:
    """Return the names of the cases that were made of what is to be forgotten."""
    pseudonyms = set(_pseudonyms_of(books, holding, patients))
    cts = {books.pseudonyms.of(one.series_instance_uid) for one in holding.series}
    records = case_store(books.configuration).all_records()
    return [record.name for record in records if record.patient in pseudonyms or record.ct in cts]


def _forget_cases(books: Books, holding: Holding, patients: set[str]) -> None:
    for pseudonym in _pseudonyms_of(books, holding, patients):
        forget_learnt(books, [pseudonym])
    for one in holding.series:
        forget_learnt_on(books, books.pseudonyms.of(one.series_instance_uid))


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
