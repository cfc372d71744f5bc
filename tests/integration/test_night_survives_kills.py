"""A night of adaptation in its child process, killed at every step or asked to give way, comes to the same model."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adaptation.cases import CaseStore
from adaptation.nightly import STEPS
from adaptation.runs import Runs
from dicomnode.config import Configuration, Contouring, Node
from dicomnode.config import Nights as Settings
from dicomnode.nights import Nights, Outside
from dicomnode.node import cases_folder
from dicomnode.records import NightOrder
from segmentation.registry import Registry
from tests.support.nights import LIMITS, SETTINGS, fill
from tests.support.tiny import write_tiny_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KILLABLE = (sys.executable, "-m", "tests.support.killable_night")
NAME = "2026-03-10"
TRAINING = replace(SETTINGS, steps=16, tune_every=8)


def node(folder: Path) -> Configuration:
    """Return a node's configuration with cases to learn from."""
    if not (folder / "bundles").exists():
        write_tiny_bundle(folder / "bundles" / "tiny")
    fill(CaseStore(cases_folder(folder / "data")))
    return Configuration(
        node=Node(data_dir=folder / "data"),
        contouring=Contouring(bundle_dirs=(folder / "bundles",), device="cpu"),
        nights=Settings(model="tiny", training=TRAINING, run=LIMITS.run, looks=LIMITS.looks, gate=LIMITS.gate),
    )


def finish(configuration: Configuration, environment: dict[str, str], *, waiting: Any = lambda: False) -> int:
    """Take turns until the run has ended; return how many there were."""
    orders = [NightOrder("NODE", NAME, 1)]
    outside = Outside(orders.append, waiting, lambda *_words: None, environment=environment)
    nights = Nights(configuration, outside, KILLABLE)
    for turn in range(1, 100):
        if nights.turn(orders[-1]) == "ended":
            return turn
    raise AssertionError("the run does not end")


def every_point() -> set[str]:
    """Return the deaths that a night can die."""
    steps = [*(name for name, _ in STEPS), "end"]
    return {f"{step}:{when}" for step in steps for when in ("before", "behind")} | {"train:in"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night that nobody killed; every death is struck already."""
    folder = tmp_path_factory.mktemp("whole")
    struck = folder / "struck"
    struck.write_text("\n".join(every_point()))
    finish(node(folder), {"STRUCK": str(struck)})
    return folder


def weights_of(folder: Path) -> str:
    """Return the digest of the candidate's weights; the bundle's has the minutes in it that the training took."""
    return str(Runs(folder / "data" / "adaptation" / "runs").run(NAME).read("train")["weights"])


def test_night_that_is_killed_at_every_step_comes_to_the_same(tmp_path: Path, whole: Path) -> None:
    """One look, one version, the same model as without a kill; and the registry verifies."""
    struck = tmp_path / "struck"
    finish(node(tmp_path), {"STRUCK": str(struck)})

    runs, registry = Runs(tmp_path / "data" / "adaptation" / "runs"), Registry(tmp_path / "data" / "models")
    assert set(struck.read_text().splitlines()) == every_point()
    assert weights_of(tmp_path) == weights_of(whole)
    assert len(runs.looks()) == len(registry.versions("tiny")) == 1
    assert registry.verify("tiny") == ()


def test_night_that_gives_way_comes_to_the_same(tmp_path: Path, whole: Path) -> None:
    """Clinical work waits at first: the process ends with its step, and the next turn goes on from there."""
    struck = tmp_path / "struck"
    struck.write_text("\n".join(every_point()))
    busy = iter([True] * 40)

    turns = finish(node(tmp_path), {"STRUCK": str(struck)}, waiting=lambda: next(busy, False))

    assert turns > 1
    assert weights_of(tmp_path) == weights_of(whole)


def test_run_keeps_no_request_and_no_checkpoint(whole: Path) -> None:
    """What is left is what a person reads."""
    run = Runs(whole / "data" / "adaptation" / "runs").run(NAME)

    assert not run.work.exists()
    assert json.loads((run.folder / "end.json").read_bytes())["outcome"] == "done"


def test_processes_share_a_training(tmp_path: Path) -> None:
    """Two of them, which torchrun starts for that step alone, come to a candidate that the gate lets through."""
    configuration = node(tmp_path)
    training = replace(TRAINING, processes=2)
    nights = Nights(
        configuration.model_copy(update={"nights": configuration.nights.model_copy(update={"training": training})}),
        Outside(lambda _order: None, lambda: False, lambda *_words: None),
    )

    outcomes = [nights.turn(NightOrder("NODE", NAME, turn)) for turn in (1, 2, 3)]

    assert outcomes == ["goes on", "goes on", "ended"]
    assert Runs(tmp_path / "data" / "adaptation" / "runs").run(NAME).read("judge")["outcome"] == "passed"
