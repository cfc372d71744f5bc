"""From the bytes to the promise that they are kept."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicomnode.adoption import Adoption, adopt
from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.errors import (
    ClassNotSupported,
    ConflictingContent,
    DataSetMismatch,
    NotAuthorised,
    NotUnderstood,
    SpoolFull,
)
from dicomnode.instance_file import InstanceFile, parse_file
from dicomnode.intake import Arrival
from dicomnode.peers import Peer
from tests.support.instances import JPEG_LS, SERIES, STUDY, ct_instance, instance_file, structure_set
from tests.support.receiver import SCANNER, TPS, ReceivingParts, receiving_parts

CT = instance_file(ct_instance())


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[ReceivingParts]:
    with receiving_parts(tmp_path) as built:
        yield built


def arrival(file: InstanceFile = CT, peer: Peer = TPS, key: str = "a") -> Arrival:
    return Arrival(file, peer, key)


def test_an_instance_is_kept_and_noted(parts: ReceivingParts) -> None:
    """The file has the bytes as received, the row says what it is for."""
    parts.intake.accept(arrival())

    row = parts.ledger.find_instance(CT.sop_instance_uid)
    assert row is not None
    assert (row.series_instance_uid, row.study_instance_uid) == (SERIES, STUDY)
    assert (row.action, row.rule, row.calling_ae_title) == ("contour", "planning CT", "TPS")
    assert parse_file(parts.spool.read(row.path)) == CT
    assert parts.feeding.is_fed(SERIES)


def test_the_same_again_is_no_second_file(parts: ReceivingParts) -> None:
    """A repeat is taken, and nothing is written."""
    parts.intake.accept(arrival())
    before = list(parts.spool.data_dir.rglob("*.dcm"))

    parts.intake.accept(arrival())

    assert list(parts.spool.data_dir.rglob("*.dcm")) == before


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, JPEG_LS])
def test_another_transfer_syntax_is_a_repeat(parts: ReceivingParts, syntax: str) -> None:
    """The first bytes stay, and there is no conflict."""
    parts.intake.accept(arrival())

    parts.intake.accept(arrival(instance_file(ct_instance(), syntax)))

    row = parts.ledger.find_instance(CT.sop_instance_uid)
    assert row is not None
    assert row.transfer_syntax_uid == EXPLICIT_VR_LE
    assert parts.ledger.conflicts() == []


def test_other_content_is_kept_apart(parts: ReceivingParts) -> None:
    """The first stays, the second is kept for the operator, and there is one alarm however often it comes."""
    other = instance_file(ct_instance(SliceThickness="5"))
    parts.intake.accept(arrival())

    for _ in range(2):
        with pytest.raises(ConflictingContent):
            parts.intake.accept(arrival(other))

    (conflict,) = parts.ledger.conflicts()
    row = parts.ledger.find_instance(CT.sop_instance_uid)
    assert row is not None
    assert parse_file(parts.spool.read(row.path)) == CT
    assert parse_file(parts.spool.read(conflict.path)) == other
    assert len(parts.ledger.alarms()) == 1


def test_a_structure_set_is_kept_and_summarised(parts: ReceivingParts) -> None:
    """What comes back is stored and shown."""
    parts.intake.accept(arrival(instance_file(structure_set())))

    (record,) = parts.ledger.structure_sets()
    assert (record.label, record.roi_count) == ("APPROVED BY ME", 2)


@pytest.mark.parametrize(
    ("bad", "refusal"),
    [
        (arrival(instance_file(structure_set()), SCANNER), NotAuthorised),
        (arrival(replace(CT, sop_class_uid="1.2.840.10008.5.1.4.1.1.4")), ClassNotSupported),
        (arrival(replace(CT, transfer_syntax_uid="1.2.840.10008.1.2.1.99")), ClassNotSupported),
        (arrival(replace(CT, sop_instance_uid="1.2.3")), DataSetMismatch),
        (arrival(replace(CT, data=CT.data[:-1])), NotUnderstood),
        (arrival(replace(CT, data=bytes(5 << 20))), NotUnderstood),
    ],
)
def test_what_is_refused_leaves_nothing(parts: ReceivingParts, bad: Arrival, refusal: type[Exception]) -> None:
    """No file, no row, and the series is not held open by it."""
    with pytest.raises(refusal):
        parts.intake.accept(bad)

    assert list(parts.spool.data_dir.rglob("*.dcm")) == []
    assert parts.ledger.known_paths() == set()


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    """Below the watermark nothing is taken."""
    with receiving_parts(tmp_path, minimum_free_percent=99.999) as parts, pytest.raises(SpoolFull):
        parts.intake.accept(arrival())


def test_a_lost_file_is_taken_again(parts: ReceivingParts) -> None:
    """A row whose file is gone gets its file back from the peer that sends it again."""
    parts.intake.accept(arrival())
    parts.registrar.settle(10.0)
    (path,) = parts.spool.paths()
    parts.spool.delete(path)

    parts.intake.accept(arrival())

    assert parse_file(parts.spool.read(path)) == CT


def test_a_file_without_a_row_is_adopted(parts: ReceivingParts) -> None:
    """The promise was given by the file; the row that was lost comes back, the sender with it."""
    parts.spool.keep(parts.spool.path_of(SERIES, CT.sop_instance_uid), CT)

    outcome = adopt(parts.spool, parts.ledger, parts.intake)

    row = parts.ledger.find_instance(CT.sop_instance_uid)
    assert outcome == Adoption(adopted=1, deleted=0, missing=0)
    assert row is not None
    assert (row.calling_ae_title, row.peer_address, row.action) == ("TPS", "127.0.0.1", "contour")


def test_a_file_without_a_row_is_known_when_it_comes_again(parts: ReceivingParts) -> None:
    """Other content under its UID is a conflict even before the next start."""
    parts.spool.keep(parts.spool.path_of(SERIES, CT.sop_instance_uid), CT)

    with pytest.raises(ConflictingContent):
        parts.intake.accept(arrival(instance_file(ct_instance(SliceThickness="5"))))


def test_what_is_not_whole_is_deleted_at_start(parts: ReceivingParts) -> None:
    """Parts, files that are cut off, and files kept apart that nobody knows of were never promised."""
    cut = replace(CT, data=CT.data[:-1])
    parts.spool.keep(parts.spool.path_of(SERIES, CT.sop_instance_uid), cut)
    parts.spool.keep(parts.spool.path_of("1.2.3", "1.2.3.4"), CT)
    parts.spool.keep(parts.spool.conflict_path_of("1.2.3.4", "ab" * 32), CT)
    (parts.spool.data_dir / "incoming" / "x.part").write_bytes(b"half")

    outcome = adopt(parts.spool, parts.ledger, parts.intake)

    assert outcome == Adoption(adopted=0, deleted=4, missing=0)
    assert [each for each in parts.spool.data_dir.rglob("*") if each.suffix in {".dcm", ".part"}] == []


def test_a_row_without_a_file_is_an_alarm(parts: ReceivingParts) -> None:
    """What was acknowledged and is gone is told to the operator."""
    parts.intake.accept(arrival())
    parts.registrar.settle(10.0)
    (path,) = parts.spool.paths()
    parts.spool.delete(path)

    outcome = adopt(parts.spool, parts.ledger, parts.intake)

    assert outcome == Adoption(adopted=0, deleted=0, missing=1)
    assert [alarm.kind for alarm in parts.ledger.alarms()] == ["missing file"]


def test_what_has_a_row_is_left_alone(parts: ReceivingParts) -> None:
    """An acknowledged file is never swept, whatever it holds."""
    parts.intake.accept(arrival())
    parts.registrar.settle(10.0)
    (path,) = parts.spool.paths()
    (parts.spool.data_dir / path).write_bytes(b"rotten")

    assert adopt(parts.spool, parts.ledger, parts.intake) == Adoption(adopted=0, deleted=0, missing=0)
    assert parts.spool.read(path) == b"rotten"
