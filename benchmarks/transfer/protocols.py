"""A second way to contour the phantom: what another centre draws larger, smaller, or ends elsewhere (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


@dataclass(frozen=True)
class Change:
    """What another protocol makes of an organ.

    Args:
        grown_mm: how far the surface lies outside; negative for inside.
        top_mm: how much is left out at the head's end.
        bottom_mm: how much is left out at the feet's end.
    """

    grown_mm: float = 0.0
    top_mm: float = 0.0
    bottom_mm: float = 0.0


OTHER_PROTOCOL = {
    "Brainstem": Change(top_mm=6.0, bottom_mm=6.0),
    "SpinalCord": Change(grown_mm=2.0),  # the canal
    "Bone_Mandible": Change(grown_mm=-1.0),
    "Pituitary": Change(grown_mm=1.0),
    "Parotid_L": Change(grown_mm=-2.0),
    "Parotid_R": Change(grown_mm=-2.0),
    "Lens_L": Change(grown_mm=1.0),
    "Lens_R": Change(grown_mm=1.0),
    "OpticNrv_L": Change(grown_mm=1.0),
    "OpticNrv_R": Change(grown_mm=1.0),
    "Lobe_Temporal_L": Change(top_mm=9.0),
    "Lobe_Temporal_R": Change(top_mm=9.0),
}


def redrawn(mask: NDArray[np.bool_], change: Change, slice_mm: float, pixel_mm: float) -> NDArray[np.bool_]:
    """Return an organ as the other protocol has it; an organ that would vanish stays as it is.

    Args:
        mask: bool, (slices, rows, columns), the caudal slice first.
        change: of the protocol.
        slice_mm: between slices.
        pixel_mm: between rows and columns.
    """
    result = mask
    if change.grown_mm and mask.any():
        # In the slice alone, as contours are drawn there.
        sampling = (slice_mm * 1e3, pixel_mm, pixel_mm)
        outside, inside = (ndimage.distance_transform_edt(some, sampling=sampling) for some in (~mask, mask))
        # From the middle of a voxel to the surface it is half a pixel less.
        signed = np.where(mask, pixel_mm / 2 - inside, outside - pixel_mm / 2)
        result = (signed <= change.grown_mm) & mask.any(axis=(1, 2))[:, None, None]
    occupied = np.flatnonzero(result.any(axis=(1, 2)))
    if len(occupied):
        first = occupied[0] + round(change.bottom_mm / slice_mm)
        last = occupied[-1] - round(change.top_mm / slice_mm)
        kept = np.zeros_like(result)
        kept[first : last + 1] = result[first : last + 1]
        result = kept
    return result if result.any() else mask
