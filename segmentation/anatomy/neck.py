"""The neck and shoulders: spine, cord, muscles, glands, vessels and airway, as tables (pure).

The course and size of the spinal cord, and the parotids' place, are the means of 25 scans with the oncologist's
contours of Nikolov et al. (2018, arXiv 1809.04430); the rest is fitted by eye to planning CT.
"""

import numpy as np

from segmentation.anatomy.parts import Part, both_sides
from segmentation.anatomy.shapes import Ellipsoid, Loft, Tube

CORD_Z = (-330.0, -290.0, -263.0, -237.0, -210.0, -184.0, -157.0, -130.0, -104.0, -78.0, -51.0, -38.5)
CORD_Y = (63.0, 61.5, 58.0, 52.0, 43.8, 33.0, 22.7, 14.2, 7.7, 4.3, 2.5, 2.8)
VERTEBRAE_Z = (-66.0, -84.0, -101.0, -118.0, -135.0, -153.0, -172.0, -192.0, -213.0, -235.0, -258.0, -282.0, -307.0)


def cord_y(z: float) -> float:
    """Return the y of the cord's centre at a height, mm."""
    return float(np.interp(z, CORD_Z, CORD_Y))


def vertebra(z: float) -> tuple[Part, ...]:
    """Return one vertebra from C2 down: body, laminae, spinous process and transverse processes."""
    low = (-66 - z) / 240  # 0 at C2, 1 in the chest
    y, semi_x, semi_y, semi_z = cord_y(z), 11.5 + 4 * low, 8.5 + 4 * low, 6.8 + 3 * low
    front = y - 6.5 - semi_y
    slope = 8 + 22 * low
    return (
        Part("vertebra", Ellipsoid((0, front, z), (semi_x, semi_y, semi_z), tilt_deg=slope * 0.8, boxy=True), "spine"),
        Part("vertebra", Tube(((12, y - 2, z), (11, y + 7, z - 3), (0, y + 13, z - 5)), (4, 3.4, 3.6), 1.7), "spine"),
        Part("vertebra", Tube(((-12, y - 2, z), (-11, y + 7, z - 3), (0, y + 13, z - 5)), (4, 3.4, 3.6), 1.7), "spine"),
        Part(
            "vertebra", Tube(((0, y + 14, z - 5), (0, y + 27 + 8 * low, z - 11 - 14 * low)), (3.6, 4.2), 1.5), "spine"
        ),
        Part("vertebra", Tube(((12, y - 4, z), (24 + 8 * low, y - 3 + 8 * low, z)), (4.2, 4.0)), "spine"),
        Part("vertebra", Tube(((-12, y - 4, z), (-24 - 8 * low, y - 3 + 8 * low, z)), (4.2, 4.0)), "spine"),
    )


SPINE: tuple[Part, ...] = (
    Part(
        "disc",
        Loft(
            (-318.0, -213.0, -153.0, -101.0, -62.0),
            (0,) * 5,
            (47.0, 28.0, 9.0, -7.5, -11.5),
            (14.5, 13.0, 12.5, 11.5, 10.5),
            (11.0, 10.0, 9.0, 8.0, 7.5),
        ),
        "spine",
    ),
    *(part for z in VERTEBRAE_Z for part in vertebra(z)),
    Part("vertebra", Ellipsoid((0, -9.5, -51), (5.0, 5.0, 13.0)), "spine"),  # the dens of C2
    # C1: the ring and its masses
    Part(
        "vertebra", Tube(((19, -6, -50), (11, -17, -50), (-11, -17, -50), (-19, -6, -50)), (4, 3, 3, 4), 1.5), "spine"
    ),
    Part("vertebra", Tube(((20, -4, -51), (15, 14, -51), (0, 20, -51)), (4.5, 3.2, 3.5), 1.5), "spine"),
    Part("vertebra", Tube(((-20, -4, -51), (-15, 14, -51), (0, 20, -51)), (4.5, 3.2, 3.5), 1.5), "spine"),
    Part("vertebra", Ellipsoid((21, -6, -50), (8, 8, 8)), "spine"),
    Part("vertebra", Ellipsoid((-21, -6, -50), (8, 8, 8)), "spine"),
    Part("vertebra", Tube(((24, -5, -50), (38, -3, -50)), (4.5, 4)), "spine"),
    Part("vertebra", Tube(((-24, -5, -50), (-38, -3, -50)), (4.5, 4)), "spine"),
    Part("csf", Loft(CORD_Z, (0,) * 12, CORD_Y, (8.5,) * 10 + (10.0, 14.0), (6.8,) * 10 + (8.5, 12.0)), "spine"),
    Part("cord", Loft(CORD_Z, (0,) * 12, CORD_Y, (5.5,) * 11 + (6.2,), (4.6,) * 11 + (5.2,)), "spine", "SpinalCord"),
)

MUSCLES: tuple[Part, ...] = (
    # between the muscles lies fat
    *both_sides(
        (
            Part("fat", Ellipsoid((30, -28, -52), (11, 13, 34)), "throat"),
            Part("fat", Tube(((43, -22, -75), (46, -2, -120), (62, 20, -180)), (12, 14, 18))),
            Part("fat", Ellipsoid((44, -62, -30), (9, 15, 24))),
            Part("muscle", Tube(((49, 12, -42), (47, -6, -85), (36, -28, -135), (18, -34, -172)), (9, 11, 10, 8), 1.3)),
            Part(
                "muscle", Tube(((16, 34, -45), (18, 36, -110), (24, 70, -200), (26, 90, -300)), (15, 17, 19, 20), 1.6)
            ),
            Part("muscle", Tube(((36, 14, -60), (40, 22, -120), (62, 50, -190), (90, 62, -230)), (9, 10, 12, 16))),
            Part("muscle", Tube(((14, -22, -60), (15, -18, -100), (17, -4, -150)), (6.5, 7, 7))),
            Part("muscle", Tube(((30, 0, -95), (36, 6, -140), (52, 10, -190)), (7, 9, 10))),
        )
    ),
    Part("muscle", Ellipsoid((0, -76, -48), (23, 30, 23)), "tongue"),
    Part("muscle", Ellipsoid((0, -76, -76), (26, 24, 8)), "tongue"),
)

VESSELS: tuple[Part, ...] = both_sides(
    (
        Part(
            "artery", Tube(((22, -17, -30), (25, -17, -60), (27, -18, -100), (25, -8, -160), (20, 8, -215)), (2.8,) * 5)
        ),
        Part(
            "vein", Tube(((30, -10, -38), (33, -11, -70), (35, -16, -110), (36, -10, -175), (30, 0, -215)), (4.6,) * 5)
        ),
        Part("gland", Ellipsoid((30, -62, -84), (9, 15, 13), turn_deg=-18), "submandibular"),
        Part("thyroid", Ellipsoid((20, -22, -150), (8, 10, 20), lean_deg=10)),
    )
)

PAROTIDS: tuple[Part, ...] = both_sides(
    (
        Part("parotid", Ellipsoid((62.3, -29.5, -40), (11, 24.5, 27.5), lean_deg=6), "parotid", "Parotid"),
        Part("parotid", Ellipsoid((50, -18.5, -44), (11, 8.5, 19)), "parotid", "Parotid"),
        Part("vein", Tube(((54, -20, -18), (54, -20, -44), (50, -22, -70)), (2.3,) * 3), "parotid", lets_organ=True),
        Part("thin bone", Tube(((42, -8, -30), (36, -18, -52)), (2.0, 1.2)), "parotid"),  # the styloid process
    )
)

CHEWING: tuple[Part, ...] = both_sides(
    (
        Part("muscle", Ellipsoid((60.5, -47, -36), (7.5, 15, 27), tilt_deg=14), "jaw"),  # masseter
        Part("muscle", Ellipsoid((39, -38, -35), (7, 12, 22), tilt_deg=10), "jaw"),  # medial pterygoid
        Part("muscle", Ellipsoid((35, -40, -10), (13, 14, 8)), "jaw"),  # lateral pterygoid
        Part("muscle", Ellipsoid((60, -40, 10), (5.5, 26, 26)), "jaw"),  # temporalis
    )
)

LARYNX: tuple[Part, ...] = (
    Part("gland", Ellipsoid((0, -32, -112), (21, 20, 30))),
    *both_sides(
        (
            Part("cartilage", Ellipsoid((14, -40, -120), (2.2, 18, 13), turn_deg=-36)),
            Part("thin bone", Tube(((22, -34, -90), (13, -55, -91), (0, -60, -92)), (1.8, 2.4, 2.8), 1.5)),
        )
    ),
    Part(
        "cartilage",
        Loft(
            (-330.0, -265.0, -210.0, -185.0, -140.0, -134.0),
            (0,) * 6,
            (24.0, 16.0, -1.0, -11.0, -29.0, -31.0),
            (10.5,) * 6,
            (10.5,) * 6,
        ),
    ),
)

AIRWAY: tuple[Part, ...] = (
    Part(
        "air",
        Loft(
            (-330.0, -265.0, -210.0, -185.0, -140.0, -128.0, -121.0, -112.0, -95.0, -75.0, -50.0, -30.0, -12.0, -4.0),
            (0,) * 14,
            (24.0, 16.0, -1.0, -11.0, -29.0, -32.0, -33.0, -33.0, -30.0, -29.0, -31.0, -37.0, -43.0, -46.0),
            (8.8, 8.8, 8.8, 8.8, 8.5, 6.0, 3.0, 6.5, 12.0, 10.0, 10.0, 12.0, 14.0, 10.0),
            (8.8, 8.8, 8.8, 8.8, 9.0, 10.0, 9.0, 9.0, 6.0, 5.5, 6.0, 9.0, 10.0, 6.0),
        ),
        "throat",
    ),
    Part("cartilage", Ellipsoid((0, -37, -92), (8, 1.6, 13), tilt_deg=12), "throat"),  # epiglottis
)
