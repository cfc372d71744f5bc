"""A file is there whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from dicomnode import spool as spool_module
from dicomnode.errors import SpoolFull
from dicomnode.instance_file import parse_file
from dicomnode.spool import Spool
from tests.support.instances import SERIES, ct_instance, instance_file

FILE = instance_file(ct_instance())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def test_what_is_kept_is_read(spool: Spool) -> None:
    """The file holds what was given, and says its size."""
    path = spool.path_of(SERIES, FILE.sop_instance_uid)

    size = spool.keep(path, FILE)

    assert parse_file(spool.read(path)) == FILE
    assert size == len(spool.read(path))
    assert list(spool.paths()) == [path]


def test_only_the_service_can_read_it(spool: Spool) -> None:
    """Files are 0600 and folders 0700."""
    path = spool.data_dir / spool.path_of(SERIES, FILE.sop_instance_uid)
    spool.keep(path.relative_to(spool.data_dir).as_posix(), FILE)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("uid", ["../../etc/passwd", "/abs", "*", "a\nb", "1.2.3"])
def test_no_uid_becomes_part_of_a_path(spool: Spool, uid: str) -> None:
    """Names are digests, so that nothing can lie outside the folder."""
    path = spool.path_of(uid, uid)

    assert uid not in path
    assert (spool.data_dir / path).resolve().is_relative_to(spool.data_dir.resolve() / "instances")


def test_the_order_is_name_then_file_then_directory(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is acknowledged survives a power cut: the new folder's own name, content and name are synced.

    The first try finds no folder.
    """
    steps: list[str] = []
    for name in ("make_directory", "sync_file", "rename", "sync_directory"):
        real = getattr(spool_module, name)
        monkeypatch.setattr(spool_module, name, lambda *a, name=name, real=real: (steps.append(name), real(*a))[1])

    spool.keep(spool.path_of(SERIES, "1.2.3"), FILE)

    assert steps == ["rename", "make_directory", "sync_directory", "rename", "sync_file", "sync_directory"]


def test_too_little_space_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The watermark is the larger of the two limits."""
    full = Spool(tmp_path, minimum_free_percent=99.999)

    with pytest.raises(SpoolFull, match="watermark"):
        full.require_space(1)


def test_a_disk_that_is_full_leaves_nothing_behind(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC in the middle of a file: refused, and no part of it remains."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spool_module, "sync_file", full)

    with pytest.raises(SpoolFull, match="No space left"):
        spool.keep(spool.path_of(SERIES, "1.2.3"), FILE)
    assert [each for each in spool.data_dir.rglob("*") if each.is_file()] == []


def test_a_part_is_swept(spool: Spool) -> None:
    """What was being written when the node stopped goes at the next start."""
    (spool.data_dir / "incoming" / "x.part").write_bytes(b"half")

    assert spool.sweep_parts() == 1
    assert spool.sweep_parts() == 0


def test_what_was_kept_apart_can_take_the_place(spool: Spool) -> None:
    """The operator accepts the new one."""
    path, apart = spool.path_of(SERIES, FILE.sop_instance_uid), spool.conflict_path_of(FILE.sop_instance_uid, "ab" * 32)
    other = instance_file(ct_instance(PatientName="Someone^Else"))
    spool.keep(path, FILE)
    spool.keep(apart, other)

    spool.put_in_place(apart, path)

    assert parse_file(spool.read(path)) == other
    assert list(spool.conflict_paths()) == []
