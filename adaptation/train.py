"""One loop, for a source model and for adaptation: what is re-trained is given, by place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from adaptation.errors import Paused
from adaptation.history import Dice
from adaptation.lesson import Lesson
from adaptation.losses import cross_entropy, dice_and_cross_entropy
from adaptation.state import State, Weights, copied
from adaptation.team import ALONE, Team
from adaptation.training import Training, lock, optimiser_of, refuse_spike, set_rate
from segmentation.bundle import Preprocessing
from segmentation.network.places import HEAD, place_of
from segmentation.network.segmenter import Segmenter

Tune = Callable[[Mapping[str, Tensor]], Dice]


@dataclass(frozen=True)
class Checkpoint:
    """Where a training is kept now and then, and gone on from if the file is there.

    Args:
        path: the file.
        training: what names the training; a checkpoint of another one is refused.
        must_pause: asked after every step; then the training is kept, whatever the step, and gives way.
        must_end: likewise; then the step is taken for the last one, as where the time is up.
    """

    path: Path
    training: str = ""
    must_pause: Callable[[], bool] = lambda: False
    must_end: Callable[[], bool] = lambda: False


def train(
    network: Segmenter,
    batch_of: Callable[[int], Lesson],
    preprocessing: Preprocessing,
    training: Training,
    *,
    through: nn.Module | None = None,
    checkpoint: Checkpoint | None = None,
    tune: Tune | None = None,
    team: Team = ALONE,
    report: Callable[[State], None] = lambda _state: None,
) -> Weights:
    """Train `network` in place and return the moving average of its weights, blended with those that it began with.

    Args:
        network: on the device that trains, with the weights to begin with.
        batch_of: the batch of a step; the same whenever it is asked for.
        preprocessing: whose map from HU is applied.
        training: how.
        through: what makes logits of a batch's inputs with the network's weights; None: the network itself.
        checkpoint: where to.
        tune: how well weights that would come out do on cases that are not learnt from; the best do. None: the last.
        team: of processes that share each batch.
        report: told after every step, and after a resumed training is where it was.

    Raises:
        TrainingError: where the loss is no number or jumps, with the step; where a checkpoint does not fit.
        Paused: where the checkpoint says that it must give way; called again, it goes on.
    """
    lock(network, training)
    state = State.at_first(network, optimiser_of(network, training))
    start = copied(network.state_dict())
    blended = partial(blend, start, share=training.blend)
    device = next(network.parameters()).device
    knots = torch.tensor(preprocessing.hu_knots, device=device)
    if checkpoint and checkpoint.path.exists():
        state.resume(checkpoint.path, checkpoint.training)
        report(state)
    compute, loss_of = team.shared(through or network), loss_in(training, team)
    while state.step < training.steps and not is_stale(state, training):
        step = state.step + 1
        set_rate(state.optimiser, step, training)
        batch = team.part_of(batch_of(step)).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=training.precision == "bfloat16"):
            logits = compute(*batch.inputs(knots))
        loss = loss_of(logits, batch.drawn)
        state.history.losses.append(float(loss.detach()))
        refuse_spike(state.history.losses, training)
        state.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), training.max_grad_norm)
        state.optimiser.step()
        pull_back(network, start, state.optimiser.param_groups[0]["lr"] * training.towards_start)
        state.follow(min(training.average, (1 + step) / (10 + step)))
        is_last = step == training.steps or (checkpoint is not None and team.told(checkpoint.must_end))
        if tune and (step % training.tune_every == 0 or is_last):
            state.note_tuning(team.told(partial(tune, blended(state.average))))
        is_last = is_last or is_stale(state, training)
        pauses = checkpoint is not None and not is_last and team.told(checkpoint.must_pause)
        if checkpoint and team.leads and (step % training.checkpoint_every == 0 or is_last or pauses):
            state.keep(checkpoint.path, checkpoint.training)
        report(state)
        if is_last:
            break
        if pauses:
            raise Paused(f"the training gave way after step {step} of {training.steps}")
    return blended(state.result)


def is_stale(state: State, training: Training) -> bool:
    """Whether the tuning cases have not been done better for so long that it is time to stop."""
    return 0 < training.patience <= state.history.looks_since_best


def loss_in(training: Training, team: Team) -> Callable[..., Tensor]:
    """Return the loss of logits and what was drawn."""
    if training.loss == "cross-entropy":
        return partial(cross_entropy, summed=team.summed)
    return partial(dice_and_cross_entropy, foreground=training.foreground, summed=team.summed)


@torch.no_grad()
def blend(start: Mapping[str, Tensor], learnt: Mapping[str, Tensor], share: float) -> Weights:
    """Return the weights at a share of the way from the first ones to the learnt ones; whole numbers are the learnt."""
    return {
        name: torch.lerp(start[name], value, share) if value.is_floating_point() and share < 1 else value
        for name, value in learnt.items()
    }


@torch.no_grad()
def pull_back(network: nn.Module, start: Mapping[str, Tensor], share: float) -> None:
    """Move the trained weights of the trunk a share of the way back to where they began (L2-SP), in place."""
    if share:
        for name, weight in network.named_parameters():
            if weight.requires_grad and place_of(name) != HEAD:
                weight.lerp_(start[name], share)
