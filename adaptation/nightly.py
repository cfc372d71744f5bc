"""One night of adaptation as short steps, each done once: plan, learn, judge, keep, tell; a kill costs no step."""

from collections.abc import Callable
from dataclasses import dataclass

from adaptation.errors import AdaptationError, Paused
from adaptation.night import Night
from adaptation.night_judging import (
    forget_old_scores,
    keep_dossier,
    keep_integrity,
    keep_scores,
    keep_verdict,
    keep_version,
)
from adaptation.night_learning import keep_features, keep_pace, keep_training, takes_a_look
from adaptation.night_plan import keep_plan
from adaptation.night_shadow import judge_shadow
from adaptation.runs import END, PLAN
from segmentation.errors import SegmentationError

STEPS: tuple[tuple[str, Callable[[Night], None]], ...] = (
    ("shadow", judge_shadow),
    (PLAN, keep_plan),
    ("features", keep_features),
    ("pace", keep_pace),
    ("train", keep_training),
    ("scores", keep_scores),
    ("integrity", keep_integrity),
    ("judge", keep_verdict),
    ("register", keep_version),
    ("report", keep_dossier),
)
TRAINING = "train"  # the step that several processes may share


@dataclass(frozen=True)
class Progress:
    """What one turn came to.

    Args:
        step: that was looked at; empty where the run had ended before.
        is_paused: whether it gave way to clinical work before it was done.
        is_ended: whether nothing is left to do.
    """

    step: str
    is_paused: bool
    is_ended: bool


def next_step(night: Night) -> str | None:
    """Return the step that is done next; None where the run has ended."""
    if night.run.is_ended:
        return None
    return next((name for name, _ in STEPS if not night.run.has(name)), END)


def advance(night: Night) -> Progress:
    """Do the next step of a run.

    What cannot be done ends the run, with the reason: the next night begins anew.

    Raises:
        OSError: the disk refuses; the step can be done again.
    """
    step = next_step(night)
    if step is None:
        return Progress("", is_paused=False, is_ended=True)
    if step == END:
        return end(night, "done", _outcome(night))
    try:
        dict(STEPS)[step](night)
    except Paused:
        return Progress(step, is_paused=True, is_ended=False)
    except (AdaptationError, SegmentationError) as error:
        if not night.team.leads:
            raise
        return end(night, "stopped", f"{step}: {error}", step)
    return _early_end(night, step) or Progress(step, is_paused=False, is_ended=False)


def _early_end(night: Night, step: str) -> Progress | None:
    """End the run behind a step that calls for that; None where it goes on."""
    if step == PLAN and not night.run.plan().starts:
        return end(night, "did not start", "; ".join(night.run.plan().reasons), step)
    if step == TRAINING and night.team.leads and not takes_a_look(night):
        return end(night, "done", "no better on the tuning cases than the model in service: no look was taken", step)
    return None


def end(night: Night, outcome: str, text: str, step: str = END) -> Progress:
    """End the run, and delete what is only needed until then; one that was ended from outside stays as it is."""
    if not night.run.is_ended:  # a patient was forgotten meanwhile, whom an error may name
        night.run.keep(END, {"at": night.clock().isoformat(), "outcome": outcome, "text": text})
    night.run.clear_work()
    forget_old_scores(night)
    return Progress(step, is_paused=False, is_ended=True)


def _outcome(night: Night) -> str:
    verdict = night.run.read("judge")
    registered = night.run.read("register")
    return f"{verdict['outcome']}; {registered['what']}"
