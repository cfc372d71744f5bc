"""One node for each file of attacks: `--dist loadfile` lets several be attacked side by side."""

from collections.abc import Iterator

import pytest

from tests.support.siege import Siege, besieged


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    """Return a node that is attacked by every test of a file, one after the other."""
    with besieged(tmp_path_factory.mktemp("siege") / "node") as running:
        yield running
