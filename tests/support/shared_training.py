"""A training of a few steps that torchrun starts in one process or several: `-m tests.support.shared_training OUT`.

What the leading process has at the end, losses and weights, is written to OUT.
"""

import sys
from pathlib import Path

import torch

from adaptation.losses import Drawn
from adaptation.samples import Batch
from adaptation.state import State
from adaptation.team import team_of_torchrun
from adaptation.train import Checkpoint, train
from adaptation.training import Training
from segmentation.bundle import Preprocessing
from segmentation.network.beginning import new_segmenter
from segmentation.network.places import places
from tests.support.small_bundle import SMALL

TRAINING = Training(
    steps=5, learning_rate=1e-3, trained=frozenset(places(SMALL)), seed=1, warm_up=1, precision="float32",
    frozen_statistics=True, foreground=0.1, tune_every=2, checkpoint_every=5,
)  # fmt: skip


def batch_of(number: int) -> Batch:
    """Return slices of which the second half show other organs than the first, and of one nothing was drawn."""
    generator = torch.Generator().manual_seed(number)
    slices = torch.rand(5, 3, 16, 16, generator=generator) * 400 - 200
    masks = (slices[:, 1:2] > 0).float().repeat(1, 2, 1, 1)
    masks[::2, 0] = 0
    was_drawn = torch.ones(5, 2)
    was_drawn[3, 1] = 0
    return Batch(slices, Drawn(masks, was_drawn))


def main(out: Path) -> None:
    """Train, and write what came of it."""
    torch.set_num_threads(1)
    states: list[State] = []
    with team_of_torchrun(torch.device("cpu")) as team:
        weights = train(
            new_segmenter(SMALL, ("Brainstem", "SpinalCord"), 1),
            batch_of,
            Preprocessing(pixel_mm=4.0, slice_mm=3.0),
            TRAINING,
            checkpoint=Checkpoint(out.with_suffix(".checkpoint")),
            tune=lambda weights: {"Brainstem": float(weights["head.classify.bias"].abs().mean())},
            team=team,
            report=states.append,
        )
        if team.leads:
            history = states[-1].history
            said = {"size": team.size, "losses": history.losses, "tuning": history.tuning, "weights": weights}
            torch.save(said, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
