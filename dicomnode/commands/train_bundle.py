"""Rebuild a bundle that comes with the project, from its recipe and its data."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from adaptation.build import Workshop, build
from adaptation.labelled_ct import Case
from adaptation.openkbp import list_patients
from adaptation.phantoms import list_phantoms
from adaptation.recipes import DEMO, DEMO_SEEDS, STARTER, STARTER_GROUPS
from adaptation.state import State
from segmentation.bundle import Manifest, shipped_bundle


def train_bundle(
    name: Literal["starter", "demo"],
    *,
    data: Path | None = None,
    out: Path | None = None,
    work: Path,
    device: str = "auto",
    threads: int | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> Manifest:
    """Train one of the two bundles anew; a training that was interrupted goes on from its last checkpoint.

    Args:
        name: of the bundle.
        data: the folder of OpenKBP's arrays, with `source` and `other`; the demo makes its own phantoms.
        out: where the bundle is written; None for where it comes with the project.
        work: where the checkpoint is kept between two calls.
        device: `auto` for CUDA where there is one, or a name that torch knows.
        threads: that the processor may use; None for all.
        say: told what is happening, a line each time.

    Returns:
        The manifest, with what was measured on cases that the model has not seen.

    Raises:
        CaseError: where the data are not there.
        TrainingError: where the training cannot go on.
    """
    if threads:
        torch.set_num_threads(threads)
    chosen = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    recipe = {"starter": STARTER, "demo": DEMO}[name]
    cases = cases_of(name, data)
    shop = Workshop(work / name, chosen, f"dicomnode train-bundle {name}", say=say, watch=Spoken(say))
    return build(recipe, cases, out or shipped_bundle(name), shop)


def cases_of(name: Literal["starter", "demo"], data: Path | None) -> list[Case]:
    """Return all cases of one of the two bundles, those too that its training never sees.

    Raises:
        CaseError: where the data are not there.
    """
    return list_phantoms(DEMO_SEEDS) if name == "demo" else list_patients(data or Path(), STARTER_GROUPS)


class Spoken:
    """Says the mean loss now and then."""

    def __init__(self, say: Callable[[str], None], every: int = 50) -> None:
        self.say = say
        self.every = every

    def __call__(self, state: State, steps: int) -> None:
        """Look at one step."""
        if state.step % self.every == 0:
            loss = sum(state.history.losses[-self.every :]) / self.every
            self.say(f"step {state.step} of {steps}, loss {loss:.4f}")
