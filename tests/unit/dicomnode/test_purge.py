"""What is too old goes, what is not stays, and of what went nothing remains in any byte of the data folder."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adaptation.case_record import Status
from adaptation.runs import END
from dicomnode.audit.message import Kind
from dicomnode.commands.adapt_history import runs_of
from dicomnode.commands.forget import forget_series
from dicomnode.config import Retention
from dicomnode.errors import NotFound, TransitionError
from dicomnode.node import case_store
from dicomnode.purge import RULES, Purge
from dicomnode.series import State
from dicomnode.trash import Trash
from tests.support.books import new_result
from tests.support.hospital import Hospital
from tests.support.instances import (
    CANARY_ID,
    SERIES,
    STUDY,
    ct_instance,
    structure_set,
)
from tests.support.node import wait_until
from tests.support.stored_cases import PATIENT, new_case, small_case


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    made = Hospital(tmp_path / "data")
    yield made
    made.close()


def test_each_thing_goes_at_its_age(hospital: Hospital) -> None:
    """Day by day the rules take what is theirs, and what is younger stays."""
    hospital.series()
    hospital.conflict()
    hospital.send(ct_instance(9, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], series=f"{SERIES}.1"))
    hospital.send(structure_set(ApprovalStatus="UNAPPROVED"))

    gone = {days: hospital.purge(days) for days in (4.9, 5.1, 7.1, 9.9, 10.1, 29.9, 30.1, 40.1, 49.9, 50.1)}

    assert {days: rules for days, rules in gone.items() if rules} == {
        5.1: ["ignored_days"],
        7.1: ["structure_sets_days"],
        10.1: ["delivered_days"],
        30.1: ["results_days"],
        40.1: ["conflicts_days"],
        50.1: ["ledger_days"],
    }


def test_a_held_series_is_kept_for_longer(hospital: Hospital) -> None:
    """What nobody has looked at yet has an age of its own."""
    record = hospital.series()
    hospital.books.ledger.complete(record.id, record.content)
    hospital.books.ledger.fail(record.id, record.generation + 1, "no model")

    assert hospital.purge(19.9) == []
    assert hospital.purge(20.1) == ["unfinished_days"]


def test_a_blind_series_is_kept_as_long_as_what_is_held(hospital: Hospital) -> None:
    """It can be released so long; what nobody was sent goes by the rule of all results, and can be forgotten."""
    record = hospital.series()
    ledger = hospital.books.ledger
    ledger.complete(record.id, record.content)
    ledger.note_result(new_result(record.id, 2, "2.25.5", path="results/blind.dcm", created=datetime.now(UTC)), [])
    assert ledger.series(record.id).state is State.BLIND

    assert hospital.purge(19.9) == []
    assert hospital.purge(20.1) == ["unfinished_days"]
    assert hospital.purge(30.1) == ["results_days", "results_days"]


def test_the_ct_of_an_approved_structure_set_stays(hospital: Hospital) -> None:
    """Neither goes by the shipped rules, as learning needs both."""
    hospital.series()
    hospital.send(structure_set(ApprovalStatus="APPROVED"))

    assert hospital.purge(1000) == ["results_days"]
    assert len(list(hospital.spool.paths())) == 4


def test_nothing_on_its_way_goes(hospital: Hospital) -> None:
    """A series that is received, contoured or delivered is not touched, whatever its age."""
    hospital.send(ct_instance(1))
    [record] = hospital.books.ledger.series_in()
    gone = [hospital.purge(1000)]
    hospital.books.ledger.complete(record.id, "digest")
    gone.append(hospital.purge(1000))
    hospital.books.ledger.note_result(new_result(record.id, 1), ["TPS"])
    gone.append(hospital.purge(1000))

    assert (gone, hospital.states()) == ([[], [], []], [State.CONTOURED])


def test_of_what_was_purged_nothing_remains(hospital: Hospital) -> None:
    """Name, ID, birth date and UIDs are in no byte of the data folder: files, ledger, journal, orders, masks."""
    hospital.series()
    hospital.conflict()
    hospital.send(structure_set(ApprovalStatus="UNAPPROVED"))
    before = hospital.known()

    hospital.purge(1000)

    assert {"dicomnode.sqlite-wal", "1-1.json"} < set(before)
    assert hospital.known() == {}
    assert hospital.states() == []


def test_a_dry_run_takes_nothing(hospital: Hospital) -> None:
    """It says what would go, and it is all there."""
    hospital.series()
    files = sorted(hospital.spool.paths())

    assert hospital.purge(1000, dry=True) == ["delivered_days", "results_days"]
    assert (sorted(hospital.spool.paths()), hospital.states()) == (files, [State.SENT])


def test_cases_that_would_go_are_said(hospital: Hospital) -> None:
    """What was replaced and what was rejected go by their own rule: a dry run says so first, with files and bytes."""
    store = case_store(hospital.books.configuration)
    for patient, source in (("aa", "first"), ("aa", "second"), ("bb", "third"), ("cc", "stays")):
        store.file(new_case(patient=patient, source=source), small_case(), datetime.now(UTC))
    store.decide("bb-1", Status.REJECTED, by="A. Physicist", why="another patient's", at=datetime.now(UTC))
    size = sum(path.stat().st_size for path in store.path_of("aa-1").iterdir())

    said = hospital.purged(366, dry=True)
    there = [record.name for record in store.all_records()]
    done = hospital.purged(366)

    assert [(one.rule, one.what, one.about, one.files) for one in said] == [
        ("cases_days", "replaced case", "aa-1", 2),
        ("cases_days", "rejected case", "bb-1", 2),
    ]
    assert (said[0].size, done) == (size, said)
    assert there == ["aa-1", "aa-2", "bb-1", "cc-1"]
    assert [record.name for record in store.all_records()] == ["aa-2", "cc-1"]


def test_zero_days_are_for_ever(tmp_path: Path) -> None:
    """With every rule switched off nothing goes."""
    off = Retention(**{rule.key: 0 for rule in RULES})
    hospital = Hospital(tmp_path / "data", off)
    hospital.series()

    assert hospital.purge(100_000) == []
    hospital.close()


def test_a_purged_series_that_is_sent_again_is_new(hospital: Hospital) -> None:
    """Its instances are taken, and the operator is told why the old images cannot be contoured again."""
    record = hospital.series()
    hospital.purge(11)
    with pytest.raises(TransitionError, match="the images of the series were purged"):
        hospital.books.examiner.recontour(record)

    hospital.send(ct_instance(1), ct_instance(2))

    assert hospital.states() == [State.RECEIVING]
    assert len(list(hospital.spool.paths())) == 2


def test_the_audit_hears_of_each_study_once(hospital: Hospital) -> None:
    """One event says how many instances of a study were deleted."""
    hospital.series()
    hospital.purge(11)

    [event] = hospital.told
    assert event.kind is Kind.STUDY_DELETED
    assert event.study is not None
    assert (event.study.study_instance_uid, sum(event.study.instances.values())) == (STUDY, 3)


def test_what_is_forgotten_leaves_nothing(hospital: Hospital) -> None:
    """A series goes at once with its structure sets, theirs and ours, conflicts, alarms, orders and rows."""
    record = hospital.series()
    hospital.conflict()
    hospital.send(structure_set(ApprovalStatus="APPROVED"))
    hospital.books.ledger.raise_alarm("held", "it is held", hospital.books.pseudonyms.of(SERIES))

    forgotten = forget_series(hospital.books, record, whole_patient=False, dry=False)

    assert (forgotten.instances, forgotten.conflicts, forgotten.results) == (4, 1, 1)
    assert hospital.known() == {}
    assert hospital.books.ledger.alarms() == []


def learnt_from(hospital: Hospital) -> None:
    """Have a case on the series, and a run that has ended and names it."""
    configuration = hospital.books.configuration
    store, ct = case_store(configuration), hospital.books.pseudonyms.of(SERIES)
    record = store.file(new_case(ct=ct), small_case(), datetime.now(UTC))
    run = runs_of(configuration).run("2026-03-02")
    run.keep(END, {"at": record.filed.isoformat(), "outcome": "stopped", "text": f"features: {record.name} is damaged"})


def naming(hospital: Hospital) -> list[Path]:
    """Return the files that are of the patient's case or name it."""
    files = [path for path in (hospital.folder / "adaptation").rglob("*") if path.is_file()]
    case = f"{PATIENT}-1"
    return [path for path in files if f"{PATIENT}/1/" in path.as_posix() or case.encode() in path.read_bytes()]


def test_a_forgotten_series_is_named_in_no_record_of_learning(hospital: Hospital) -> None:
    """Its case goes, and so does the case's name in the records of runs; what the patient is for stays."""
    record = hospital.series()
    learnt_from(hospital)
    part = case_store(hospital.books.configuration).part_of(PATIENT)

    forgotten = forget_series(hospital.books, record, whole_patient=False, dry=False)

    assert (forgotten.cases, naming(hospital)) == (1, [])
    assert case_store(hospital.books.configuration).part_of(PATIENT) is part
    run = runs_of(hospital.books.configuration).run("2026-03-02")
    assert run.read(END)["text"] == "features: forgotten case is damaged"


@pytest.mark.parametrize("whole_patient", [False, True])
def test_who_is_killed_at_forgetting_can_ask_again(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, whole_patient: bool
) -> None:
    """What was learnt goes before the series, by which it is found."""

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    record = hospital.series()
    learnt_from(hospital)
    with monkeypatch.context() as dying:
        dying.setattr(Purge, "forget", die)
        with pytest.raises(Killed):
            forget_series(hospital.books, record, whole_patient=whole_patient, dry=False)

    forget_series(hospital.books, record, whole_patient=whole_patient, dry=False)

    assert naming(hospital) == []
    assert hospital.known() == {}


def test_a_running_node_goes_on_when_everything_was_forgotten(hospital: Hospital) -> None:
    """The folders that it made at its start are there: the next structure set and the next conflict are written."""
    record = hospital.series()
    hospital.conflict()
    forget_series(hospital.books, record, whole_patient=False, dry=False)

    again = hospital.series()
    hospital.conflict()

    assert again.state is State.SENT
    assert list((hospital.folder / "instances").iterdir()) != []


def test_a_patient_is_forgotten_with_all_series(hospital: Hospital) -> None:
    """Every instance with the same Patient ID goes, another patient's stay."""
    record = hospital.series()
    hospital.series(f"{SERIES}.31")
    hospital.series(f"{SERIES}.32", PatientID="OTHER", PatientName="Other", StudyInstanceUID="1.2.99")
    hospital.send(ct_instance(9, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], series=f"{SERIES}.1"))

    forgotten = forget_series(hospital.books, record, whole_patient=True, dry=False)

    assert (len(forgotten.series), forgotten.instances, forgotten.results) == (2, 7, 2)
    assert [one.series_instance_uid for one in hospital.books.ledger.series_in()] == [f"{SERIES}.32"]
    assert len(list(hospital.spool.paths())) == 3
    assert {CANARY_ID, STUDY} & {word for words in hospital.known().values() for word in words} == set()


def test_looking_forgets_nothing(hospital: Hospital) -> None:
    """With --dry-run the operator only hears what there is."""
    record = hospital.series()

    forgotten = forget_series(hospital.books, record, whole_patient=True, dry=True)

    assert (forgotten.instances, hospital.states()) == (3, [State.SENT])


def test_a_series_on_its_way_cannot_be_forgotten(hospital: Hospital) -> None:
    """It is refused in words, and everything is where it was."""
    record = hospital.series()
    learnt_from(hospital)
    hospital.send(ct_instance(7))

    with pytest.raises(TransitionError, match="on its way"):
        forget_series(hospital.books, record, whole_patient=False, dry=False)

    assert naming(hospital) != []
    assert len(list(hospital.spool.paths())) == 4


def test_a_series_that_is_on_its_way_again_meanwhile_is_given_back(hospital: Hospital) -> None:
    """Its files were set apart already when a slice came: they are back in their places."""
    hospital.series()
    holding = hospital.books.ledger.holding_of([SERIES])
    hospital.send(ct_instance(7))

    with pytest.raises(TransitionError, match="on its way"):
        Purge(hospital.books, hospital.told.append, settle_s=0).forget(holding)

    assert len(list(hospital.spool.paths())) == 4
    assert list((hospital.folder / "purging").iterdir()) == [hospital.folder / "purging" / "lock"]


def test_without_a_patient_id_there_is_no_patient_to_forget(hospital: Hospital) -> None:
    """Empty IDs are nobody's: two patients without one are not the same."""
    record = hospital.series(PatientID="")

    with pytest.raises(NotFound, match="no Patient ID"):
        forget_series(hospital.books, record, whole_patient=True, dry=False)


def test_the_work_of_a_new_series_is_not_taken_for_that_of_a_forgotten_one(hospital: Hospital) -> None:
    """The database gives numbers again; the order to contour is a new one all the same."""
    old = hospital.series()
    forget_series(hospital.books, old, whole_patient=False, dry=False)

    hospital.send(ct_instance(1, series=f"{SERIES}.5"))
    [record] = hospital.books.ledger.series_in()
    ordered = hospital.books.ledger.complete(record.id, "digest")

    assert (record.id, ordered.generation) == (old.id, old.generation)
    assert hospital.books.queue.is_under_way(ordered)


def test_a_power_cut_before_the_rows_were_gone_undoes_the_purge(hospital: Hospital) -> None:
    """Files that a row speaks of are back in their places."""
    hospital.series()
    files = sorted(hospital.spool.paths())
    Trash(hospital.folder).set_apart(files)

    destroyed = Trash(hospital.folder).settle(hospital.books.ledger.known_paths())

    assert (destroyed, sorted(hospital.spool.paths())) == (0, files)


def test_a_power_cut_after_the_rows_were_gone_ends_the_purge(hospital: Hospital) -> None:
    """Files that no row speaks of are destroyed, and not taken for new arrivals."""
    hospital.series()
    Trash(hospital.folder).set_apart(list(hospital.spool.paths()))

    assert Trash(hospital.folder).settle(set()) == 3
    assert list((hospital.folder / "purging").rglob("*.dcm")) == []


def test_what_was_sent_again_meanwhile_is_the_one_that_counts(hospital: Hospital) -> None:
    """A file that is given back does not take the place of one that arrived."""
    hospital.series()
    trash = Trash(hospital.folder)
    [first, *_] = files = list(hospital.spool.paths())
    apart = trash.set_apart(files)
    (hospital.folder / first).parent.mkdir(exist_ok=True)
    (hospital.folder / first).write_bytes(b"new")

    trash.give_back(apart)

    assert (hospital.folder / first).read_bytes() == b"new"
    assert len(list(hospital.spool.paths())) == 3


def test_what_is_sent_again_while_it_is_purged_stays(hospital: Hospital) -> None:
    """A row that was still on its way when the files were set apart is seen before they go."""
    hospital.series()
    later = datetime.now(UTC) + timedelta(days=11)
    purge = Purge(hospital.books, hospital.told.append, lambda: later, settle_s=2)
    with ThreadPoolExecutor(1) as pool:
        purging = pool.submit(purge.run)
        wait_until(lambda: not list(hospital.spool.paths()), 30, lambda: "nothing was set apart")
        hospital.books.ledger.note_repeat(f"{SERIES}.1", later)

        assert purging.result() == []
    assert len(list(hospital.spool.paths())) == 3
