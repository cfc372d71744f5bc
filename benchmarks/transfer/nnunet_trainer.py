"""nnU-Net's trainer, but for its clock, its numbers and its mirroring; imported where nnU-Net is installed.

Mirroring is off, by the trainer that nnU-Net has for that: in a mirrored slice nobody can tell left from right, and two
of the five organs have a side.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoMirroring import nnUNetTrainerNoMirroring
from torch.nn.utils import convert_conv2d_weight_memory_format

from benchmarks.transfer.learn import Progress

STEEPNESS = 0.9  # of the learning rate's fall, and ...
MAX_NORM = 12.0  # ... the norm to which gradients are clipped, both nnU-Net's
REPORTED = 50  # steps


class TimedTrainer(nnUNetTrainerNoMirroring):
    """Trains as long as it is given, and looks at no case on the way."""

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, None]:
        """Return nnU-Net's optimiser; its schedule counts epochs, and does not run with torch 2.13."""
        optimizer = torch.optim.SGD(
            self.network.parameters(), self.initial_lr, weight_decay=self.weight_decay, momentum=0.99, nesterov=True
        )
        return optimizer, None

    def train_for(self, budget: float, progress: Progress, say: Callable[[str], None]) -> None:
        """Train for a processor time, in seconds; the learning rate falls to nothing in it, by nnU-Net's polynomial."""
        self.on_train_start()
        convert_conv2d_weight_memory_format(self.network, torch.channels_last)
        self.network.train()
        started, losses = time.process_time(), []
        while progress.cpu_seconds < budget:
            for group in self.optimizer.param_groups:
                group["lr"] = self.initial_lr * (1 - progress.cpu_seconds / budget) ** STEEPNESS
            losses.append(self.train_step(next(self.dataloader_train))["loss"])
            progress.steps += 1
            progress.cpu_seconds = time.process_time() - started
            if progress.steps % REPORTED == 0:
                say(f"step {progress.steps}, {progress.cpu_seconds:.0f} CPU s, loss {np.mean(losses[-REPORTED:]):.3f}")
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
