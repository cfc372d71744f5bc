"""The adapting process with deaths built in: before and behind the record of each step, and within the training.

Environment: STRUCK names a file that gets a line for each death, so that none comes twice.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adaptation.runs import Run
from adaptation.state import State
from dicomnode import adapting
from dicomnode.adapting_process import main
from tests.support.death import die
from tests.support.tiny import marked_phantom

STRUCK = Path(os.environ["STRUCK"])
IN_TRAINING = 7  # step of the training
kept, following = Run.keep, State.follow


def die_once(point: str) -> None:
    """Die at a point, the first time that it is come to."""
    before = STRUCK.read_text().splitlines() if STRUCK.exists() else []
    if point not in before:
        STRUCK.write_text("\n".join([*before, point]))
        die()


def keep(self: Run, step: str, values: Mapping[str, Any] | bytes) -> None:
    """Keep what a step came to, or die before or behind it."""
    die_once(f"{step}:before")
    kept(self, step, values)
    die_once(f"{step}:behind")


def follow(self: State, average: float) -> None:
    """Go on with the training, or die within it."""
    following(self, average)
    if self.step == IN_TRAINING:
        die_once("train:in")


def golden() -> Any:
    """Return a golden case of few voxels."""
    return marked_phantom(20).volume


if __name__ == "__main__":
    Run.keep = keep  # type: ignore[method-assign]
    State.follow = follow  # type: ignore[method-assign]
    adapting.golden_volume = golden  # type: ignore[attr-defined]
    main()
