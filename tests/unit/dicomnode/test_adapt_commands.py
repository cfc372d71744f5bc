"""`adapt run`, `status`, `history` and `show` on a data folder with cases, without a daemon."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adaptation.cases import CaseStore
from adaptation.night_plan import make_plan
from adaptation.run_plan import encode_plan
from adaptation.runs import Runs
from dicomnode import adapting
from dicomnode.cli import app
from dicomnode.node import cases_folder
from dicomnode.terminal import EXIT_ATTENTION, choose_configuration
from tests.support.nights import EVENING, LIMITS, SETTINGS, fill, night
from tests.support.tiny import marked_phantom, write_tiny_bundle

FILE = """
[node]
data_dir = "{folder}/data"

[contouring]
bundle_dirs = ["{folder}/bundles"]
device = "cpu"

[nights]
model = "tiny"
"""


def section(name: str, values: Any) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in vars(values).items()]
    return "\n".join([f"[nights.{name}]", *lines, ""])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A node's folder with cases to learn from, which the command line names."""
    monkeypatch.setattr(adapting, "golden_volume", lambda: marked_phantom(20).volume)
    write_tiny_bundle(tmp_path / "bundles" / "tiny")
    (tmp_path / "data").mkdir()
    fill(CaseStore(cases_folder(tmp_path / "data")))
    settings = replace(SETTINGS, steps=8, tune_every=4)
    parts = {"training": settings, "run": LIMITS.run, "looks": LIMITS.looks, "gate": LIMITS.gate}
    text = FILE.format(folder=tmp_path) + "\n".join(section(name, values) for name, values in parts.items())
    (tmp_path / "node.toml").write_text(text)
    yield tmp_path
    choose_configuration(None)


def call(folder: Path, *words: str) -> Any:
    """Call the command line; return what it printed as JSON, and its exit code."""
    result = CliRunner().invoke(app, ["--config", str(folder / "node.toml"), "adapt", *words, "--json"])
    return (json.loads(result.stdout) if result.stdout else {}), result.exit_code


def test_dry_run_says_what_a_run_would_do_and_does_nothing(folder: Path) -> None:
    """Cases by part, the base and the model in service."""
    answer, code = call(folder, "run", "--dry-run")

    assert code == 0
    assert answer["starts"]
    assert answer["cases"] == {"train": 3, "tune": 1, "gate": 5}
    assert not (folder / "data" / "adaptation" / "runs").exists()


def test_run_that_would_not_start_calls_for_attention(folder: Path) -> None:
    """With every reason."""
    text = (folder / "node.toml").read_text().replace("gate = 5", "gate = 20", 1)
    (folder / "node.toml").write_text(text)

    answer, code = call(folder, "run", "--dry-run")

    assert code == EXIT_ATTENTION
    assert "5 cases of the gate, 20 are needed" in answer["reasons"]


@pytest.mark.slow
def test_run_is_done_here_where_no_daemon_runs(folder: Path) -> None:
    """It ends, the history has it, and its steps can be shown."""
    answer, code = call(folder, "run", "--by", "physicist")
    views, _ = call(folder, "history")
    shown, _ = call(folder, "show", answer["run"])

    assert code == 0
    assert answer["outcome"] == "done"
    assert [view["name"] for view in views] == [answer["run"]]
    assert shown["plan"]["by"] == "physicist"
    assert shown["train"]["place"] == "conv5-b1"


def test_run_under_way_is_shown_and_no_second_one_begins(folder: Path) -> None:
    """A run that was planned and has not ended is at its next step."""
    one = night(folder)
    plan = replace(adapting_plan(one), run="2026-03-10")
    Runs(folder / "data" / "adaptation" / "runs").run("2026-03-10").keep("plan", encode_plan(plan))

    answer, _ = call(folder, "status")
    _, code = call(folder, "run")

    assert answer["under_way"] == [{"run": "2026-03-10", "step": "shadow"}]
    assert code != 0


def test_status_warns_of_a_gate_that_is_worn_out(folder: Path) -> None:
    """The first look was years ago: its cases are to be replaced."""
    before, _ = call(folder, "status")
    run = Runs(folder / "data" / "adaptation" / "runs").run("2020-03-10")
    run.keep("plan", encode_plan(replace(adapting_plan(night(folder)), run=run.name)))
    run.keep("judge", {"at": "2020-03-10T22:00:00+00:00", "alpha": 0.01, "lets_through": False})
    run.keep("end", {"at": "2020-03-11T00:00:00+00:00", "outcome": "done", "text": "refused"})

    answer, _ = call(folder, "status")

    assert before["gate_warning"] == ""
    assert "looked at 1 times since 2020-03-10" in answer["gate_warning"]


def adapting_plan(one: Any) -> Any:
    """Return the plan of a night."""
    return make_plan(replace(one, clock=lambda: EVENING - timedelta(days=1)))


def test_run_that_is_not_there_is_said(folder: Path) -> None:
    """With the command that lists those that are."""
    result = CliRunner().invoke(app, ["--config", str(folder / "node.toml"), "adapt", "show", "2020-01-01"])

    assert result.exit_code != 0


def test_gate_is_renewed_by_a_named_person(folder: Path) -> None:
    """Who, why and when are kept, in the audit too; the old cases judge on; a second renewal is refused."""
    before, code = call(folder, "gate", "status")
    renewal, renewed = call(folder, "gate", "renew", "--by", "A. Physicist", "--why", "a year is over")
    after, _ = call(folder, "gate", "status")

    assert (code, renewed) == (0, 0)
    assert (before["generation"], before["cases"], before["looks"], before["gathered"]) == (1, 5, 0, 1)
    assert (renewal["generation"], renewal["by"], renewal["why"]) == (2, "A. Physicist", "a year is over")
    assert (after["generation"], after["gathered"], after["gathered_cases"], after["retired"]) == (1, 2, 0, 0)
    assert after["renewals"] == [renewal]
    audit = b"".join(path.read_bytes() for path in (folder / "data" / "audit").iterdir() if path.is_file())
    assert b"adapt gate renew --by A. Physicist" in audit
    again = CliRunner().invoke(
        app, ["--config", str(folder / "node.toml"), "adapt", "gate", "renew", "--by", "B", "--why", "again"]
    )
    assert again.exit_code != 0
    assert "generation 2 of the gate is still gathered" in str(again.exception)


def test_worn_gate_calls_for_attention_until_it_is_renewed(folder: Path) -> None:
    """After as many looks as a year has; the looks of before stay in the account."""
    one = night(folder / "other", store=CaseStore(cases_folder(folder / "data")))
    runs = Runs(folder / "data" / "adaptation" / "runs")
    for name in ("2026-03-08", "2026-03-09"):
        runs.run(name).keep("plan", encode_plan(replace(make_plan(one), run=name)))
        runs.run(name).keep("judge", {"at": EVENING.isoformat(), "alpha": 0.02, "lets_through": False})

    worn, code = call(folder, "gate", "status")
    call(folder, "gate", "renew", "--by", "A. Physicist", "--why", "worn out")
    after, calm = call(folder, "gate", "status")

    assert (code, worn["looks"], calm, after["looks"]) == (EXIT_ATTENTION, 2, 0, 2)
    assert "`dicomnode adapt gate renew`" in worn["warning"]
    assert after["warning"] == ""
