"""nnU-Net's trainer, but for its clock, its numbers and its mirroring; imported where nnU-Net is installed.

Mirroring is off, by the trainer that nnU-Net has for that: in a mirrored slice nobody can tell left from right, and two
of the five organs have a side.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoMirroring import nnUNetTrainerNoMirroring
from torch.nn.utils import convert_conv2d_weight_memory_format

from benchmarks.transfer.learn import Progress

STEEPNESS = 0.9  # of the learning rate's fall, and ...
MAX_NORM = 12.0  # ... the norm to which gradients are clipped, both nnU-Net's
KEPT = 50  # steps between checkpoints


class TimedTrainer(nnUNetTrainerNoMirroring):
    """Trains as long as it is given, and looks at no case on the way."""

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, None]:
        """Return nnU-Net's optimiser; its schedule counts epochs, and does not run with torch 2.13."""
        optimizer = torch.optim.SGD(
            self.network.parameters(), self.initial_lr, weight_decay=self.weight_decay, momentum=0.99, nesterov=True
        )
        return optimizer, None

    def is_trained(self) -> bool:
        """Whether a training has ended; its weights are taken then."""
        final = Path(self.output_folder) / "checkpoint_final.pth"
        if final.exists():
            self.load(final)
        return final.exists()

    def load(self, path: Path) -> None:
        """Take what nnU-Net wrote to a file, more than tensors; its own loader fails with torch 2.13."""
        checkpoint = torch.load(path, map_location="cpu", weights_only=False)  # nobody but this benchmark wrote it
        self.network.load_state_dict(checkpoint["network_weights"])
        self.optimizer.load_state_dict(checkpoint["optimizer_state"])

    def train_for(self, budget: float, progress: Progress, say: Callable[[str], None]) -> None:
        """Train for a processor time, in seconds; the learning rate falls to nothing in it, by nnU-Net's polynomial.

        Args:
            budget: the time, with what was used before the training was stopped.
            progress: what was used; kept with each checkpoint.
            say: told what happens.
        """
        self.on_train_start()
        convert_conv2d_weight_memory_format(self.network, torch.channels_last)
        latest = Path(self.output_folder) / "checkpoint_latest.pth"
        if latest.exists():
            self.load(latest)
        self.network.train()
        started, losses = time.process_time() - progress.cpu_seconds, []
        while progress.cpu_seconds < budget:
            for group in self.optimizer.param_groups:
                group["lr"] = self.initial_lr * (1 - progress.cpu_seconds / budget) ** STEEPNESS
            losses.append(self.train_step(next(self.dataloader_train))["loss"])
            progress.steps += 1
            progress.cpu_seconds = time.process_time() - started
            if progress.steps % KEPT == 0:
                say(f"step {progress.steps}, {progress.cpu_seconds:.0f} CPU s, loss {np.mean(losses[-KEPT:]):.3f}")
                self.save_checkpoint(str(latest))
                progress.keep()
        progress.keep()
        self.on_train_end()

    def train_step(self, batch: Mapping[str, Any]) -> dict[str, float]:
        """Learn from a batch as nnU-Net does on a GPU, in bfloat16 where that has float16."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = self.network(batch["data"])
        loss = self.loss([output.float() for output in outputs], batch["target"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAX_NORM)
        self.optimizer.step()
        return {"loss": float(loss.detach())}
