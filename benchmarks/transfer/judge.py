"""A network on cases that it has not learnt from: Dice by case and organ, on the CT's own grid, by the node's way."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from adaptation.build import describe
from adaptation.labelled_ct import Case, LabelledCt
from adaptation.metrics import dice
from adaptation.recipes import Recipe
from benchmarks.transfer.unet import CELL, Peer
from segmentation.organ_mask import OrganMask
from segmentation.predict import Predictor

Dices = dict[str, dict[str, float]]


class InShort(nn.Module):
    """A network that computes in bfloat16, as it was trained; half the time, and no other masks to speak of."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, slices: Tensor) -> Tensor:
        """Return logits, (B, organs, H, W), float32."""
        with torch.autocast("cpu", torch.bfloat16):
            logits: Tensor = self.network(slices)
        return logits.float()


@dataclass(frozen=True)
class Judgement:
    """What a network reached.

    Args:
        dices: case to organ to Dice; 0 for what was drawn and not found.
        seconds: of process CPU, a slice, from HU to masks.
    """

    dices: Dices
    seconds: float


def predictor_with(network: nn.Module, recipe: Recipe) -> Predictor:
    """Return a predictor of a network that is no bundle yet."""
    if isinstance(network, Peer):
        # What the predictor asks of a variant: of which pixels a slice must be a multiple.
        recipe = replace(recipe, variant=recipe.variant.model_copy(update={"output_stride": CELL}))
    return Predictor(describe(recipe, 0, 0.0, ""), "", InShort(network), torch.device("cpu"))  # type: ignore[arg-type]


def judged(network: nn.Module, recipe: Recipe, cases: Sequence[Case]) -> Judgement:
    """Return what a network reaches on cases; an organ counts where it was drawn on slices that have CT."""
    predictor = predictor_with(network, recipe)
    dices: Dices = {}
    seconds, slices = 0.0, 0
    for case in cases:
        labelled = case.load()
        started = time.process_time()
        found = predictor.predict(labelled.volume).organs
        seconds += time.process_time() - started
        slices += labelled.volume.grid.shape[0]
        dices[case.name] = dices_of(found, labelled, recipe.organs)
    return Judgement(dices, seconds / max(1, slices))


def dices_of(found: Mapping[str, OrganMask], labelled: LabelledCt, organs: Sequence[str]) -> dict[str, float]:
    """Return the Dice of each organ that was drawn; 0 for what was not found."""
    return {
        organ: dice(found[organ].full(), mask) if organ in found else 0.0
        for organ, mask in labelled.masks.items()
        if organ in organs and mask.any()
    }
