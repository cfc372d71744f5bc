"""How to train, as numbers, and what of a network changes and how fast (pure)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from adaptation.errors import TrainingError
from segmentation.network.places import HEAD, place_of

SPIKE_BLOCKS = 50  # with whose median the newest block of losses is compared


@dataclass(frozen=True)
class Training:
    """How to train.

    Args:
        steps: to take, from the first; a resumed training goes on to the same number.
        learning_rate: at its highest; rises over `warm_up` steps and falls to nothing.
        trained: places whose weights change; the others are frozen.
        seed: of the first weights and the samples.
        optimiser: AdamW (Loshchilov 2019), or SGD with momentum.
        momentum: of SGD.
        weight_decay: of either.
        schedule: how the rate falls: as a cosine, or as (1 - step / steps) ^ `power` (Caffe's "poly").
        power: of the schedule `poly`.
        warm_up: steps.
        head_factor: the head's learning rate over the trunk's.
        towards_start: how strongly trained weights of the trunk are drawn to those that they began with (L2-SP, Li
            2018), relative to the learning rate; 0 for a trunk that began at random.
        loss: Dice and cross-entropy, or cross-entropy alone.
        foreground: weight of the cross-entropy within each organ; see the loss.
        precision: of the network's arithmetic; weights and losses are always float32.
        average: of the moving average of the weights, which is what comes out; 0 for the weights themselves.
        blend: share of the way from the weights that it began with to those learnt at which what comes out lies
            (WiSE-FT, Wortsman 2022); 1 for the learnt weights themselves.
        max_grad_norm: gradients are shortened to it.
        spike: a mean loss over `spike_steps` that is so many times the median of those before stops the training.
        spike_steps: of which the mean is taken; a single loss of a batch of one slice says little.
        frozen_statistics: whether batch norm keeps the statistics that it came with, as in adaptation.
        checkpoint_every: steps.
        tune_every: steps between looks at the tuning cases.
        patience: so many looks without a better Dice stop the training; 0 for never.
    """

    steps: int
    learning_rate: float
    trained: frozenset[str]
    seed: int
    optimiser: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: Literal["cosine", "poly"] = "cosine"
    power: float = 0.9
    warm_up: int = 100
    head_factor: float = 1.0
    towards_start: float = 0.0
    loss: Literal["dice and cross-entropy", "cross-entropy"] = "dice and cross-entropy"
    foreground: float = 0.0
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    average: float = 0.998
    blend: float = 1.0
    max_grad_norm: float = 12.0
    spike: float = 5.0
    spike_steps: int = 1
    frozen_statistics: bool = False
    checkpoint_every: int = 200
    tune_every: int = 200
    patience: int = 0


def lock(network: nn.Module, training: Training) -> None:
    """Freeze what is not trained, and batch norm's statistics where they are to be kept or their place is frozen."""
    network.train()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(place_of(name) in training.trained)
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(not training.frozen_statistics and place_of(f"{name}.weight") in training.trained)


def optimiser_of(network: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Return the optimiser of what is trained: a group for the trunk and one for the head, each with its `factor`."""
    chosen = [(place_of(name) == HEAD, p) for name, p in network.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for is_head, p in chosen if is_head is of_head], "factor": factor}
        for of_head, factor in ((False, 1.0), (True, training.head_factor))
    ]
    groups = [group for group in groups if group["params"]]
    if training.optimiser == "sgd":
        return torch.optim.SGD(
            groups, lr=training.learning_rate, momentum=training.momentum, weight_decay=training.weight_decay
        )
    return torch.optim.AdamW(groups, lr=training.learning_rate, weight_decay=training.weight_decay)


def set_rate(optimiser: torch.optim.Optimizer, step: int, training: Training) -> None:
    """Set the learning rates of a step."""
    for group in optimiser.param_groups:
        group["lr"] = training.learning_rate * group["factor"] * rate_at(step, training)


def rate_at(step: int, training: Training) -> float:
    """Return the learning rate of a step, from 1, as a share of the highest."""
    rising = min(1.0, step / max(1, training.warm_up))
    gone = (step - 1) / training.steps
    return rising * (
        (1 - gone) ** training.power if training.schedule == "poly" else 0.5 * (1 + math.cos(math.pi * gone))
    )


def refuse_spike(losses: Sequence[float], training: Training) -> None:
    """Stop a training whose loss is no number or has jumped.

    Args:
        losses: of every step so far.
        training: that they are of.

    Raises:
        TrainingError: with the reason and the step.
    """
    step = len(losses)
    if not math.isfinite(losses[-1]):
        raise TrainingError(f"the loss is {losses[-1]} at step {step}")
    length = training.spike_steps
    if step < (SPIKE_BLOCKS + 1) * length:
        return
    blocks = np.reshape(losses[-(SPIKE_BLOCKS + 1) * length :], (-1, length)).mean(axis=1)
    usual = float(np.median(blocks[:-1]))
    if blocks[-1] > training.spike * usual:
        raise TrainingError(f"the loss jumped to {blocks[-1]:.3f} at step {step}; it was {usual:.3f}")
