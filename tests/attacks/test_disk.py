"""A disk that is full, and a ledger that is locked: said before it is too late, and over when it is over."""

import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dicomnode.instance_file import parse_file
from dicomnode.tables import BUSY_TIMEOUT_MS
from tests.support.instances import ct_instance, encode
from tests.support.siege import MIB, NETWORK_S, Siege, besieged
from tests.support.wire import Wire

SIZE_MIB, WATERMARK_MIB, BALLAST_MIB = 32, 6, 10
SERIES = "1.2.826.0.1.3680043.8.498.88"
SETS = [ct_instance(number, series=SERIES, rows=512, columns=512) for number in range(1, 81)]  # half a MiB each


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of a few MiB, with a ballast on it that can be thrown off."""
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a disk can only be mounted by root: {mounted.stderr.strip()}")
    try:
        (folder / "ballast").write_bytes(bytes(BALLAST_MIB * MIB))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(params=[WATERMARK_MIB, 0], ids=["down to the watermark", "to the last byte"])
def on_small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Siege]:
    """Return a node whose data folder is a small disk: one that keeps a watermark, and one that fills it up."""
    receiving = {"minimum_free_mib": request.param, "minimum_free_percent": 0}
    with small_disk(tmp_path / "node" / "data"), besieged(tmp_path / "node", {"receiving": receiving}) as siege:
        yield siege


def store_all(peer: Wire) -> dict[str, int]:
    """Store the slices on one association; return the statuses by UID."""
    return {ds.SOPInstanceUID: peer.store(ds.SOPInstanceUID, encode(ds)) for ds in SETS}


def kept(siege: Siege) -> dict[str, bytes]:
    """Return the data set of each of the attacker's files by UID; every file must be whole."""
    files = [parse_file(path.read_bytes()) for path in siege.files]
    return {file.sop_instance_uid: file.data for file in files if file.sop_instance_uid.startswith(SERIES)}


def test_a_full_disk_is_said_and_over_when_there_is_room(on_small_disk: Siege) -> None:
    """Row 27: A700, association kept, no part left, all that was promised is whole; room is used without a restart."""
    siege = on_small_disk
    with siege.inside() as peer:
        full = store_all(peer)
        parts = siege.parts
        (siege.node.data / "ballast").unlink()
        roomy = store_all(peer)
        echo = peer.echo()

    promised = {uid for statuses in (full, roomy) for uid, status in statuses.items() if status == 0x0000}
    assert set(full.values()) == set(roomy.values()) == {0x0000, 0xA700}
    assert list(roomy.values()).count(0x0000) > list(full.values()).count(0x0000)
    assert (parts, siege.parts, echo) == ([], [], 0x0000)
    assert kept(siege) == {ds.SOPInstanceUID: encode(ds) for ds in SETS if ds.SOPInstanceUID in promised}


def test_a_disk_that_was_full_leaves_rows_and_files_that_agree(on_small_disk: Siege) -> None:
    """Row 27: a start on the full disk finds nothing to adopt that was refused, and no row without a file."""
    siege = on_small_disk
    with siege.inside() as peer:
        statuses = store_all(peer)
    promised = {uid for uid, status in statuses.items() if status == 0x0000}

    siege.node.kill()
    siege.node.start()

    files = {path.relative_to(siege.node.data).as_posix() for path in siege.files}
    with siege.node.ledger() as ledger:
        assert ledger.known_paths() == files
    assert promised <= kept(siege).keys()


def test_the_watermark_leaves_its_room(tmp_path: Path) -> None:
    """Row 27: A700 comes before the disk is full, so that the ledger can write on."""
    receiving = {"minimum_free_mib": WATERMARK_MIB, "minimum_free_percent": 0}
    with small_disk(tmp_path / "node" / "data"), besieged(tmp_path / "node", {"receiving": receiving}) as siege:
        with siege.inside() as peer:
            statuses = store_all(peer)
        free = shutil.disk_usage(siege.node.data).free

    assert 0xA700 in statuses.values()
    assert free > (WATERMARK_MIB - 2) * MIB


@pytest.mark.parametrize("seconds", [NETWORK_S + 1.0, BUSY_TIMEOUT_MS / 1000 + 1.5])
def test_a_locked_ledger_costs_no_association_and_no_instance(tmp_path: Path, seconds: float) -> None:
    """Row 25: instances are taken or refused with A700 while the ledger is locked; the taken have their rows after."""
    statuses = {}
    with besieged(tmp_path / "node") as siege, siege.inside() as peer:
        with locked(siege.node.data / "dicomnode.sqlite", seconds) as over:
            for ds in SETS:
                statuses[ds.SOPInstanceUID] = peer.store(ds.SOPInstanceUID, encode(ds))
                if over.wait(0.3):
                    break
        last = peer.store(SETS[-1].SOPInstanceUID, encode(SETS[-1]))
        promised = {uid for uid, status in statuses.items() if status == 0x0000} | {SETS[-1].SOPInstanceUID}
        siege.node.wait_for(lambda ledger: all(ledger.find_instance(uid) for uid in promised), 30.0)
        files = kept(siege)

    assert set(statuses.values()) <= {0x0000, 0xA700}
    assert last == 0x0000
    assert promised <= files.keys()


@contextmanager
def locked(database: Path, seconds: float) -> Iterator[threading.Event]:
    """Hold the write lock of an SQLite database for some seconds from now on; the event says when they are over."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(database, isolation_level=None, timeout=30.0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            held.set()
            over.wait(seconds)
            connection.execute("ROLLBACK")
        over.set()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30.0)
    yield over
    thread.join()
