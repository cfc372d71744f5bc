"""All that a training needs to go on where it was: weights, optimiser, average, best, history; kept on disk whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError  # only the name of what torch raises

import torch
from torch import Tensor, nn

from adaptation.errors import TrainingError
from adaptation.history import Dice, History
from segmentation.durable import written_whole

Weights = dict[str, Tensor]


@dataclass(eq=False)
class State:
    """A training at a step; the samples are functions of the step, so that there is no random state to keep.

    Args:
        network: that is trained.
        optimiser: of it.
        average: moving average of its weights.
        best: the average that did best on the tuning cases; None where nobody looked.
        history: how it got here.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    average: Weights
    best: Weights | None = None
    history: History = field(default_factory=History)

    @classmethod
    def at_first(cls, network: nn.Module, optimiser: torch.optim.Optimizer) -> "State":
        """Return the state before the first step."""
        return cls(network, optimiser, copied(network.state_dict()))

    @property
    def step(self) -> int:
        """The step that was taken last; 0 before the first."""
        return len(self.history.losses)

    @property
    def result(self) -> Weights:
        """What comes out of the training if it ends here."""
        return self.average if self.best is None else self.best

    @torch.no_grad()
    def follow(self, keep: float) -> None:
        """Move the average towards the network's weights and statistics; whole numbers are taken over."""
        for name, value in self.network.state_dict().items():
            if value.is_floating_point() and keep:
                self.average[name].lerp_(value, 1 - keep)
            else:
                self.average[name].copy_(value)

    def note_tuning(self, dice: Dice) -> None:
        """Remember how the average does on the tuning cases, and its weights if it never did better."""
        self.history.tuning[self.step] = dict(dice)
        if self.history.best_step == self.step:
            self.best = copied(self.average)

    def keep(self, path: Path, training: str) -> None:
        """Write the state; the file appears whole or not at all.

        Args:
            path: the checkpoint.
            training: what names the training that it belongs to.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            torch.save(
                {
                    "training": training,
                    "network": self.network.state_dict(),
                    "optimiser": self.optimiser.state_dict(),
                    "average": self.average,
                    "best": self.best,
                    "losses": self.history.losses,
                    "tuning": self.history.tuning,
                },
                file,
            )

    def resume(self, path: Path, training: str) -> None:
        """Go back to where a checkpoint was written.

        Raises:
            TrainingError: where it cannot be read, or is of another training.
        """
        try:
            kept = torch.load(path, map_location="cpu", weights_only=True)
        except (UnpicklingError, OSError, RuntimeError, EOFError) as error:
            raise TrainingError(f"the checkpoint {path.name} cannot be read: {error}") from error
        if kept.get("training") != training:
            raise TrainingError(
                f"the checkpoint {path.name} is of another training: other cases, network or settings; remove it, or "
                "choose another folder of work"
            )
        device = next(self.network.parameters()).device
        self.network.load_state_dict(kept["network"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.average = copied(kept["average"], device)
        self.best = copied(kept["best"], device) if kept["best"] is not None else None
        self.history = History(kept["losses"], kept["tuning"])


def copied(weights: Mapping[str, Tensor], device: torch.device | None = None) -> Weights:
    """Return weights that nobody else changes."""
    return {name: value.detach().clone().to(device or value.device) for name, value in weights.items()}
