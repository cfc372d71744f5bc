"""A newer release takes up what an older one left, on SQLite and on PostgreSQL: only the URL differs."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

import dicomnode
from dicomnode.ledger import Ledger
from dicomnode.series import State
from dicomnode.tables import metadata, migrate, open_database
from dicomnode.workflows import UNDER_WAY, WORKFLOW_VERSION, DurableEngine, WorkQueue, create_engine_tables
from tests.support.older_release import HANGS, OLDER_VERSION
from tests.support.postgres import new_database

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request, tmp_path: Path) -> str:
    """An empty database, in a file or on a server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'dicomnode.sqlite'}"
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """The database, opened as the node opens it."""
    engine = open_database(url)
    yield engine
    engine.dispose()


class RecordedSteps:
    """Steps that only note that they were done."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def contour(self, series_id: int, generation: int) -> dict[str, Any]:
        """Say who drew."""
        self.done.append(("contour", series_id, generation))
        return {"outcome": "done", "drawn_by": dicomnode.__version__}

    def write(self, series_id: int, generation: int, contoured: dict[str, Any]) -> dict[str, Any]:
        """Note who had drawn."""
        self.done.append(("write", series_id, generation, contoured["drawn_by"]))
        return {"outcome": "done"}

    def deliver(self, delivery_id: int, attempt: int) -> str:
        """Note the attempt."""
        self.done.append(("deliver", delivery_id, attempt))
        return "sent"

    def set_aside(self, series_id: int, generation: int, text: str) -> None:
        """Note what failed."""
        self.done.append(("set aside", series_id, generation, text))


def kill_an_older_release_at_work(url: str) -> None:
    """Let an older release begin its work, and end it as a power cut would."""
    arguments = (sys.executable, "-m", "tests.support.older_release", url)
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as older:
        assert older.stdout is not None
        assert older.stdout.readline() == f"{HANGS}\n"
        older.kill()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return when something is so, or after a time in which it should have been."""
    deadline = time.monotonic() + WAIT_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_a_newer_release_finishes_the_work_in_flight(
    url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that was killed is done again and the one before it is not; what waited is done, once."""
    kill_an_older_release_at_work(url)
    monkeypatch.setattr(dicomnode, "__version__", "9.9.9")
    steps = RecordedSteps()
    migrate(engine)
    create_engine_tables(engine)
    newer = DurableEngine(engine, steps)
    queue = WorkQueue(engine)
    left = [record.state for record in Ledger(engine).series_in()]

    newer.start()
    wait_until(lambda: len(steps.done) >= 4 and not queue._client.list_workflows(status=list(UNDER_WAY)))
    newer.stop(wait=timedelta(seconds=5))

    assert left == [State.COMPLETE, State.COMPLETE, State.CONTOURED]
    assert sorted(steps.done) == [
        ("contour", 2, 1),
        ("deliver", 1, 2),
        ("write", 1, 1, OLDER_VERSION),
        ("write", 2, 1, "9.9.9"),
    ]
    assert {workflow.status for workflow in queue._client.list_workflows()} == {"SUCCESS"}
    assert {workflow.app_version for workflow in queue._client.list_workflows()} == {WORKFLOW_VERSION}
    queue.close()


def test_migrations_can_be_repeated(engine: sa.Engine) -> None:
    """To migrate what is migrated changes nothing, with the durable engine's tables beside ours or without."""
    migrate(engine)
    before = sa.inspect(engine).get_table_names()

    migrate(engine)
    create_engine_tables(engine)
    migrate(engine)

    assert set(before) <= set(sa.inspect(engine).get_table_names())
    assert set(metadata.tables) <= set(before)


def test_the_migrations_make_what_the_code_expects(engine: sa.Engine) -> None:
    """Alembic finds no difference between the tables in the code and those that the migrations made."""
    migrate(engine)

    with engine.connect() as connection:
        options = {"version_table": "ledger_version", "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_migrations_go_back_and_forth(engine: sa.Engine) -> None:
    """Every migration can be undone and done again."""
    migrate(engine)
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(dicomnode.__file__).parent / "migrations"))

    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "base")
    left = set(sa.inspect(engine).get_table_names())
    migrate(engine)

    assert left == {"ledger_version"}
    assert set(metadata.tables) <= set(sa.inspect(engine).get_table_names())
