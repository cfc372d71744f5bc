"""How a night adapts, as numbers that a site can change (pure)."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class NightSettings:
    """How a night adapts.

    Args:
        freeze_through: the last place that is not trained: conv4 is the paper's, and leaves 10 layers.
        steps: of the training, at most.
        minutes: of the training, at most: where the machine is too slow for all steps, there are fewer.
        rate: times the learning rates of the preset `site`; more for few steps.
        batch: samples of a step; 0 for what the network's size calls for.
        average: of the moving average of the weights.
        blend: share of the way from the base's weights to those learnt at which the candidate lies.
        tune_every: steps between looks at the tuning cases.
        patience: so many looks without a gain stop the training.
        keep_features: whether the features of the locked trunk are computed once and kept.
        views: of each case, whose features are kept; one of them is drawn anew each night.
        samples: of a view.
        features_mib: of the disk, for features.
        source_share: of a batch that is of the source's cases, where the site has any.
        source_cases: of these, that are learnt from.
        processes: that share a training, as torchrun starts them; one for each GPU.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    freeze_through: str = "conv4"
    steps: int = 4000
    minutes: float = 240.0
    rate: float = 1.0
    batch: int = 0
    average: float = 0.999
    blend: float = 0.7
    tune_every: int = 400
    patience: int = 4
    keep_features: bool = True
    views: int = 4
    samples: int = 32
    features_mib: int = 20_000
    source_share: float = 0.25
    source_cases: int = 40
    processes: int = 1

    def __post_init__(self) -> None:
        if (
            min(self.steps, self.tune_every, self.views, self.samples, self.processes) < 1
            or min(self.minutes, self.rate) <= 0
        ):
            raise ValueError("steps, minutes, rate, tune_every, views, samples and processes are above 0")
        if not 0 < self.blend <= 1:
            raise ValueError("blend is a share of the way from the base to what was learnt, above 0 and at most 1")
        if not 0 <= self.source_share < 1:
            raise ValueError("source_share is a share of a batch, below 1")
