"""PostgreSQL as ledger: purged and forgotten is as with SQLite, writers take turns, and the server may be away."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dicomnode.commands.forget import forget_series
from dicomnode.errors import LedgerUnavailable, TransitionError
from dicomnode.ledger import Ledger
from dicomnode.purge import Purge
from dicomnode.series import State
from dicomnode.tables import migrate, open_database
from segmentation.phantom_series import write_series
from tests.support.books import NOON, SERIES, instance
from tests.support.hospital import WORDS, Hospital
from tests.support.instances import SERIES as SENT
from tests.support.instances import ct_instance, structure_set
from tests.support.node import CONTOUR_S, make_node, running, wait_until
from tests.support.peer import receiving_peer
from tests.support.postgres import dump_of, new_database, running_postgres
from tests.support.tiny import marked_series

pytestmark = pytest.mark.peer


@pytest.fixture
def url(postgres: str) -> str:
    """The URL of an empty database."""
    return new_database(postgres)


@pytest.fixture
def hospital(url: str, tmp_path: Path) -> Iterator[Hospital]:
    """A node's books in that database, its files in a folder."""
    made = Hospital(tmp_path / "data", database_url=url)
    yield made
    made.close()


def remembered(hospital: Hospital) -> list[str]:
    """Return which words of the canary the database and the data folder still know."""
    dump = dump_of(hospital.books.configuration.node.database_url)
    assert "CREATE TABLE public.series" in dump
    on_disk = {word for words in hospital.known().values() for word in words}
    return sorted(on_disk | {word for word in WORDS if word in dump})


def test_each_thing_goes_at_its_age(hospital: Hospital) -> None:
    """Day by day the rules take what is theirs, and what is younger stays."""
    hospital.series()
    hospital.conflict()
    hospital.send(ct_instance(9, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], series=f"{SENT}.1"))
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


def test_of_what_was_purged_nothing_remains(hospital: Hospital) -> None:
    """Name, ID, birth date and UIDs are in no row of any table, the engine's included, and in no file."""
    hospital.series()
    hospital.conflict()
    hospital.send(structure_set(ApprovalStatus="UNAPPROVED"))
    before = remembered(hospital)

    hospital.purge(1000)

    assert SENT in before
    assert (remembered(hospital), hospital.states()) == ([], [])


def test_a_patient_is_forgotten_with_all_series(hospital: Hospital) -> None:
    """Every instance with the same Patient ID goes from files and tables, another patient's stay."""
    record = hospital.series()
    hospital.series(f"{SENT}.31")
    hospital.series("1.2.98.32", PatientID="OTHER", PatientName="Other", StudyInstanceUID="1.2.99")
    hospital.conflict()
    hospital.send(structure_set(ApprovalStatus="APPROVED"))

    forgotten = forget_series(hospital.books, record, whole_patient=True, dry=False)

    assert (len(forgotten.series), forgotten.instances, forgotten.results) == (2, 7, 2)
    assert [one.series_instance_uid for one in hospital.books.ledger.series_in()] == ["1.2.98.32"]
    assert len(list(hospital.spool.paths())) == 3


def test_a_series_on_its_way_cannot_be_forgotten(hospital: Hospital) -> None:
    """It is refused in words, and everything is where it was."""
    record = hospital.series()
    hospital.send(ct_instance(7))

    with pytest.raises(TransitionError, match="on its way"):
        forget_series(hospital.books, record, whole_patient=False, dry=False)

    assert (len(list(hospital.spool.paths())), hospital.states()) == (4, [State.RECEIVING])


def test_what_is_sent_again_while_it_is_purged_stays(hospital: Hospital) -> None:
    """A row that was still on its way when the files were set apart is seen before they go."""
    hospital.series()
    later = datetime.now(UTC) + timedelta(days=11)
    purge = Purge(hospital.books, hospital.told.append, lambda: later, settle_s=2)
    with ThreadPoolExecutor(1) as pool:
        purging = pool.submit(purge.run)
        wait_until(lambda: not list(hospital.spool.paths()), 30, lambda: "nothing was set apart")
        hospital.books.ledger.note_repeat(f"{SENT}.1", later)

        assert purging.result() == []
    assert len(list(hospital.spool.paths())) == 3


def test_two_writers_take_turns(url: str) -> None:
    """What one reads before it writes no other changes meanwhile: a slice that comes then opens the series again."""
    engines = [open_database(url) for _ in range(2)]
    migrate(engines[0])
    watch, registrar = (Ledger(engine, enqueue=lambda _connection, _order: None) for engine in engines)
    registrar.note_instance(instance(1, NOON))
    [record] = watch.series_in()
    with ThreadPoolExecutor(1) as pool:
        with watch._begin() as connection:
            watch._move(connection, record.id, State.COMPLETE, generation=1)
            late = pool.submit(registrar.note_instance, instance(2, NOON))
            wait_until(lambda: late.done() or _somebody_waits(connection), 30, lambda: "nobody waits")
        late.result()
    [after] = watch.series_in()

    assert (after.state, after.before) == (State.RECEIVING, State.COMPLETE)
    assert len(watch.instances_of(SERIES)) == 2
    for engine in engines:
        engine.dispose()


def test_who_waits_too_long_is_told(url: str) -> None:
    """A ledger in which somebody stays is unavailable, as with SQLite: an instance is refused, no thread hangs."""
    engines = [open_database(url) for _ in range(2)]
    migrate(engines[0])
    one, other = map(Ledger, engines)

    with one._begin(), pytest.raises(LedgerUnavailable, match="LockNotAvailable"):
        other.series_in()

    for engine in engines:
        engine.dispose()


@pytest.mark.slow
def test_a_node_outlives_its_database(tmp_path: Path, bundle_dir: Path) -> None:
    """While the server is away an instance is refused for now; when it is back the same node contours and delivers."""
    with running_postgres() as server, receiving_peer() as tps:
        database = {"node": {"database_url": new_database(server.url)}}
        node = make_node(tmp_path / "node", tps.peer, bundle_dir=bundle_dir, more=database)
        with running(node):
            node.send_series(marked_series(1, slices=20))
            server.stop()
            refused = node.send(write_series(marked_series(2, slices=20), tmp_path / "refused"))
            server.start()
            node.send_series(marked_series(2, slices=20))
            wait_until(lambda: len(tps.received) == 2, CONTOUR_S, lambda: node.log[-3000:])

    assert (refused.status, refused.transient) == (0xA700, True)


def _somebody_waits(connection: sa.Connection) -> bool:
    """Whether another connection to this database waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return connection.execute(sa.text(waiting)).scalar_one() > 0
