"""One loop, for a source model and for adaptation: what is re-trained is given, by place."""

import math
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from adaptation.errors import TrainingError
from adaptation.losses import dice_and_cross_entropy
from adaptation.samples import Batch
from segmentation.bundle import Preprocessing
from segmentation.network.places import place_of
from segmentation.network.segmenter import Segmenter

SPIKE_WINDOW = 50  # steps whose median a loss is compared with


@dataclass(frozen=True)
class Training:
    """How to train.

    Args:
        steps: to take, from the first; a resumed training goes on to the same number.
        learning_rate: at its highest; rises over `warm_up` steps and falls to nothing as a cosine.
        weight_decay: AdamW's (Loshchilov 2019).
        warm_up: steps.
        average: of the moving average of the weights, which is what comes out.
        max_grad_norm: gradients are shortened to it.
        foreground: weight of the cross-entropy within each organ; see the loss.
        spike: a loss so many times the median of the last steps stops the training.
        trained: places whose weights change; the others are frozen.
        frozen_statistics: whether batch norm keeps the statistics that it came with, as in adaptation.
        seed: of the samples.
        checkpoint_every: steps.
    """

    steps: int
    learning_rate: float
    trained: frozenset[str]
    seed: int
    weight_decay: float = 1e-2
    warm_up: int = 100
    average: float = 0.998
    max_grad_norm: float = 12.0
    foreground: float = 0.0
    spike: float = 5.0
    frozen_statistics: bool = False
    checkpoint_every: int = 200


@dataclass(frozen=True)
class Progress:
    """Where a training is.

    Args:
        step: that was taken last, from 1.
        steps: to take.
        loss: of that step.
    """

    step: int
    steps: int
    loss: float


def train(
    network: Segmenter,
    batch_of: Callable[[int], Batch],
    preprocessing: Preprocessing,
    training: Training,
    *,
    checkpoint: Path | None = None,
    report: Callable[[Progress, dict[str, Tensor]], None] = lambda _progress, _average: None,
) -> dict[str, Tensor]:
    """Train `network` in place and return the moving average of its weights, which is the better model.

    Args:
        network: on the device that trains.
        batch_of: the batch of a step; the same whenever it is asked for.
        preprocessing: whose map from HU is applied.
        training: how.
        checkpoint: file that is written now and then, and gone on from where it exists.
        report: told after every step; the average must be copied to be kept.

    Raises:
        TrainingError: where the loss is no number or jumps, with the step.
    """
    lock(network, training)
    optimiser = torch.optim.AdamW(
        [p for p in network.parameters() if p.requires_grad],
        lr=training.learning_rate,
        weight_decay=training.weight_decay,
    )
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    device = next(network.parameters()).device
    # The map from HU is piecewise linear: a batch goes through it on the device.
    knots = torch.tensor(preprocessing.hu_knots, device=device)
    done = resume(checkpoint, network, optimiser, average) if checkpoint and checkpoint.exists() else 0
    recent: deque[float] = deque(maxlen=SPIKE_WINDOW)
    for step in range(done + 1, training.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = training.learning_rate * rate_at(step, training)
        batch = batch_of(step)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = network(seen(batch.slices.to(device), knots))
        masks, was_drawn = batch.masks.to(device), batch.was_drawn.to(device)
        loss = dice_and_cross_entropy(logits, masks, was_drawn, foreground=training.foreground)
        refuse_spike(float(loss.detach()), recent, step, training.spike)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), training.max_grad_norm)
        optimiser.step()
        follow(average, network, min(training.average, (1 + step) / (10 + step)))
        if checkpoint and (step % training.checkpoint_every == 0 or step == training.steps):
            keep(checkpoint, step, network, optimiser, average)
        report(Progress(step, training.steps, float(loss.detach())), average)
    return average


def lock(network: Segmenter, training: Training) -> None:
    """Freeze what is not trained, and batch norm's statistics where they are to be kept or their place is frozen."""
    network.train()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(place_of(name) in training.trained)
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(not training.frozen_statistics and place_of(f"{name}.weight") in training.trained)


def rate_at(step: int, training: Training) -> float:
    """Return the learning rate of a step, as a share of the highest."""
    rising = min(1.0, step / max(1, training.warm_up))
    return rising * 0.5 * (1 + math.cos(math.pi * (step - 1) / training.steps))


def seen(hu: Tensor, knots: Tensor) -> Tensor:
    """Return HU as the network sees them, as `preprocess.to_values` does, on tensors."""
    place = torch.searchsorted(knots[:, 0].contiguous(), hu.contiguous()).clamp(1, len(knots) - 1)
    low, high = knots[place - 1], knots[place]
    share = ((hu - low[..., 0]) / (high[..., 0] - low[..., 0])).clamp(0, 1)
    return low[..., 1] + share * (high[..., 1] - low[..., 1])


def refuse_spike(loss: float, recent: deque[float], step: int, factor: float) -> None:
    """Stop a training whose loss is no number or has jumped, and remember the loss otherwise.

    Raises:
        TrainingError: with the reason and the step.
    """
    if not math.isfinite(loss):
        raise TrainingError(f"the loss is {loss} at step {step}")
    if len(recent) == SPIKE_WINDOW and loss > factor * sorted(recent)[SPIKE_WINDOW // 2]:
        raise TrainingError(f"the loss jumped to {loss:.3f} at step {step}")
    recent.append(loss)


@torch.no_grad()
def follow(average: dict[str, Tensor], network: nn.Module, keep: float) -> None:
    """Move the average towards the network's weights and statistics; whole numbers are taken over."""
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - keep)
        else:
            average[name].copy_(value)


def keep(
    path: Path, step: int, network: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, Tensor]
) -> None:
    """Write all that a training needs to go on; the file appears whole or not at all."""
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        torch.save(
            {
                "step": step,
                "network": network.state_dict(),
                "optimiser": optimiser.state_dict(),
                "average": average,
            },
            file,
        )
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def resume(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, Tensor]) -> int:
    """Put a training back to where its checkpoint was written, and return the step."""
    kept = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(kept["network"])
    optimiser.load_state_dict(kept["optimiser"])
    for name, value in kept["average"].items():
        average[name].copy_(value)
    return int(kept["step"])
