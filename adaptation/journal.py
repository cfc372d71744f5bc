"""What a training says of itself: a log of JSON lines, and its curves, in its folder of work."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.curves import write_curves
from adaptation.history import mean_of
from adaptation.state import State

LOG = "log.jsonl"
EVERY = 50  # steps between lines


@dataclass(frozen=True)
class Journal:
    """Writes `log.jsonl`, which is only ever added to, and `curves.csv` and `curves.png`.

    Args:
        folder: of work.
        organs: of the network.
        clock: seconds.
    """

    folder: Path
    organs: Sequence[str]
    clock: Callable[[], float] = time.monotonic

    def note(self, event: str, **values: Any) -> None:
        """Add a line; no value is a patient's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "at_s": round(self.clock(), 1), **values}) + "\n")

    def __call__(self, state: State) -> None:
        """Note a step, where it is worth it."""
        step, history = state.step, state.history
        if step % EVERY == 0:
            rate = state.optimiser.param_groups[0]["lr"]
            self.note("step", step=step, loss=round(float(np.mean(history.losses[-EVERY:])), 6), learning_rate=rate)
        if step in history.tuning:
            dice = history.tuning[step]
            self.note(
                "tuning cases",
                step=step,
                mean_dsc=round(mean_of(dice), 4),
                dsc={organ: round(value, 4) for organ, value in dice.items()},
                is_best=history.best_step == step,
            )
            write_curves(history, self.organs, self.folder)
