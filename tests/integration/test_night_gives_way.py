"""A node that adapts contours a series at once, and goes on with the night where it was; also when it was killed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adaptation.cases import CaseStore
from adaptation.runs import Run, Runs
from dicomnode.series import State
from tests.support.nights import LIMITS, SETTINGS, fill
from tests.support.node import Node, make_node, wait_until
from tests.support.peer import receiving_peer
from tests.support.tiny import marked_series

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("restart")]

LONG = replace(SETTINGS, steps=200_000, minutes=600.0, tune_every=200_000)
PATIENCE_S = 240.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[Node]:
    """Return a running node in the middle of a training that lasts for hours."""
    parts = {"training": LONG, "run": LIMITS.run, "looks": LIMITS.looks, "gate": LIMITS.gate}
    more = {f"nights.{name}": vars(values) for name, values in parts.items()}
    with receiving_peer() as tps:
        folder = tmp_path_factory.mktemp("night")
        made = make_node(
            folder,
            tps.peer,
            bundle_dir=bundle_dir,
            more={"receiving": {"quiet_s": 0.5}, "nights": {"model": "tiny"}, **more},
        )
        fill(CaseStore(made.data / "adaptation" / "cases"))
        made.start()
        try:
            assert made.run("adapt", "run", "--by", "physicist").returncode == 0
            until(made, lambda: bool(steps_of(made)))
            yield made
        finally:
            made.kill()


def until(node: Node, happened: Callable[[], bool]) -> None:
    wait_until(happened, PATIENCE_S, lambda: node.log[-3000:])


def run_of(node: Node) -> Run:
    """Return the one run."""
    runs = Runs(node.data / "adaptation" / "runs")
    names = [path.name for path in runs.folder.glob("*")]
    return runs.run(names[0] if names else "none")


def steps_of(node: Node) -> list[int]:
    """Return the steps of the training that were written down, in their order."""
    log = run_of(node).folder / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [line["step"] for line in lines if line["event"] == "step"]


def test_series_that_comes_during_a_training_is_contoured(node: Node) -> None:
    """While the run has hours to go; and then the training goes on from its checkpoint, not from its beginning."""
    uid = node.send_series(marked_series(1))
    state = node.wait_for_end(uid)[uid]
    before = len(steps_of(node))
    until(node, lambda: len(steps_of(node)) > before + 1)

    assert state is State.SENT
    assert not run_of(node).is_ended
    assert steps_of(node) == sorted(steps_of(node))


def test_killed_node_goes_on_with_the_night(node: Node) -> None:
    """Started again, it takes the turn up where the last checkpoint was."""
    before = steps_of(node)
    node.kill()

    node.start()
    until(node, lambda: len(steps_of(node)) > len(before) + 1)

    assert steps_of(node)[len(before)] > max(before) // 2
    assert len(list((node.data / "adaptation" / "runs").glob("*"))) == 1


def test_operator_sees_how_far_it_is(node: Node) -> None:
    """The step of the training, of how many."""
    answer = json.loads(node.run("adapt", "status", "--json").stdout)

    assert answer["under_way"][0]["step"].startswith("train, step ")
