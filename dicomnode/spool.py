"""Instance files: written durably, found by instance and series, kept apart where they disagree.

A file appears under its name whole or not at all, and `keep` returns when a power cut could no longer undo it. Names
are SHA-256 of UIDs: what a peer sends never becomes part of a path.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from dicomnode.errors import SpoolFull
from dicomnode.instance_file import InstanceFile, file_head, parse_file

MIB = 1 << 20
StrPath = str | os.PathLike[str]


class Spool:
    """The folder in which received instances lie.

    Args:
        data_dir: the node's data folder; `instances`, `incoming` and `conflicts` are made in it.
        minimum_free_mib: nothing is taken when less than this is free, in MiB.
        minimum_free_percent: nor when less than this part of the file system is, in percent.
    """

    def __init__(self, data_dir: Path, *, minimum_free_mib: float = 0, minimum_free_percent: float = 0) -> None:
        self.data_dir = data_dir
        self._root = os.fspath(data_dir)
        self._minimum_free_mib = minimum_free_mib
        self._minimum_free_percent = minimum_free_percent
        for name in ("instances", "incoming", "conflicts"):
            (data_dir / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def require_space(self, size: int) -> None:
        """Check that `size` bytes fit and leave the file system above its watermark.

        Raises:
            SpoolFull: they do not.
        """
        try:
            usage = shutil.disk_usage(self.data_dir)
        except OSError as error:
            raise SpoolFull(f"the disk cannot be asked for its space: {error.strerror}") from error
        least = watermark(usage.total, self._minimum_free_mib, self._minimum_free_percent)
        if usage.free - size < least:
            raise SpoolFull(f"{usage.free // MIB} MiB are free, the watermark is {int(least) // MIB} MiB")

    def path_of(self, series_instance_uid: str, sop_instance_uid: str) -> str:
        """Return where an instance lies, relative to the data folder."""
        return f"instances/{_name(series_instance_uid)}/{_name(sop_instance_uid)}.dcm"

    def conflict_path_of(self, sop_instance_uid: str, sha256: str) -> str:
        """Return where an instance is kept apart whose UID is known with other content."""
        return f"conflicts/{_name(sop_instance_uid)}-{sha256[:16]}.dcm"

    def has(self, path: str) -> bool:
        """Whether there is a file at this place."""
        return os.path.exists(f"{self._root}/{path}")  # noqa: PTH110 (see `keep`)

    def digest_of(self, path: str) -> str:
        """Return the SHA-256 of the data set in a kept file, in hexadecimal digits.

        Raises:
            SpoolFull: the disk refuses to read it.
            NotUnderstood: there is no DICOM file.
        """
        return hashlib.sha256(parse_file(self.read(path)).data).hexdigest()

    def read(self, path: str) -> bytes:
        """Return the whole file.

        Raises:
            SpoolFull: the disk refuses to read it.
        """
        try:
            return (self.data_dir / path).read_bytes()
        except OSError as error:
            raise SpoolFull(f"a kept file cannot be read: {error.strerror}") from error

    def keep(self, path: str, instance: InstanceFile) -> int:
        """Write an instance so that no power cut can undo it; return the size of the file in bytes.

        Raises:
            SpoolFull: the disk has no room or refuses.
        """
        target = os.path.join(self._root, path)  # noqa: PTH118 (for every instance that comes; a Path takes ten times as long)
        part = f"{self._root}/incoming/{uuid4().hex}.part"
        try:
            descriptor, size = write_part(part, file_head(instance), instance.data)
            try:
                # First the name: the sync of the file then takes the name to the disk with it, and that of the
                # directory finds nothing left to do. A torn file under its name was promised to nobody (`adoption`).
                begin_writing(descriptor)
                put_in_place(part, target)
                sync_file(descriptor)
            finally:
                os.close(descriptor)
            sync_directory(os.path.dirname(target))  # noqa: PTH120
        except OSError as error:
            for remnant in (part, target):
                with contextlib.suppress(OSError):
                    os.unlink(remnant)  # noqa: PTH108
            raise SpoolFull(f"the disk refuses to write: {error.strerror}") from error
        return size

    def sync(self, path: str) -> None:
        """Take a file that is there to the disk, and its name.

        Raises:
            SpoolFull: the disk refuses.
        """
        try:
            descriptor = os.open(self.data_dir / path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_directory((self.data_dir / path).parent)
        except OSError as error:
            raise SpoolFull(f"the disk refuses to sync: {error.strerror}") from error

    def put_in_place(self, kept_apart: str, path: str) -> None:
        """Let a file that was kept apart take the place of the one that it disagrees with.

        Raises:
            SpoolFull: the disk refuses.
        """
        try:
            rename(self.data_dir / kept_apart, self.data_dir / path)
            sync_directory((self.data_dir / path).parent)
            sync_directory(self.data_dir / "conflicts")
        except OSError as error:
            raise SpoolFull(f"the disk refuses to move a file: {error.strerror}") from error

    def delete(self, path: str) -> None:
        """Remove a file that nobody was promised."""
        (self.data_dir / path).unlink(missing_ok=True)

    def sweep_parts(self) -> int:
        """Remove what was being written when the node stopped; return how many there were."""
        parts = list((self.data_dir / "incoming").glob("*.part"))
        for part in parts:
            part.unlink(missing_ok=True)
        return len(parts)

    def paths(self) -> Iterator[str]:
        """Yield where each instance lies, relative to the data folder, those kept apart not among them."""
        for file in sorted((self.data_dir / "instances").glob("*/*.dcm")):
            yield file.relative_to(self.data_dir).as_posix()

    def conflict_paths(self) -> Iterator[str]:
        """Yield where each instance that is kept apart lies, relative to the data folder."""
        for file in sorted((self.data_dir / "conflicts").glob("*.dcm")):
            yield file.relative_to(self.data_dir).as_posix()


def watermark(total: int, minimum_free_mib: float, minimum_free_percent: float) -> float:
    """Return how much of a file system must stay free, in bytes: the larger of the two."""
    return max(minimum_free_mib * MIB, total * minimum_free_percent / 100)


def make_directory(directory: StrPath) -> None:
    """Make a directory, mode 0700, and sync its parent if it is new."""
    try:
        os.mkdir(directory, 0o700)  # noqa: PTH102 (see `Spool.keep`)
    except FileExistsError:
        return
    sync_directory(Path(directory).parent)


def write_part(part: StrPath, head: bytes, data: bytes | memoryview) -> tuple[int, int]:
    """Write a new file, mode 0600; return its open descriptor and its size in bytes."""
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        pending = [memoryview(head), memoryview(data)]
        while pending:
            written = os.writev(descriptor, pending)
            while pending and written >= len(pending[0]):
                written -= len(pending.pop(0))
            if pending:
                pending[0] = pending[0][written:]
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, len(head) + len(data)


def begin_writing(descriptor: int) -> None:
    """Have the kernel write a file out without waiting for it: it does so when told that the pages are not needed."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def sync_file(descriptor: int) -> None:
    """Wait until the content of a file is on the disk, and how long it is."""
    os.fdatasync(descriptor)


def put_in_place(part: StrPath, target: StrPath) -> None:
    """Give a whole file its name, in a directory that is made where there is none yet."""
    try:
        rename(part, target)
    except FileNotFoundError:
        make_directory(os.path.dirname(target))  # noqa: PTH120
        rename(part, target)


def rename(part: StrPath, target: StrPath) -> None:
    """Give a whole file its name."""
    os.replace(part, target)  # noqa: PTH105 (see `Spool.keep`)


def sync_directory(directory: StrPath) -> None:
    """Wait until the names in a directory are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(uid: str) -> str:
    """Return a file name for a UID that holds no character of it."""
    return hashlib.sha256(uid.encode()).hexdigest()
