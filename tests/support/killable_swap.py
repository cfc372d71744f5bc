"""A promotion whose process dies behind the change of the registry and before the audit has its message.

Arguments: the configuration's file, and NAME@VERSION.
"""

import sys
from pathlib import Path

from dicomnode.audit.auditor import Auditor
from dicomnode.commands.promote import promote_version
from dicomnode.config import load_configuration
from dicomnode.node import Books
from tests.support.death import die_before

if __name__ == "__main__":
    books = Books.open(load_configuration(Path(sys.argv[1])))
    die_before(Auditor, "write")
    promote_version(books, sys.argv[2], by="A. Physicist", why="better")
