"""Files that appear under their name whole or not at all, and that a power cut cannot undo."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to; it takes its name when the block ends without an error, and is gone if it does not.

    Args:
        path: the name; its folder must be there.

    Raises:
        OSError: if the disk refuses.
    """
    descriptor, partial = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have the names in a folder outlast a power cut.

    Raises:
        OSError: if the disk refuses.
    """
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def point_to(link: Path, target: str) -> None:
    """Let a symbolic link name a target, the one before or the new one at any moment, and outlast a power cut.

    Args:
        link: of which there is one writer at a time.
        target: as it is written into the link.

    Raises:
        OSError: if the disk refuses.
    """
    fresh = link.with_name(f".{link.name}.part")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    sync_folder(link.parent)


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file so that it outlasts a power cut; the remnant of one that a kill cut short goes first.

    Args:
        path: of which there is one writer at a time.
        line: without its end.

    Raises:
        OSError: if the disk refuses.
    """
    is_new = not path.exists()
    with path.open("ab") as file:
        end = whole_lines(path)
        file.truncate(end)
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(path.parent)


def whole_lines(path: Path) -> int:
    """Return how many bytes of a file are lines that have an end."""
    return path.read_bytes().rfind(b"\n") + 1


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a power cut leaves the whole of it or nothing under its name."""
    with written_whole(path) as file:
        file.write(content)
