"""A CT with the organs that were drawn on it, and the promise of one (pure)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from adaptation.errors import CaseError
from segmentation.volume import Volume

OPEN_BELOW = ("SpinalCord",)  # goes on below where somebody stopped to draw: how far is a site's choice


@dataclass(frozen=True, eq=False)
class LabelledCt:
    """One patient or phantom to learn from or to be judged on.

    Args:
        volume: the CT.
        masks: TG-263 name to bool, the CT's shape and pixel order. An organ that is not named was not drawn, which
            does not mean that it is not there.
        notes: what could not be taken of what was drawn, and why.

    Raises:
        CaseError: where a mask has another shape than the CT.
    """

    volume: Volume
    masks: dict[str, NDArray[np.bool_]]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for organ, mask in self.masks.items():
            if mask.shape != self.volume.grid.shape:
                raise CaseError(f"the mask of {organ} does not fit the CT")


@dataclass(frozen=True, eq=False)
class Case:
    """A case by its name, loaded when it is needed: many do not fit into memory at once.

    Args:
        name: no patient's identity; unique among the cases of a training.
        group: cases of one way of scanning and drawing, as a centre.
        load: gives the CT and its organs.
        organs: that are drawn, as far as can be seen without loading.
        patient: whose cases all stand on the same side of a split; a pseudonym. Empty: the case's own.
        where: it was found, for the operator alone: a path may tell whose it is.
    """

    name: str
    group: str
    load: Callable[[], LabelledCt]
    organs: tuple[str, ...] = ()
    patient: str = ""
    where: str = ""


@dataclass(frozen=True)
class LeftOut:
    """What is not learnt from.

    Args:
        what: a case's name, or a file as the operator knows it.
        reason: in words.
    """

    what: str
    reason: str


@dataclass(frozen=True, eq=False)
class Found:
    """What a folder holds to learn from, and what it holds beside that.

    Args:
        cases: to learn from.
        left_out: with reasons.
        unused: names of ROIs that were not taken for an organ, and in how many structure sets.
    """

    cases: tuple[Case, ...]
    left_out: tuple[LeftOut, ...] = ()
    unused: Mapping[str, int] = field(default_factory=dict)


def first_known(organ: str, mask: NDArray[np.bool_]) -> int:
    """Return the lowest slice on which a drawing says whether an organ is there; of what was not drawn, 0.

    Below its lowest contour a cord is neither there nor not there: nothing is learnt from these slices, and nobody is
    judged by them.

    Args:
        organ: TG-263 name.
        mask: what was drawn, (slices, rows, columns), slices from the feet to the head.
    """
    if organ not in OPEN_BELOW:
        return 0
    occupied = mask.any(axis=(1, 2))
    return int(occupied.argmax())
