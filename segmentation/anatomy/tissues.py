"""What the parts of the body look like on CT (pure).

HU at 120 kVp as textbooks and the public head-and-neck CT that the project is developed with have them; soft tissue
within a few HU, bone and teeth roughly.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tissue:
    """A material.

    Args:
        hu: of the material, or of its rind where it has a core.
        sd_hu: how much that differs between patients, standard deviation.
        core_hu: further in than `rind_mm`, as marrow within cortical bone; None for a material without a core.
        rind_mm: how thick the rind is.
        grain_hu: amplitude of a regular unevenness.
        grain_mm: its wavelength.
    """

    hu: float
    sd_hu: float
    core_hu: float | None = None
    rind_mm: float = 0.0
    grain_hu: float = 0.0
    grain_mm: float = 10.0


TISSUES: dict[str, Tissue] = {
    "air": Tissue(-1000, 3),
    "skin": Tissue(10, 8),
    "fat": Tissue(-102, 7, grain_hu=8, grain_mm=9),
    "orbital fat": Tissue(-92, 6),
    "muscle": Tissue(56, 6, grain_hu=10, grain_mm=11),
    "parotid": Tissue(8, 16, grain_hu=14, grain_mm=6),
    "gland": Tissue(45, 8),
    "thyroid": Tissue(105, 15),
    "artery": Tissue(45, 5),
    "vein": Tissue(44, 5),
    "cartilage": Tissue(130, 40, core_hu=70, rind_mm=1.2),
    "disc": Tissue(85, 12),
    "csf": Tissue(8, 2),
    "cleft": Tissue(14, 2),
    "grey": Tissue(37, 2, grain_hu=14, grain_mm=13),
    "white": Tissue(29, 2),
    "cerebellum": Tissue(38, 2, grain_hu=4, grain_mm=5),
    "temporal": Tissue(39, 2, core_hu=31, rind_mm=5),
    "brainstem": Tissue(32, 2),
    "cord": Tissue(40, 4),
    "pituitary": Tissue(66, 12),
    "nerve": Tissue(38, 5),
    "vitreous": Tissue(9, 3),
    "sclera": Tissue(48, 6),
    "lens": Tissue(96, 12),
    "skull": Tissue(1150, 110, core_hu=560, rind_mm=1.8),
    "petrous": Tissue(1250, 130),
    "mastoid": Tissue(300, 60, grain_hu=900, grain_mm=6.5),
    "ethmoid": Tissue(-480, 60, grain_hu=750, grain_mm=9.0),
    "thin bone": Tissue(650, 80),
    "face bone": Tissue(900, 90, core_hu=420, rind_mm=2.2),
    "mandible": Tissue(1320, 120, core_hu=420, rind_mm=2.6),
    "vertebra": Tissue(720, 80, core_hu=290, rind_mm=2.0),
    "tooth": Tissue(2050, 150),
    "mask": Tissue(-120, 40),
}
