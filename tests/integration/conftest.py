"""What the tests of the whole node share: a model that is made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import running_postgres
from tests.support.tiny import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the bundle `tiny` in it."""
    folder = tmp_path_factory.mktemp("bundles")
    write_tiny_bundle(folder / "tiny")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of the tests' own."""
    with running_postgres() as server:
        yield server.url
