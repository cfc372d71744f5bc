"""A version goes into service and back while the node runs: the next series is contoured by it, and its set says so."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from dicomnode.config import load_configuration
from dicomnode.dimse import IMPLICIT_VR_LE
from dicomnode.series import State
from dicomnode.swapping import objection
from segmentation.contouring import load_contouring
from segmentation.registry import Registry
from tests.support.books import NOON
from tests.support.node import Node, free_port, make_node, running, tps, wait_until
from tests.support.peer import ReceivingPeer, receiving_peer
from tests.support.tiny import marked_series, write_tiny_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("new model")]


@dataclass(frozen=True)
class Story:
    """What a node did with a series each time, and what it said.

    Args:
        node: that it was.
        drawn_by: Software Versions of each structure set, in the order in which they came.
        states: of the series.
        promoted: answer to the promotion.
        rolled_back: answer to the rollback.
        listed: `models list` at the end.
        shown: `models show` of the version at the end.
    """

    node: Node
    drawn_by: list[str]
    states: list[State]
    promoted: Any
    rolled_back: Any
    listed: Any
    shown: Any


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[Story]:
    """Let a node contour by the base, a promoted version, the base again, and with the version in the shadow."""
    folder = tmp_path_factory.mktemp("new model")
    write_tiny_bundle(folder / "candidate", version="2")
    with receiving_peer() as tps:
        node = make_node(folder / "node", tps.peer, bundle_dir=bundle_dir)
        with running(node):
            states = [contoured(node, 1)]
            told(node, "import", str(folder / "candidate"), "--name", "tiny")
            promoted = told(node, "promote", "tiny@2", "--why", "better", "--by", "A. Physicist")
            states.append(contoured(node, 2))
            rolled_back = told(node, "rollback", "tiny", "--why", "worse")
            states.append(contoured(node, 3))
            done = node.run("models", "shadow", "tiny", "2", "--why", "the gate wants it")
            assert done.returncode == 0, done.stderr
            states.append(contoured(node, 4))
            wait_until(lambda: bool(in_shadow(node)), 120, lambda: node.log[-3000:])
            listed, shown = told(node, "list"), told(node, "show", "tiny@2")
            yield Story(node, drawn_by(tps), states, promoted, rolled_back, listed, shown)


def contoured(node: Node, number: int) -> State:
    """Send the CT of another patient and wait until its structure set is delivered."""
    [state] = node.wait_for_end(node.send_series(marked_series(number))).values()
    return state


def told(node: Node, *words: str) -> Any:
    """Return what a command about models answers."""
    done = node.run("models", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def drawn_by(tps: ReceivingPeer) -> list[str]:
    """Return which model each structure set that arrived says that it is of."""
    sets = [
        read_dataset(DicomBytesIO(data), is_implicit_VR=syntax == IMPLICIT_VR_LE, is_little_endian=True)
        for _, syntax, data in tps.received
    ]
    return [str(ds.SoftwareVersions[-1]) for ds in sets]


def in_shadow(node: Node) -> list[Path]:
    """Return the masks that were kept in the shadow."""
    return list((node.data / "shadow").glob("*/*.npz"))


def test_each_series_is_contoured_by_what_is_in_service_when_it_comes(story: Story) -> None:
    """Base, version, base, and base with a shadow: the node was never restarted."""
    assert story.states == [State.SENT] * 4
    assert story.drawn_by == ["tiny 1", "tiny 2", "tiny 1", "tiny 1"]


def test_the_answers_say_what_came_in_place_of_what(story: Story) -> None:
    """A script sees what it did."""
    assert (story.promoted["before"], story.promoted["version"]) == ("1", "2")
    assert (story.rolled_back["before"], story.rolled_back["version"]) == ("2", "1")


def test_the_version_in_the_shadow_is_seen_by_nobody(story: Story) -> None:
    """Its masks are kept, and the TPS has one structure set of each series."""
    [kept] = in_shadow(story.node)

    assert load_contouring(kept).model_version == "2"
    assert len(story.drawn_by) == 4
    assert story.shown["shadow"] == {"series": 1, "failed": 0, "lost": {}}


def test_the_list_shows_base_and_version(story: Story) -> None:
    """What serves is the base; the version is in the shadow."""
    [model] = story.listed

    assert model["is_base"]
    assert [(each["version"], each["standing"]) for each in model["versions"]] == [("2", "in the shadow")]


def test_the_audit_has_each_change_with_who_and_why(story: Story) -> None:
    """A promotion and a rollback are records of the chain."""
    written = "".join(path.read_text() for path in (story.node.data / "audit").glob("*.log"))

    assert "model tiny promoted by A. Physicist: 1 (" in written
    assert ": worse" in written


def test_a_promotion_that_nobody_could_tell_of_is_told_at_the_start(tmp_path: Path, bundle_dir: Path) -> None:
    """Who promoted was killed before the audit had it: the next start tells it, and the chain is whole."""
    node = make_node(tmp_path / "node", tps(free_port()), bundle_dir=bundle_dir)
    write_tiny_bundle(tmp_path / "candidate", version="2")
    with running(node):
        told(node, "import", str(tmp_path / "candidate"), "--name", "tiny")
    command = [sys.executable, "-m", "tests.support.killable_swap", str(node.configuration), "tiny@2"]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, timeout=120)
    before = audit_of(node)

    with running(node):
        pass

    assert killed.returncode == -signal.SIGKILL
    assert told(node, "list")[0]["version"] == "2"
    assert "model tiny promoted by A. Physicist" not in before
    assert audit_of(node).count("model tiny promoted by A. Physicist: 1 (") == 1
    assert node.run("audit", "verify").returncode == 0


def audit_of(node: Node) -> str:
    """Return every record of the audit."""
    return "".join(path.read_text() for path in sorted((node.data / "audit").glob("*.log")))


def test_what_the_site_promotes_by_itself_is_tried_as_by_a_person(tmp_path: Path, bundle_dir: Path) -> None:
    """The contouring process draws the golden case with both; what draws fewer organs is objected to."""
    node = make_node(tmp_path / "node", tps(free_port()), bundle_dir=bundle_dir)
    configuration = load_configuration(node.configuration)
    registry = Registry(configuration.registry_dir)
    write_tiny_bundle(tmp_path / "good", version="2")
    write_tiny_bundle(tmp_path / "other", version="3", purpose="phantom")
    versions = [
        registry.add("tiny", tmp_path / name, origin="a night", by="night", at=NOON) for name in ("good", "other")
    ]

    said = [objection(configuration, version) for version in versions]

    assert said[0] == ""
    assert "it is for phantoms" in said[1]
    kept = {path.stem for path in (configuration.node.data_dir / "golden").glob("*.npz")}
    assert {versions[0].digest} == kept & {version.digest for version in versions}
    assert len(kept) == 2
