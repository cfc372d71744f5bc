"""The losses: Dice over the batch and cross-entropy, where organs that nobody drew do not count (pure).

Milletari 2016 for the soft Dice, over the batch as nnU-Net (Isensee 2021) has it: a Dice of single slices is
unstable where the organ is not in the slice. The sum of both losses was among the most robust of 20 (Ma 2021). Both are
made of sums over the batch, which several processes can add up before the losses are taken: what they then learn from
is the loss of the whole batch.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, device, stack
from torch.nn import functional

SMOOTH = 1e-5  # keeps 0 / 0 away; small, so that an organ that is nowhere in the batch is not rewarded
Summed = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn in a batch, and where that counts.

    Args:
        masks: float, (B, organs, H, W), 0 or 1.
        was_drawn: float, (B, organs), 1 where somebody drew the organ in that slice or would have, 0 where nobody did,
            and between the two where what was drawn counts less.
        inside: float, (B, 1, H, W), 0 where there is no CT; None where there is CT everywhere.
    """

    masks: Tensor
    was_drawn: Tensor
    inside: Tensor | None = None

    def of(self, chosen: slice) -> "Drawn":
        """Return what was drawn in some of the slices."""
        inside = None if self.inside is None else self.inside[chosen]
        return Drawn(self.masks[chosen], self.was_drawn[chosen], inside)

    def to(self, device: device) -> "Drawn":
        """Return the same on a device."""
        inside = None if self.inside is None else self.inside.to(device)
        return Drawn(self.masks.to(device), self.was_drawn.to(device), inside)

    @property
    def counts(self) -> Tensor:
        """1 where the loss looks, a shape that spreads to the masks'."""
        drawn = self.was_drawn[:, :, None, None]
        return drawn if self.inside is None else drawn * self.inside


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over a batch, each (organs,): of probability, mask, their product, entropy, that within masks, and area."""

    said: Tensor
    drawn: Tensor
    both: Tensor
    entropy: Tensor
    entropy_within: Tensor
    area: Tensor


def dice_and_cross_entropy(
    logits: Tensor, drawn: Drawn, *, foreground: float = 0.0, summed: Summed = lambda sums: sums
) -> Tensor:
    """Return the sum of both losses of a batch, one number.

    Args:
        logits: (B, organs, H, W).
        drawn: what was drawn there.
        foreground: weight of the cross-entropy within each organ, averaged over it alone. A lens is a dozen voxels
            in fifty thousand: once the network says nothing there, neither Dice nor the mean over all voxels has a
            gradient that would bring it back.
        summed: adds up the sums of the processes that share the batch.
    """
    sums = _sums(logits, drawn, summed)
    present = (sums.drawn > 0).float()
    # An organ that is in no slice of the batch has no Dice; the cross-entropy still says that it is not there.
    dice = (2 * sums.both + SMOOTH) / (sums.said + sums.drawn + SMOOTH)
    dice_loss = ((1 - dice) * present).sum() / present.sum().clamp(min=1)
    within = (sums.entropy_within / sums.drawn.clamp(min=1)).sum() / present.sum().clamp(min=1)
    return dice_loss + _everywhere(sums) + foreground * within


def cross_entropy(logits: Tensor, drawn: Drawn, *, summed: Summed = lambda sums: sums) -> Tensor:
    """Return the mean cross-entropy of a batch over what counts, one number.

    One channel's logit is the difference of the two that a softmax of organ and background has: the same loss.
    """
    return _everywhere(_sums(logits, drawn, summed))


def _everywhere(sums: _Sums) -> Tensor:
    """Return the cross-entropy of all pixels that count."""
    return sums.entropy.sum() / sums.area.sum().clamp(min=1)


def _sums(logits: Tensor, drawn: Drawn, summed: Summed) -> _Sums:
    """Return the sums of a batch; computed in 32 bits, whatever the network computes in."""
    logits = logits.float()
    counts = drawn.counts.expand_as(logits)
    masks = drawn.masks * counts
    probabilities = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits, drawn.masks, reduction="none")
    maps = (probabilities * counts, masks, probabilities * masks, entropy * counts, entropy * masks, counts)
    return _Sums(*summed(stack([one.sum(dim=(0, 2, 3)) for one in maps])).unbind())
