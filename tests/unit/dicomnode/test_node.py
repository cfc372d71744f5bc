"""The parts of a node put together on a data folder."""

import os
from pathlib import Path

from dicomnode.config import Configuration, Node
from dicomnode.node import Books


def test_nobody_else_reads_the_ledger(tmp_path: Path) -> None:
    """Whoever opens the books first, a command of the operator's too, makes files that are the node's alone."""
    before = os.umask(0o022)
    try:
        books = Books.open(Configuration(node=Node(data_dir=tmp_path / "data")), create=True)
        modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "data").glob("dicomnode.sqlite*")}
        books.close()
    finally:
        os.umask(before)

    assert modes == dict.fromkeys(("dicomnode.sqlite", "dicomnode.sqlite-shm", "dicomnode.sqlite-wal"), 0o600)
