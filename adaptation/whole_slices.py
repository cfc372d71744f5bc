"""Slices as section 2.3 of the paper has them: scaled, turned, cropped at random, whatever is drawn on them.

Chen et al., Frontiers in Physics 11:1147900 (2023): scaled by .5, .75, 1, 1.25 or 1.5, then turned by up to 10 degrees,
then cropped to 417 x 417. A slice that is smaller than the crop after scaling is padded with air, and what was padded
does not count in the loss.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from adaptation.losses import Drawn
from adaptation.samples import Batch, Prepared
from segmentation.preprocess import AIR_HU, with_context


@dataclass(frozen=True)
class WholeSlices:
    """How slices are drawn and varied.

    Args:
        crop: rows and columns of a sample.
        slices: in a batch.
        scales: one of which magnifies a slice.
        degrees: of rotation, either way.
    """

    crop: int = 417
    slices: int = 1
    scales: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25, 1.5)
    degrees: float = 10.0


class SliceSampler:
    """Draws batches of slices, each as likely as any other."""

    def __init__(
        self, cases: Sequence[Prepared], organs: Sequence[str], context: Sequence[int], settings: WholeSlices
    ) -> None:
        self.cases = cases
        self.organs = tuple(organs)
        self.context = tuple(context)
        self.settings = settings
        self.ends = np.cumsum([len(case.hu) for case in cases])

    def batch(self, seed: int, number: int) -> Batch:
        """Return the batch of a number, the same whenever it is asked for."""
        rng = np.random.default_rng((seed, number))
        drawn = [self._draw(rng) for _ in range(self.settings.slices)]
        planes = torch.cat([planes for planes, _ in drawn])
        slices, inside, masks = torch.split(planes, [len(self.context), 1, len(self.organs)], dim=1)
        was_drawn = torch.from_numpy(np.stack([each for _, each in drawn]))
        return Batch(slices + AIR_HU, Drawn((masks >= 0.5).float(), was_drawn, (inside >= 0.5).float()))

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.float32]]:
        """Return one slice with its context, where it is, and its masks, (1, planes, crop, crop); and what counts.

        HU are counted from air, so that what is padded with 0 is air.
        """
        place = int(rng.integers(self.ends[-1]))
        number = int(np.searchsorted(self.ends, place, side="right"))
        case = self.cases[number]
        index = place - (int(self.ends[number]) - len(case.hu))
        hu = torch.from_numpy(with_context(case.hu, [index], self.context)[0].astype(np.float32)) - AIR_HU
        bits = torch.from_numpy(case.labels[index].astype(np.int32))
        masks = (bits[None] >> torch.arange(len(self.organs))[:, None, None] & 1).float()
        planes = torch.cat([hu, torch.ones_like(hu[:1]), masks])[None]
        scale = float(rng.choice(self.settings.scales))
        angle = math.radians(float(rng.uniform(-1, 1)) * self.settings.degrees)
        return cropped(planes, scale, angle, rng.random(2), self.settings.crop), case.counts(index)


def cropped(
    planes: Tensor, scale: float, angle: float, place: np.ndarray[tuple[int], np.dtype[np.float64]], crop: int
) -> Tensor:
    """Return planes magnified, turned about their middle and cropped; 0 where they end.

    Args:
        planes: (1, planes, rows, columns).
        scale: magnification.
        angle: radians.
        place: of the crop, row and column: 0 at one end of what it can reach, 1 at the other.
        crop: rows and columns of what comes out.
    """
    size = np.array(planes.shape[2:]) * scale
    # Of a slice smaller than the crop, too, the crop's middle stays where the whole slice is seen.
    row, column = (place - 0.5) * np.abs(size - crop)
    steps = torch.arange(crop, dtype=torch.float32) - (crop - 1) / 2
    down, across = torch.meshgrid(steps + float(row), steps + float(column), indexing="ij")
    turned = torch.stack(
        [
            (across * math.cos(angle) - down * math.sin(angle)) / float(size[1]),
            (across * math.sin(angle) + down * math.cos(angle)) / float(size[0]),
        ],
        dim=-1,
    )
    return functional.grid_sample(planes, 2 * turned[None], align_corners=False)
