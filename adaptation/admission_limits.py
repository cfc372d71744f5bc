"""What admission lets pass, as numbers that a site can change (pure)."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class AdmissionLimits:
    """What admission lets pass.

    Args:
        z: standard deviations from what is usual.
        prior_patients: that the shipped prior counts for beside the site's own admitted cases.
        gap_slices: slices in a row, within an organ, on which nothing was drawn.
        gaps: such slices of an organ in all, as a share of its slices.
        parts: of an organ.
        small_parts: of a small one: an optic nerve that crosses thick slices falls apart.
        air: share of an organ's voxels that are air.
        bone: share of the voxels of an organ other than the mandible that are bone.
        small_bone: the same of a small one: the pituitary lies in a bed of bone.
        jaw_bone: least share of the mandible's voxels that are bone.
        blunt: largest area of the last slice of an organ that ends in a tip, as a share of its largest slice.
        apart_mm: between the lower end of the brainstem and the upper one of the cord, which goes on from it.
        agreement: least DSC of a large organ with what we sent.
        volume_ratio: largest ratio of its volume to that of what we sent, or the other way round.

    Raises:
        ValueError: for a limit that nothing passes.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    z: float = 3.5
    prior_patients: int = 40
    gap_slices: int = 1
    gaps: float = 0.1
    parts: int = 1
    small_parts: int = 3
    air: float = 0.05
    bone: float = 0.06
    small_bone: float = 0.4
    jaw_bone: float = 0.5
    blunt: float = 0.9
    apart_mm: float = 10.0
    agreement: float = 0.3
    volume_ratio: float = 2.5

    def __post_init__(self) -> None:
        if not (self.z > 0 and self.prior_patients > 1 and self.parts >= 1 and self.gap_slices >= 0):
            raise ValueError("z, prior_patients and parts are above 0, gap_slices is not below")
