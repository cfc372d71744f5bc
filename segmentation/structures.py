"""The organs at risk that this project contours, as the field names and codes them (pure).

Names are the primary names of AAPM TG-263 (Mayo et al. 2018). Codes: FMA and SNOMED CT from the TG-263 sheet of
HL7 mCODE; laterality from PS3.16 CID 244.
"""

from dataclasses import dataclass
from typing import Literal

Laterality = Literal["L", "R"]


@dataclass(frozen=True)
class Structure:
    """An organ as we know it.

    Args:
        name: TG-263 primary name, at most 16 characters; also the ROI name and the key everywhere in the project.
        snomed_code: SNOMED CT concept of the organ, without its side.
        snomed_meaning: the concept's preferred term.
        fma_id: of the Foundational Model of Anatomy, with the side.
        laterality: L, R or None for a midline organ.
        colour: red, green, blue, 0 to 255, as a treatment planning system shows it.
    """

    name: str
    snomed_code: str
    snomed_meaning: str
    fma_id: int
    laterality: Laterality | None
    colour: tuple[int, int, int]


ORGANS: tuple[Structure, ...] = (
    Structure("Brainstem", "119238007", "Brain stem", 79876, None, (0, 160, 80)),
    Structure("SpinalCord", "2748008", "Spinal cord", 7647, None, (255, 220, 0)),
    Structure("Bone_Mandible", "91609006", "Mandible", 52748, None, (230, 120, 40)),
    Structure("Pituitary", "56329008", "Pituitary", 13889, None, (255, 0, 255)),
    Structure("Parotid_L", "45289007", "Parotid gland", 59798, "L", (0, 120, 255)),
    Structure("Parotid_R", "45289007", "Parotid gland", 59797, "R", (120, 200, 255)),
    Structure("Lens_L", "78076003", "Lens", 58243, "L", (255, 80, 80)),
    Structure("Lens_R", "78076003", "Lens", 58242, "R", (255, 170, 150)),
    Structure("OpticNrv_L", "18234004", "Optic nerve", 50878, "L", (0, 220, 220)),
    Structure("OpticNrv_R", "18234004", "Optic nerve", 50875, "R", (150, 255, 230)),
    Structure("Lobe_Temporal_L", "78277001", "Temporal lobe", 72972, "L", (150, 90, 200)),
    Structure("Lobe_Temporal_R", "78277001", "Temporal lobe", 72971, "R", (200, 150, 240)),
)
BY_NAME: dict[str, Structure] = {organ.name: organ for organ in ORGANS}
MIRRORED: dict[str, str] = {
    organ.name: organ.name[:-1] + {"L": "R", "R": "L"}[organ.laterality] if organ.laterality else organ.name
    for organ in ORGANS
}
"""Each organ's counterpart on the other side; a midline organ is its own."""
