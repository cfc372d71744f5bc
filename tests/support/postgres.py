"""A PostgreSQL of the test's own: on a socket in a temporary folder, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

SETTINGS = ("listen_addresses=", "fsync=off", "max_connections=50")
ACCOUNT = "postgres"  # PostgreSQL refuses to run as root; the package makes this account


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, None where it is not installed."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which("initdb")
    return packaged[-1] if packaged else Path(found).parent if found else None


@contextmanager
def running_postgres(programs: Path) -> Iterator[str]:
    """Start a server and yield the URL of its first database."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket has 107 bytes
    account = []
    if os.geteuid() == 0:
        shutil.chown(folder, ACCOUNT)
        account = ["runuser", "-u", ACCOUNT, "--"]

    def run(program: str, *arguments: str) -> None:
        command = [*account, str(programs / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=60)

    try:
        run("initdb", "-U", ACCOUNT, "--auth=trust", "--no-sync", "--encoding=UTF8")
        options = " ".join(f"-c {each}" for each in (f"unix_socket_directories={folder}", *SETTINGS))
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{ACCOUNT}@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
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


def dump_of(url: str, programs: Path) -> str:
    """Return everything that a database holds, as pg_dump writes it."""
    command = [str(programs / "pg_dump"), url.replace("+psycopg", "")]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
