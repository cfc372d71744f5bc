"""Batches of kept features: samples of the site's cases and of the source's, what was left untouched bounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from adaptation.errors import TrainingError
from adaptation.limits import UNTOUCHED_SHARE
from adaptation.losses import Drawn
from adaptation.origins import bounded


@dataclass(frozen=True, eq=False)
class FeatureBatch:
    """What one step learns from: features, and what was drawn where they come from.

    Args:
        deep: (B, channels, h, w), at the cut.
        fine: (B, channels, H, W), of Conv2; None where the head does not use them or they lie behind the cut.
        drawn: what was drawn there.
    """

    deep: Tensor
    fine: Tensor | None
    drawn: Drawn

    def __len__(self) -> int:
        return len(self.deep)

    def every(self, first: int, step: int) -> "FeatureBatch":
        """Return every `step`-th sample from `first` on."""
        chosen = slice(first, None, step)
        fine = None if self.fine is None else self.fine[chosen]
        return FeatureBatch(self.deep[chosen], fine, self.drawn.of(chosen))

    def to(self, device: torch.device) -> "FeatureBatch":
        """Return the batch on a device."""
        fine = None if self.fine is None else self.fine.to(device)
        return FeatureBatch(self.deep.to(device), fine, self.drawn.to(device))

    def inputs(self, _knots: Tensor) -> tuple[Tensor, Tensor | None, tuple[int, int]]:
        """Return what `segmentation.network.cut.Rest` is called with."""
        rows, columns = self.drawn.masks.shape[-2:]
        return self.deep.float(), None if self.fine is None else self.fine.float(), (rows, columns)


class View:
    """A file of features, of which single samples are read.

    Args:
        path: as `FeatureMaker` wrote it.

    Raises:
        TrainingError: where it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            # The handle maps the file into memory: what is not asked for is not read.
            mapped: Any = opened(path)
            self._parts = {name: mapped.get_slice(name) for name in mapped.keys()}  # noqa: SIM118  # no mapping
        except (SafetensorError, OSError) as error:
            raise TrainingError(f"the features {path.name} cannot be read: {error}") from error
        self.samples = int(self._parts["deep"].get_shape()[0])

    def sample(self, index: int) -> dict[str, Tensor]:
        """Return one sample's tensors."""
        return {name: part[index : index + 1] for name, part in self._parts.items()}


class FeatureSampler:
    """Draws batches from views.

    Args:
        cases: the views of each of the site's cases.
        replay: the views of each case of the source, so that it is not forgotten.
        size: of a batch.
        replay_share: of a batch that is of the source; nothing where there is none.
        untouched_share: most of what counts in a batch that may be contours that nobody touched.
    """

    def __init__(
        self,
        cases: Sequence[Sequence[View]],
        size: int,
        *,
        replay: Sequence[Sequence[View]] = (),
        replay_share: float = 0.25,
        untouched_share: float = UNTOUCHED_SHARE,
    ) -> None:
        self.cases = cases
        self.replay = replay
        self.size = size
        self.of_source = round(size * replay_share) if replay else 0
        self.untouched_share = untouched_share

    def batch(self, seed: int, number: int) -> FeatureBatch:
        """Return the batch of a number, the same whenever it is asked for."""
        rng = np.random.default_rng((seed, number))
        some = [
            *(_drawn_from(self.cases, rng) for _ in range(self.size - self.of_source)),
            *(_drawn_from(self.replay, rng) for _ in range(self.of_source)),
        ]
        parts = {name: torch.cat([one[name] for one in some]) for name in some[0]}
        drawn = Drawn(parts["masks"].float(), bounded(parts["was_drawn"], self.untouched_share, rng))
        fine = parts.get("fine")
        # Kept with the channels last: seen with the channels first they are in the order that convolutions like best.
        return FeatureBatch(
            parts["deep"].permute(0, 3, 1, 2), None if fine is None else fine.permute(0, 3, 1, 2), drawn
        )


def opened(path: Path) -> Any:
    """Return the handle of a file of tensors; safetensors ships no types of it."""
    return safe_open(path, framework="pt")


def _drawn_from(cases: Sequence[Sequence[View]], rng: np.random.Generator) -> dict[str, Tensor]:
    """Return a sample of any case, each as likely as the other."""
    views = cases[int(rng.integers(len(cases)))]
    view = views[int(rng.integers(len(views)))]
    return view.sample(int(rng.integers(view.samples)))
