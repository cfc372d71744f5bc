"""`adapt status`, `adapt history`, `adapt show`: what runs of adaptation did, and what they wait for."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adaptation.errors import AdaptationError
from adaptation.journal import LOG
from adaptation.partition import Part
from adaptation.run_plan import Plan
from adaptation.runs import END, PLAN, Run, Runs
from dicomnode.config import Configuration

STEPS = ("shadow", PLAN, "features", "pace", "train", "scores", "integrity", "judge", "register", "report")
LENGTHY = ("losses", "tuning", "settings")  # of a training: the dossier has them


@dataclass(frozen=True)
class RunView:
    """A run for a person.

    Args:
        name: of the run.
        at: when it began, or ended where it never began.
        outcome: how it ended; empty where it has not.
        text: what came of it, or the step that it is at.
        cases: by part.
        version: digest of what it made; empty for none.
    """

    name: str
    at: datetime
    outcome: str
    text: str
    cases: dict[str, int]
    version: str


def runs_of(configuration: Configuration) -> Runs:
    """Return the runs of a node."""
    return Runs(configuration.node.data_dir / "adaptation" / "runs")


def view_of(run: Run) -> RunView:
    """Return a run for a person.

    Raises:
        AdaptationError: its records cannot be read.
    """
    end = run.read(END) if run.is_ended else {"outcome": "", "text": under_way(run)}
    plan: Plan | None = run.plan() if run.has(PLAN) else None
    cases = {part.value: len(plan.cases[part]) for part in Part} if plan else {}
    version = run.read("register")["digest"] if run.has("register") else ""
    return RunView(run.name, run.at, str(end["outcome"]), str(end["text"]), cases, str(version))


def under_way(run: Run) -> str:
    """Return which step a run is at, and of a training how far it is."""
    step = next((step for step in STEPS if not run.has(step)), END)
    return f"{step}{_training(run)}" if step == "train" else step


def _training(run: Run) -> str:
    path = run.folder / LOG
    lines = path.read_text().splitlines() if path.exists() else []
    steps = [one for line in lines if (one := json.loads(line))["event"] == "step"]
    of = run.read("pace")["steps"] if run.has("pace") else 0
    return f", step {steps[-1]['step']} of {of}, loss {steps[-1]['loss']}" if steps else ""


def history(configuration: Configuration) -> list[RunView]:
    """Return all runs, oldest first.

    Raises:
        AdaptationError: the records of one cannot be read.
    """
    return [view_of(run) for run in runs_of(configuration).all()]


def details(configuration: Configuration, name: str) -> dict[str, Any]:
    """Return what every step of a run came to.

    Raises:
        AdaptationError: there is no such run, or its records cannot be read.
    """
    run = runs_of(configuration).run(name)
    if not run.has(PLAN) and not run.is_ended:
        raise AdaptationError(f"there is no run {name}; `dicomnode adapt history` lists them")
    found = {step: run.read(step) for step in (*STEPS, END) if run.has(step)}
    if "train" in found:
        found["train"] = {key: value for key, value in found["train"].items() if key not in LENGTHY}
    dossier = run.folder / "dossier.html"
    return {"run": name, "dossier": str(dossier) if dossier.exists() else "", **found}
