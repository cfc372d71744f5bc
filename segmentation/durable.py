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
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a power cut leaves the whole of it or nothing under its name."""
    with written_whole(path) as file:
        file.write(content)
