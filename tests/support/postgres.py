"""A PostgreSQL of the test's own: on a socket in a temporary folder, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

SETTINGS = ("listen_addresses=", "fsync=off", "max_connections=50")
ACCOUNT = "postgres"  # PostgreSQL refuses to run as root; the package makes this account


def need_programs() -> Path:
    """Return the folder of PostgreSQL's programs; where it is not installed the test is skipped."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = packaged[-1] if packaged else shutil.which("initdb")
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return found if isinstance(found, Path) else Path(found).parent


@dataclass(frozen=True)
class Server:
    """A PostgreSQL in a folder, which may be away for a while.

    Args:
        folder: of its files and its socket.
        programs: the folder of its programs.
    """

    folder: Path
    programs: Path

    @property
    def url(self) -> str:
        """Of its first database."""
        return f"postgresql+psycopg://{ACCOUNT}@/postgres?host={self.folder}"

    def start(self) -> None:
        """Run; when this returns it answers."""
        options = " ".join(f"-c {each}" for each in (f"unix_socket_directories={self.folder}", *SETTINGS))
        self.run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """End at once, whoever is connected."""
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs on its folder."""
        account = ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []
        command = [*account, str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=60)


@contextmanager
def running_postgres() -> Iterator[Server]:
    """Run a server as long as the test does."""
    programs = need_programs()
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket has 107 bytes
    if os.geteuid() == 0:
        shutil.chown(folder, ACCOUNT)
    server = Server(folder, programs)
    try:
        server.run("initdb", "-U", ACCOUNT, "--auth=trust", "--no-sync", "--encoding=UTF8")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def new_database(server: str) -> str:
    """Make an empty database on a server; return its URL."""
    url, name = sa.make_url(server), f"t{uuid.uuid4().hex}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


def dump_of(url: str) -> str:
    """Return everything that a database holds, as pg_dump writes it."""
    command = [str(need_programs() / "pg_dump"), url.replace("+psycopg", "")]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
