"""What the documents say of commands, states, exit codes and files is what the code has."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from dicomnode import cli
from dicomnode.series import State
from tests.support.rooms import ROOMS, ROOT, source_files

OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
DOCUMENTS = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]


@pytest.mark.parametrize("state", State)
def test_every_state_of_a_series_is_explained(state: State) -> None:
    """An operator who reads a state in `status` finds its row."""
    assert f"\n| `{state}` | " in OPERATING


@pytest.mark.parametrize("code", [0, cli.EXIT_FAILED, 2, cli.EXIT_ATTENTION, cli.EXIT_INTERRUPTED])
def test_every_exit_code_is_explained(code: int) -> None:
    """An exit code has its row."""
    assert f"\n| {code} | " in OPERATING


@pytest.mark.parametrize("command", get_command(cli.app).commands)
def test_every_command_is_in_the_changelog(command: str) -> None:
    """Whoever installs the release reads which commands it has."""
    assert f"`{command}`" in CHANGELOG


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """A relative link names a file that is there."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))

    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_safety_names_what_is_there() -> None:
    """The last column of the tables of failures names files of the rooms, that of the attacks names tests."""
    files = {Path(file).stem for file in source_files(*ROOMS)}
    tests = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    rows = re.findall(r"^\| .* \| ([^|]*) \|$", (ROOT / "docs" / "safety.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} <= files | tests
