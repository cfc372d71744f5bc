"""What adaptation demands, as numbers that a site can change: of the split, a run, the looks and the gate (pure).

The defaults are the shipped rules; docs/adaptation.md says where each comes from and what it was measured to do.
"""

from dataclasses import dataclass
from typing import ClassVar

SMALL_ORGANS = frozenset({"Lens_L", "Lens_R", "OpticNrv_L", "OpticNrv_R", "Pituitary"})
"""Organs of a few voxels across, of which a shift by one voxel costs a large share of the overlap."""


HD95_COUNTS = 5
"""Times what an organ's mean HD95 may grow that one case adds to the mean at most, either way.

A part that lies 200 mm off in one of twenty cases would else be 10 mm of the mean, and one that is gone would hide that
all others are drawn worse. What becomes of a single case is `case_hd95_mm`'s.
"""

UNTOUCHED_WEIGHT = 0.25  # of what was drawn and edited, of a contour that a physician left as the model drew it
UNTOUCHED_SHARE = 0.25  # of the organs that count in a batch, at most


@dataclass(frozen=True)
class PartLimits:
    """How patients are parted.

    Args:
        train: share of patients that is learnt from.
        tune: share that says when to stop; the rest is the gate's.
        gate_full: patients of the gate from which on newcomers of its share are learnt from.

    Raises:
        ValueError: for shares that leave the gate none.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    train: float = 0.6
    tune: float = 0.1
    gate_full: int = 30

    def __post_init__(self) -> None:
        if not (self.train > 0 and self.tune > 0 and self.train + self.tune < 1):
            raise ValueError("train and tune are shares above 0 that leave some for the gate")


@dataclass(frozen=True)
class RunLimits:
    """What there must be before a run may start.

    Args:
        train: admitted cases to learn from, for a model that may go into service.
        train_shadow: the same for a model that only runs in the shadow.
        tune: admitted cases that say when to stop.
        gate: admitted cases of the gate.
        gate_de_novo: share of the gate's organs that were drawn from nothing; those edited from a contour of the model
            in service flatter it.
        new_cases: cases that the run before did not have.
        days: since the run before, after which fewer new cases do.
        new_cases_after_days: that fewer.
        organ_train: cases to learn from in which an organ was drawn; with fewer it stays as it is.
        organ_gate: cases of the gate in which it was drawn, likewise.
        rest_days: between two promotions.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    train: int = 20
    train_shadow: int = 10
    tune: int = 5
    gate: int = 20
    gate_de_novo: float = 0.5
    new_cases: int = 10
    days: float = 30.0
    new_cases_after_days: int = 5
    organ_train: int = 10
    organ_gate: int = 15
    rest_days: float = 7.0


@dataclass(frozen=True)
class LookLimits:
    """How often the gate may be looked at, and how often in a year it may be wrong.

    Args:
        year_alpha: most probability that anything is promoted within a year though nothing is better.
        looks: most looks within a year.
        year_days: length of a year.
        tune_gain: of the mean DSC on the tuning cases, below which a candidate takes no look: it would only spend.
        front: how much more the first looks get: look k gets a share of 1 / k to the power of this; 0: all the same.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    year_alpha: float = 0.05
    looks: int = 20
    year_days: float = 365.0
    tune_gain: float = 0.0
    front: float = 1.0


@dataclass(frozen=True)
class GateLimits:
    """What the gate demands of a candidate, seen from the model in service on the same cases.

    Args:
        organ_share: of a look's alpha that is for promoting single organs; the rest is for the whole model.
        latency_ratio: most that a case may take longer.
        median_gain: of each patient's mean DSC over the organs.
        surface_gain: of each patient's mean surface DSC, which does in place of the median gain.
        large_drop: of an organ's mean DSC that its lower bound must stay above.
        small_drop: the same for small organs.
        large_hd95_mm: most that an organ's mean HD95 may grow; no case counts for more than `HD95_COUNTS` times this.
        small_hd95_mm: the same for small organs.
        case_drop: of the DSC of one organ of one case, beyond which a person must agree.
        case_hd95_mm: that the HD95 of one organ of one case grows by, beyond which a person must agree.
        base_cases: of the set that the base model came from; 0: forgetting is not judged.
        base_drop: of the mean DSC on that set that passes.
        base_drop_person: beyond which it fails; between the two a person must agree.
        flag_ratio: most that the rate of contours that the checks flag may grow.
        flag_cases: of patients on which that rate is compared; 0: it is not judged.
        shadow_patients: consecutive new patients that the candidate must have contoured unseen; 0: none need be.
        shadow_days: after which fewer do.
        shadow_drop: of the median surface DSC to what was approved.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    organ_share: float = 0.3
    latency_ratio: float = 1.2
    median_gain: float = 0.005
    surface_gain: float = 0.01
    large_drop: float = 0.02
    small_drop: float = 0.05
    large_hd95_mm: float = 1.0
    small_hd95_mm: float = 1.5
    case_drop: float = 0.15
    case_hd95_mm: float = 20.0
    base_cases: int = 10
    base_drop: float = 0.02
    base_drop_person: float = 0.05
    flag_ratio: float = 1.2
    flag_cases: int = 20
    shadow_patients: int = 10
    shadow_days: float = 7.0
    shadow_drop: float = 0.01

    def largest_drop(self, organ: str) -> float:
        """Return how far an organ's lower bound of mean DSC may lie below 0."""
        return self.small_drop if organ in SMALL_ORGANS else self.large_drop

    def largest_hd95_mm(self, organ: str) -> float:
        """Return how much an organ's mean HD95 may grow."""
        return self.small_hd95_mm if organ in SMALL_ORGANS else self.large_hd95_mm


def tolerance_mm(organ: str) -> float:
    """Return the tolerance at which an organ's surface DSC is judged."""
    return 1.0 if organ in SMALL_ORGANS else 2.0


@dataclass(frozen=True)
class WatchLimits:
    """When the watch on approved contours complains.

    Args:
        baseline_most: cases of a model version that its control chart is drawn from, the first ones.
        baseline_least: fewer make no chart.
        window_days: over which the share of untouched contours is taken.
        window_least: contours that a share is taken of.
        untouched_most: share of untouched contours above which they are hardly looked at any more.
        untouched_fall: of that share, against the time before.
        before_days: that time.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    baseline_most: int = 150
    baseline_least: int = 20
    window_days: float = 28.0
    window_least: int = 20
    untouched_most: float = 0.95
    untouched_fall: float = 0.2
    before_days: float = 84.0
