"""What no model may draw: an organ on the other side of the patient, or outside the body (pure)."""

from collections.abc import Mapping

import numpy as np

from adaptation.comparison import on_common_box
from adaptation.evidence import Harm
from adaptation.labelled_ct import LabelledCt
from segmentation.organ_mask import OrganMask
from segmentation.structures import MIRRORED

AIR_HU = -500  # fat and skin are above, lung and the air around the patient below
MOSTLY = 0.5

WRONG_SIDE = "lies on the wrong side"
OUTSIDE = "lies outside the body"


def harms_of(case: str, found: Mapping[str, OrganMask], labelled: LabelledCt) -> tuple[Harm, ...]:
    """Return what a model did to one case that no model may do.

    Args:
        case: its name.
        found: by the model, on the CT's grid.
        labelled: the CT, and what was drawn on it.
    """
    drawn = {organ: OrganMask.from_full(mask) for organ, mask in labelled.masks.items() if mask.any()}
    harms = []
    for organ, mask in found.items():
        if not mask.mask.any():
            continue
        if _is_on_the_wrong_side(organ, mask, drawn):
            harms.append(Harm(case, organ, WRONG_SIDE))
        if np.less(labelled.volume.hu[mask.box][mask.mask].astype(np.float32), AIR_HU).mean() > MOSTLY:
            harms.append(Harm(case, organ, OUTSIDE))
    return tuple(harms)


def _is_on_the_wrong_side(organ: str, mask: OrganMask, drawn: Mapping[str, OrganMask]) -> bool:
    """Return whether an organ shares more voxels with its counterpart than with itself, as they were drawn."""
    other = MIRRORED.get(organ, organ)
    if other == organ or other not in drawn:
        return False
    return _shared(mask, drawn[other]) > (_shared(mask, drawn[organ]) if organ in drawn else 0)


def _shared(one: OrganMask, other: OrganMask) -> int:
    first, second = on_common_box(one, other)
    return int(np.count_nonzero(first & second))
