"""Implementations that no one here wrote and the node understand each other: a short set of what the command tries.

`python -m benchmarks.interoperability` asks every question, in every transfer syntax, and prints the table.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.foreign.encounter import IMPLEMENTATIONS, QUESTIONS, Meeting, meetings

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]
LEFT_TO_THE_COMMAND = ("implicit", "process 14", "first-order", "RLE")  # of the transfer syntaxes, and tried elsewhere
SHORT = [name for name in QUESTIONS if not any(word in name for word in LEFT_TO_THE_COMMAND)]


@pytest.fixture(
    scope="module", params=[pytest.param(title, marks=pytest.mark.xdist_group(title)) for title in IMPLEMENTATIONS]
)
def meeting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path
) -> Iterator[Meeting]:
    """Run a node and one implementation; beside one that has no SCP another that has."""
    title: str = request.param
    titles = dict.fromkeys((title, "DCMTK")) if title == "GDCM" else (title,)
    with meetings(tmp_path_factory.mktemp(title), bundle_dir, tuple(titles)) as met:
        yield met[0]


@pytest.mark.parametrize("name", SHORT)
def test_they_understand_each_other(meeting: Meeting, name: str) -> None:
    """What the Standard says came out, at the node and at the foreign program."""
    outcome = QUESTIONS[name](meeting)

    assert outcome.ok, f"{outcome.words}\n{outcome.heard[-2000:]}"
