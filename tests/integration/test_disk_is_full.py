"""A node on a small disk refuses before it is full, keeps its ledger, and goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.dimse import EXPLICIT_VR_LE
from dicomnode.disk import room_of
from dicomnode.spool import MIB
from tests.support.instances import ct_instance
from tests.support.node import make_node, running, tps, wait_until

MARKS = {"receiving": {"minimum_free_mib": 8, "minimum_free_percent": 0, "alarm_free_percent": 50, "reserve_mib": 4}}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A data folder that is a file system of 32 MiB."""
    folder = tmp_path / "node" / "data"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def slices(folder: Path, first: int, count: int) -> list[Path]:
    """Write files of 2 MiB each."""
    folder.mkdir()
    paths = []
    for number in range(first, first + count):
        ds = ct_instance(number, rows=1024, columns=1024)
        ds.ensure_file_meta()
        ds.file_meta.TransferSyntaxUID = EXPLICIT_VR_LE
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        paths.append(folder / f"{number}.dcm")
    return paths


def fill(file: Path, leave: int) -> None:
    """Fill the file system up with something that is not the node's, but for so many bytes."""
    with file.open("wb") as hog:
        os.posix_fallocate(hog.fileno(), 0, room_of(file.parent).free - leave)


def test_a_full_disk_costs_nothing_that_was_promised(small_disk: Path, tmp_path: Path) -> None:
    """A700 below the watermark, an alarm, rows on a disk of 0 bytes free, and instances again when there is room."""
    node = make_node(small_disk.parent, tps(9), bundle="demo", more=MARKS)
    with running(node):
        wait_until((node.data / "reserve").exists, 30, lambda: node.log[-2000:])
        assert node.send(slices(tmp_path / "few", 1, 1)).ok
        full = node.send(slices(tmp_path / "many", 10, 12))
        kept = len(list((node.data / "instances").rglob("*.dcm")))
        fill(small_disk / "hog", leave=64 << 10)
        wait_until(lambda: not (node.data / "reserve").exists(), 30, lambda: node.log[-2000:])
        fill(small_disk / "more", leave=2 * MIB)
        acknowledged = node.run("alarms", "acknowledge", "1")
        for name in ("hog", "more"):
            (small_disk / name).unlink()
        for path in (node.data / "instances").rglob("*.dcm"):
            path.unlink()
        wait_until((node.data / "reserve").exists, 30, lambda: node.log[-2000:])
        again = node.send(slices(tmp_path / "again", 50, 2))

    assert (full.status, 3 <= kept < 12) == (0xA700, True)
    assert (acknowledged.returncode, acknowledged.stderr) == (0, "")
    assert again.ok
    assert not list(node.data.rglob("*.part"))
