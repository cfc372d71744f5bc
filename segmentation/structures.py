"""The organs at risk that this project contours, as the field names and codes them (pure).

Names are the primary names of AAPM TG-263 (Mayo et al. 2018). Codes: FMA and SNOMED CT from the TG-263 sheet of
HL7 mCODE; laterality from PS3.16 CID 244.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
        fma_meaning: its preferred name there.
        laterality: L, R or None for a midline organ.
        colour: red, green, blue, 0 to 255, as a treatment planning system shows it.
    """

    name: str
    snomed_code: str
    snomed_meaning: str
    fma_id: int
    fma_meaning: str
    laterality: Laterality | None
    colour: tuple[int, int, int]


ORGANS: tuple[Structure, ...] = (
    Structure("Brainstem", "119238007", "Brain stem", 79876, "Brainstem", None, (0, 160, 80)),
    Structure("SpinalCord", "2748008", "Spinal cord", 7647, "Spinal cord", None, (255, 220, 0)),
    Structure("Bone_Mandible", "91609006", "Mandible", 52748, "Mandible", None, (230, 120, 40)),
    Structure("Pituitary", "56329008", "Pituitary", 13889, "Pituitary gland", None, (255, 0, 255)),
    Structure("Parotid_L", "45289007", "Parotid gland", 59798, "Left parotid gland", "L", (0, 120, 255)),
    Structure("Parotid_R", "45289007", "Parotid gland", 59797, "Right parotid gland", "R", (120, 200, 255)),
    Structure("Lens_L", "78076003", "Lens", 58243, "Left lens", "L", (255, 80, 80)),
    Structure("Lens_R", "78076003", "Lens", 58242, "Right lens", "R", (255, 170, 150)),
    Structure("OpticNrv_L", "18234004", "Optic nerve", 50878, "Left optic nerve", "L", (0, 220, 220)),
    Structure("OpticNrv_R", "18234004", "Optic nerve", 50875, "Right optic nerve", "R", (150, 255, 230)),
    Structure("Lobe_Temporal_L", "78277001", "Temporal lobe", 72972, "Left temporal lobe", "L", (150, 90, 200)),
    Structure("Lobe_Temporal_R", "78277001", "Temporal lobe", 72971, "Right temporal lobe", "R", (200, 150, 240)),
)
BY_NAME: dict[str, Structure] = {organ.name: organ for organ in ORGANS}
MIRRORED: dict[str, str] = {
    organ.name: organ.name[:-1] + {"L": "R", "R": "L"}[organ.laterality] if organ.laterality else organ.name
    for organ in ORGANS
}
"""Each organ's counterpart on the other side; a midline organ is its own."""


@dataclass(frozen=True)
class Appearance:
    """How a site shows an organ.

    Args:
        roi_name: ROI Name, at most 16 characters.
        colour: red, green, blue, 0 to 255.
        interpreted_type: RT ROI Interpreted Type (PS3.3 C.8.8.8.1).
    """

    roi_name: str
    colour: tuple[int, int, int]
    interpreted_type: str = "ORGAN"


PLAIN: Mapping[str, Appearance] = MappingProxyType(
    {organ.name: Appearance(organ.name, organ.colour) for organ in ORGANS}
)
"""How organs look where the site says nothing: under their TG-263 names."""


def reverse_order(name: str) -> str:
    """Return a primary name of TG-263 in its reverse order, as `L_Parotid` for `Parotid_L`."""
    return "_".join(reversed(name.split("_")))
