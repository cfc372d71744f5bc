"""What a step learns from, whatever it is made of: the samples of a batch and what was drawn in them (pure)."""

from typing import Any, Protocol, Self

from torch import Tensor, device

from adaptation.losses import Drawn


class Lesson(Protocol):
    """A batch: slices, or what the locked part of the network makes of them."""

    @property
    def drawn(self) -> Drawn:
        """What was drawn."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def every(self, first: int, step: int) -> Self:
        """Return every `step`-th sample from `first` on."""

    def to(self, device: device) -> Self:
        """Return the same on a device."""

    def inputs(self, knots: Tensor) -> tuple[Any, ...]:
        """Return what the module is called with that makes logits; `knots` are the map from HU."""
