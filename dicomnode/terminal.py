"""What every part of the command line shares: the configuration that it names, and how it prints."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dicomnode.audit.operator import audited
from dicomnode.config import Configuration, load_configuration
from dicomnode.errors import ConfigurationError
from dicomnode.node import Books

EXIT_FAILED, EXIT_ATTENTION, EXIT_INTERRUPTED = 1, 3, 130
CONFIGURATION_FILE = Path("/etc/dicomnode/dicomnode.toml")

out = Console(highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class _Chosen:
    """Which configuration the command line names."""

    path: Path | None = None


def choose_configuration(path: Path | None) -> None:
    """Remember which configuration the command line names."""
    _Chosen.path = path


def configuration() -> Configuration:
    """Return the configuration that the command line names, the installed one, or the embedded defaults."""
    if _Chosen.path is not None:
        return load_configuration(_Chosen.path)
    try:
        if CONFIGURATION_FILE.is_file():
            return load_configuration(CONFIGURATION_FILE)
    except PermissionError as error:
        # The installed folder is for the operator's group: the defaults would be another node's.
        raise ConfigurationError([f"{CONFIGURATION_FILE}: cannot be read: {error.strerror}"]) from None
    home = os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local" / "state"))
    return Configuration.default(Path(home) / "dicomnode")


@contextmanager
def open_books(action: str = "") -> Iterator[Books]:
    """Open the books for one command.

    Args:
        action: what the operator does, as "series release 5"; audited. Empty for a command that only looks.
    """
    books = Books.open(configuration())
    try:
        with audited(books, action) if action else nullcontext():
            yield books
    finally:
        books.close()


def say(text: object = "", *, markup: bool = True, end: str = "\n") -> None:
    """Print for a person; a long line is the terminal's to wrap, so that a UID stays one word."""
    out.print(text, markup=markup, end=end, soft_wrap=isinstance(text, str))


def print_json(value: Any) -> None:
    """Print for a program."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
