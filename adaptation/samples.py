"""Slices to learn from: drawn so that every organ is seen, and varied as scanners and patients vary.

A batch is a function of the seed and its number, and of nothing else: a training that is resumed sees what it would
have seen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from adaptation.labelled_ct import LabelledCt, first_known
from adaptation.losses import Drawn
from segmentation.bundle import Preprocessing
from segmentation.preprocess import AIR_HU, NetworkGrid, body_box, with_context
from segmentation.structures import MIRRORED

NEAR_SHARE = 0.6  # of the slices that are chosen for an organ
BEYOND = 14  # slices; 35 mm on the starter's grid, half a brainstem


@dataclass(frozen=True)
class Variation:
    """How much a sample is changed before it is learnt from.

    Args:
        crop: rows and columns of a sample, of the network's grid.
        slices: in a batch.
        organ_share: of the slices that are chosen because an organ is in them.
        jitter: of the crop's centre, pixels.
        scale: smallest and largest magnification.
        degrees: of rotation, either way.
        flip: whether left and right may be exchanged, organs with them, where both have a channel.
        hu_shift: HU, either way.
        hu_gain: relative, either way.
        noise_hu: largest standard deviation.
        blur_pixels: largest standard deviation of a Gaussian; half of the samples.
    """

    crop: int = 56
    slices: int = 16
    organ_share: float = 0.7
    jitter: float = 10.0
    scale: tuple[float, float] = (0.85, 1.2)
    degrees: float = 10.0
    flip: bool = True
    hu_shift: float = 20.0
    hu_gain: float = 0.05
    noise_hu: float = 25.0
    blur_pixels: float = 0.8


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from.

    Args:
        slices: float32, (B, context, H, W), HU.
        drawn: what was drawn there.
    """

    slices: Tensor
    drawn: Drawn

    def __len__(self) -> int:
        return len(self.slices)

    def every(self, first: int, step: int) -> "Batch":
        """Return every `step`-th slice from `first` on."""
        chosen = slice(first, None, step)
        return Batch(self.slices[chosen], self.drawn.of(chosen))

    def inputs(self, knots: Tensor) -> tuple[Tensor]:
        """Return what a network is called with.

        Args:
            knots: the map from HU; piecewise linear, so that a batch goes through it on the device.
        """
        return (seen(self.slices, knots).contiguous(memory_format=torch.channels_last),)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(self.slices.to(device), self.drawn.to(device))


def seen(hu: Tensor, knots: Tensor) -> Tensor:
    """Return HU as the network sees them, as `preprocess.to_values` does, on tensors."""
    place = torch.searchsorted(knots[:, 0].contiguous(), hu.contiguous()).clamp(1, len(knots) - 1)
    low, high = knots[place - 1], knots[place]
    share = ((hu - low[..., 0]) / (high[..., 0] - low[..., 0])).clamp(0, 1)
    return low[..., 1] + share * (high[..., 1] - low[..., 1])


@dataclass(frozen=True, eq=False)
class Prepared:
    """A case on the network's grid.

    Args:
        hu: int16, (slices, rows, columns).
        labels: uint16, the same shape, bit k for the k-th organ.
        was_drawn: bool, (slices, organs).
        weights: how much what was drawn of each organ counts, above 0; 1 where it is not said.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint16]
    was_drawn: NDArray[np.bool_]
    weights: tuple[float, ...] = ()

    def counts(self, index: int) -> NDArray[np.float32]:
        """Return how much each organ counts in a slice, (organs,)."""
        drawn: NDArray[np.float32] = self.was_drawn[index].astype(np.float32)
        return drawn * np.array(self.weights, dtype=np.float32) if self.weights else drawn


def prepare(
    case: LabelledCt, organs: Sequence[str], preprocessing: Preprocessing, weights: Mapping[str, float] | None = None
) -> Prepared:
    """Return a case on the network's grid, cropped to the body.

    Args:
        case: on its own grid.
        organs: in the order of the channels.
        preprocessing: the grid.
        weights: how much what was drawn of an organ counts; 1 where it is not said.
    """
    grid = NetworkGrid.over(case.volume.grid, body_box(case.volume), preprocessing)
    labels = np.zeros(grid.shape, dtype=np.uint16)
    was_drawn = np.zeros((grid.shape[0], len(organs)), dtype=np.bool_)
    for index, organ in enumerate(organs):
        if organ in case.masks:
            mask = grid.down(case.masks[organ]) >= 0.5
            labels |= mask.astype(np.uint16) << np.uint16(index)
            was_drawn[first_known(organ, mask) :, index] = True
    each = tuple(weights.get(organ, 1.0) for organ in organs) if weights else ()
    return Prepared(np.round(grid.down(case.volume.hu)).astype(np.int16), labels, was_drawn, each)


class Sampler:
    """Draws batches from prepared cases."""

    def __init__(
        self, cases: Sequence[Prepared], organs: Sequence[str], context: Sequence[int], variation: Variation
    ) -> None:
        self.cases = cases
        self.organs = tuple(organs)
        self.context = tuple(context)
        self.variation = variation
        mirrored = [MIRRORED.get(organ, organ) for organ in organs]
        # A network for the left parotid alone must not learn that the right one is it.
        self.flips = variation.flip and set(mirrored) <= set(organs)
        self.mirror = torch.tensor([self.organs.index(organ) for organ in (mirrored if self.flips else organs)])
        self.found = [
            [
                (number, int(index))
                for number, case in enumerate(cases)
                for index in np.flatnonzero((case.labels >> np.uint16(bit) & np.uint16(1)).any(axis=(1, 2)))
            ]
            for bit in range(len(organs))
        ]

    def batch(self, seed: int, number: int) -> Batch:
        """Return the batch of a number, the same whenever it is asked for."""
        rng = np.random.default_rng((seed, number))
        size = 2 * round(self.variation.crop * 0.75)  # what a turned and shrunk crop can reach
        drawn = [self._draw(rng, size) for _ in range(self.variation.slices)]
        slices = torch.from_numpy(np.stack([one[0] for one in drawn]))
        bits = torch.from_numpy(np.stack([one[1] for one in drawn]).astype(np.int32))
        masks = (bits[:, None] >> torch.arange(len(self.organs))[None, :, None, None] & 1).float()
        was_drawn = torch.from_numpy(np.stack([one[2] for one in drawn]))
        flipped = torch.from_numpy(rng.random(len(drawn)) < (0.5 if self.flips else 0.0))
        masks = torch.where(flipped[:, None, None, None], masks[:, self.mirror], masks)
        was_drawn = torch.where(flipped[:, None], was_drawn[:, self.mirror], was_drawn)
        both = warped(torch.cat([slices - AIR_HU, masks], dim=1), rng, flipped, self.variation)
        slices, masks = both[:, : len(self.context)] + AIR_HU, both[:, len(self.context) :]
        return Batch(scanned(slices, rng, self.variation), Drawn((masks >= 0.5).float(), was_drawn))

    def _draw(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.float32], NDArray[np.uint16], NDArray[np.float32]]:
        """Return a slice with its context, its labels and how much each organ counts in it, cut to `size`."""
        bit = int(rng.integers(len(self.organs)))
        choices = self.found[bit]
        wanted = np.uint16(0xFFFF)
        if choices and rng.random() < self.variation.organ_share:
            number, index = choices[int(rng.integers(len(choices)))]
            case = self.cases[number]
            wanted = np.uint16(1 << bit)
            # Slices beyond an organ show where it ends: near ones are hard, far ones must not be forgotten.
            reach = 2 if rng.random() < NEAR_SHARE else BEYOND
            found, index = index, int(np.clip(index + rng.integers(-reach, reach + 1), 0, len(case.hu) - 1))
        else:
            case = self.cases[int(rng.integers(len(self.cases)))]
            found = index = int(rng.integers(len(case.hu)))
        # Around that organ, however large its neighbours are: a lens beside a temporal lobe would hardly be seen.
        occupied = np.argwhere(case.labels[found] & wanted)
        anywhere = np.array(case.hu.shape[1:]) * rng.uniform(0.3, 0.7, 2)
        centre = occupied[int(rng.integers(len(occupied)))] if len(occupied) else anywhere
        low = np.round(centre + rng.normal(0, self.variation.jitter, 2)).astype(int) - size // 2
        hu = with_context(case.hu, [index], self.context)[0]
        return (
            cut(hu, low, size, AIR_HU).astype(np.float32),
            cut(case.labels[index][None], low, size, 0)[0],
            case.counts(index),
        )


def cut(planes: NDArray[np.generic], low: NDArray[np.int64], size: int, outside: float) -> NDArray[np.generic]:
    """Return a square of (planes, rows, columns) that begins at `low`; `outside` is put where it goes over the edge."""
    square = np.full((planes.shape[0], size, size), outside, dtype=planes.dtype)
    start = np.clip(low, 0, planes.shape[1:])
    stop = np.clip(low + size, 0, planes.shape[1:])
    to, until = start - low, stop - low
    square[:, to[0] : until[0], to[1] : until[1]] = planes[:, start[0] : stop[0], start[1] : stop[1]]
    return square


def warped(planes: Tensor, rng: np.random.Generator, flipped: Tensor, variation: Variation) -> Tensor:
    """Return squares scaled, turned, mirrored where asked, and cut to the crop: (B, planes, crop, crop)."""
    count, size = planes.shape[0], planes.shape[2]
    angle = torch.from_numpy(np.deg2rad(rng.uniform(-1, 1, count) * variation.degrees)).float()
    scale = torch.from_numpy(
        np.exp(rng.uniform(math.log(variation.scale[0]), math.log(variation.scale[1]), count))
    ).float()
    side = 1 - 2 * flipped.float()
    ratio = variation.crop / size / scale
    theta = torch.stack(
        [
            torch.stack([side * angle.cos() * ratio, -side * angle.sin() * ratio, torch.zeros(count)], dim=1),
            torch.stack([angle.sin() * ratio, angle.cos() * ratio, torch.zeros(count)], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(theta, [count, planes.shape[1], variation.crop, variation.crop], align_corners=False)
    return functional.grid_sample(planes, grid, align_corners=False)


def scanned(hu: Tensor, rng: np.random.Generator, variation: Variation) -> Tensor:
    """Return slices as another scanner might have made them: blurred, shifted, noisier; (B, context, H, W), HU."""
    count = hu.shape[0]
    sigma = rng.uniform(0, 1, count) * variation.blur_pixels * (rng.random(count) < 0.5)
    taps = torch.from_numpy(gaussian_taps(sigma)).float()  # (B, 5)
    planes = hu.reshape(1, -1, *hu.shape[2:]) - AIR_HU
    kernel = taps.repeat_interleave(hu.shape[1], dim=0)[:, None]  # (B * context, 1, 5)
    planes = functional.conv2d(planes, kernel[..., None], padding=(2, 0), groups=planes.shape[1])
    planes = functional.conv2d(planes, kernel[:, :, None], padding=(0, 2), groups=planes.shape[1])
    hu = planes.reshape(hu.shape) + AIR_HU
    gain = torch.from_numpy(1 + rng.uniform(-1, 1, count) * variation.hu_gain).float()
    shift = torch.from_numpy(rng.uniform(-1, 1, count) * variation.hu_shift).float()
    noise = torch.from_numpy(rng.uniform(0, 1, count) ** 2 * variation.noise_hu).float()
    grain = torch.from_numpy(rng.standard_normal(hu.shape, dtype=np.float32))
    return hu * gain[:, None, None, None] + shift[:, None, None, None] + grain * noise[:, None, None, None]


def gaussian_taps(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return kernels of five taps, (n, 5), that sum to 1; a sigma of 0 changes nothing."""
    distance = np.arange(-2, 3)[None, :]
    taps = np.exp(-(distance**2) / (2 * np.maximum(sigma[:, None], 1e-3) ** 2))
    return np.asarray(taps / taps.sum(axis=1, keepdims=True))
