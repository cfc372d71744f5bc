"""Files on their way out: set apart while their rows are taken away, then destroyed; a power cut undoes or ends it."""

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from dicomnode.spool import make_directory, rename, sync_directory


class Trash:
    """The folder `purging` of a data folder.

    A file whose row is gone would be taken for a new arrival at the next start, and a row whose file is gone is an
    alarm: so files are set apart first, and what a start finds set apart goes back if its row is there.

    Args:
        data_dir: the node's data folder.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._folder = data_dir / "purging"
        make_directory(self._folder)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process from purging, and a starting daemon from looking, for so long."""
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def set_apart(self, paths: Collection[str]) -> Path:
        """Move files out of their places; return the folder in which they lie now."""
        apart = self._folder / uuid4().hex
        apart.mkdir(mode=0o700)
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                (apart / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                rename(self._data_dir / path, apart / path)
        # Before a row goes, its file must be out of its place for good.
        for folder in {file.parent for path in paths for file in (self._data_dir / path, apart / path)}:
            with contextlib.suppress(FileNotFoundError):
                sync_directory(folder)
        sync_directory(apart)
        sync_directory(self._folder)
        return apart

    def give_back(self, apart: Path) -> None:
        """Move files back to their places; one that was sent again meanwhile is there already."""
        for path in _paths_in(apart):
            if not (self._data_dir / path).exists():
                make_directory((self._data_dir / path).parent)
                rename(apart / path, self._data_dir / path)
                sync_directory((self._data_dir / path).parent)
        self.destroy(apart)

    def destroy(self, apart: Path) -> None:
        """Delete files that were set apart, and the folder of a series that they leave empty."""
        for path in _paths_in(apart):
            (apart / path).unlink()
            left = (self._data_dir / path).parent
            if left.parent == self._data_dir:  # `results` and the like: a running daemon counts on them
                continue
            with contextlib.suppress(OSError):  # not empty, or taken by what arrives this moment
                left.rmdir()
        for folder, _, _ in os.walk(apart, topdown=False):
            Path(folder).rmdir()
        sync_directory(self._folder)

    def settle(self, known: Collection[str]) -> int:
        """End what a power cut interrupted: files that a row speaks of go back, the others go; return how many went."""
        destroyed = 0
        with self.held():
            for apart in [each for each in self._folder.iterdir() if each.is_dir()]:
                for path in _paths_in(apart):
                    if path not in known:
                        (apart / path).unlink()
                        destroyed += 1
                self.give_back(apart)
        return destroyed


def _paths_in(apart: Path) -> list[str]:
    return [file.relative_to(apart).as_posix() for file in apart.rglob("*") if file.is_file()]
