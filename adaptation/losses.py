"""The loss: Dice over the batch and cross-entropy, where organs that nobody drew do not count (pure).

Milletari 2016 for the soft Dice, over the batch as nnU-Net (Isensee 2021) has it: a Dice of single slices is
unstable where the organ is not in the slice. The sum of both losses was among the most robust of 20 (Ma 2021).
"""

from torch import Tensor
from torch.nn import functional

SMOOTH = 1e-5  # keeps 0 / 0 away; small, so that an organ that is nowhere in the batch is not rewarded


def dice_and_cross_entropy(logits: Tensor, masks: Tensor, was_drawn: Tensor, *, foreground: float = 0.0) -> Tensor:
    """Return the loss of a batch, one number.

    Args:
        logits: (B, organs, H, W).
        masks: float, the same shape, 0 or 1.
        was_drawn: float, (B, organs), 1 where somebody drew the organ in that slice or would have.
        foreground: weight of the cross-entropy within each organ, averaged over it alone. A lens is a dozen voxels
            in fifty thousand: once the network says nothing there, neither Dice nor the mean over all voxels has a
            gradient that would bring it back.
    """
    counts = was_drawn[:, :, None, None]
    logits = logits.float()
    probabilities = logits.sigmoid() * counts
    masks = masks * counts
    overlap = (probabilities * masks).sum(dim=(0, 2, 3))
    total = probabilities.sum(dim=(0, 2, 3)) + masks.sum(dim=(0, 2, 3))
    present = (masks.sum(dim=(0, 2, 3)) > 0).float()
    # An organ that is in no slice of the batch has no Dice; the cross-entropy still says that it is not there.
    dice = (2 * overlap + SMOOTH) / (total + SMOOTH)
    dice_loss = ((1 - dice) * present).sum() / present.sum().clamp(min=1)
    entropy = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none") * counts
    everywhere = entropy.sum() / (counts.sum() * logits.shape[2] * logits.shape[3]).clamp(min=1)
    within = (entropy * masks).sum(dim=(0, 2, 3)) / masks.sum(dim=(0, 2, 3)).clamp(min=1)
    return dice_loss + everywhere + foreground * within.sum() / present.sum().clamp(min=1)
