"""A night's run put together from the configuration: for the child process, and for a command of the operator's."""

import hashlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from adaptation.data_folder import find_cases
from adaptation.dossier import Limits
from adaptation.labelled_ct import Case
from adaptation.learnt_from import read_learnt_from
from adaptation.night import Night
from adaptation.nightly import TRAINING, Progress, advance, next_step
from adaptation.team import ALONE, Team
from dicomnode import __version__
from dicomnode.config import Configuration
from dicomnode.models import models_of
from dicomnode.node import case_store
from dicomnode.swapping import objection
from segmentation.golden import golden_volume

ROOMS = ("adaptation", "segmentation")


@dataclass(frozen=True)
class Asked:
    """What somebody, or the schedule, asks for.

    Args:
        run: name of the run.
        by: the person; empty for the schedule.
        force: whether what only has to be waited for is not waited for.
    """

    run: str
    by: str = ""
    force: bool = False


def build_night(
    configuration: Configuration,
    asked: Asked,
    *,
    must_pause: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Night:
    """Return a run on the node's data folder.

    Raises:
        NodeError: there is no such model.
        BundleError: its base does not verify.
        CaseError: there are no cases of the source where the configuration names them.
    """
    nights, data_dir = configuration.nights, configuration.node.data_dir
    models = models_of(configuration)
    base = models.base(nights.model).folder
    return Night(
        root=data_dir / "adaptation",
        name=asked.run,
        store=case_store(configuration),
        registry=models.registry,
        model=nights.model,
        base=base,
        settings=nights.training,
        limits=Limits(parts=configuration.adaptation.parts, run=nights.run, looks=nights.looks, gate=nights.gate),
        clock=clock,
        seconds=time.monotonic,
        source=source_cases(nights.source_dir, base),
        device=configuration.contouring.device,
        engine=configuration.contouring.engine,
        by=asked.by,
        force=asked.force,
        promotes=nights.auto_promote,
        objection=partial(objection, configuration),
        must_pause=must_pause,
        team=team,
        software=software(),
        golden=golden_volume,
    )


def source_cases(folder: Path | None, base: Path) -> tuple[Case, ...]:
    """Return the cases of the source in an order that nobody chose, and that stays when others come.

    Those that the base has not learnt from come first: on them it is seen what is forgotten.

    Raises:
        CaseError: there are none in the folder.
    """
    cases = find_cases(folder).cases if folder else ()
    known = read_learnt_from(base)
    return tuple(sorted(cases, key=lambda case: (case.name in known, hashlib.sha256(case.name.encode()).digest())))


def software() -> dict[str, str]:
    """Return what runs: versions, and a digest of the code that trains and judges."""
    digest = hashlib.sha256()
    here = Path(__file__).parents[1]
    for path in sorted(path for room in ROOMS for path in (here / room).rglob("*.py")):
        digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes())
    return {
        "dicomnode": __version__,
        "code": digest.hexdigest(),
        "torch": torch.__version__,
        "python": sys.version.partition(" ")[0],
        "processors": str(os.cpu_count()),
    }


def take_turn(night: Night, *, alone: bool = True) -> Progress:
    """Do steps of a run until it has ended, is asked to give way, or comes to or from a step for several processes.

    Args:
        night: the run.
        alone: whether this process does every step.
    """
    progress = advance(night)
    while not (progress.is_ended or progress.is_paused):
        if not alone and (TRAINING in {progress.step, next_step(night)}):
            break
        if night.must_pause():
            break
        progress = advance(night)
    return progress
