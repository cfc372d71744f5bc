"""The head: outline, brain, skull base, orbits, face and jaw, as tables (pure).

Places and sizes of the organs are the means of 25 scans with the oncologist's contours of Nikolov et al. (2018, arXiv
1809.04430); pituitary and temporal lobes, which are not among them, follow textbook anatomy.
"""

from segmentation.anatomy.parts import Part, both_sides
from segmentation.anatomy.shapes import Ellipsoid, Loft, Mirrored, Shape, Tube

MANDIBLE_ARCH = (
    (0.0, -108.5, -76.0),
    (17.0, -105.0, -75.5),
    (31.0, -91.0, -72.0),
    (42.0, -69.0, -66.0),
    (48.0, -51.0, -58.0),
)

CAVITY: tuple[Shape, ...] = (  # within the skull; joined smoothly
    Ellipsoid((0, 50, -10), (53, 38, 30)),
    Ellipsoid((41, -4, 16), (26, 45, 25), turn_deg=-4),
    Mirrored(Ellipsoid((41, -4, 16), (26, 45, 25), turn_deg=-4)),
    Loft(
        (-46.0, -36.0, -20.0, 0.0, 26.0),
        (0,) * 5,
        (3.0, 3.0, 3.0, 0.0, -2.0),
        (13, 14, 18, 22, 24),
        (11, 12, 15, 17, 19),
    ),
)
CEREBRUM = (Ellipsoid((0, 10, 51), (67.5, 82, 50)), Ellipsoid((0, 46, 27), (59, 49, 36)))
FRONTAL_FLOOR = (40.0, -75.0, -0.42)  # the floor of the anterior fossa: z at y, and its slope dz / dy

FACE_OUTLINE: tuple[Shape, ...] = (
    Ellipsoid((0, -56, -4), (65, 60, 62)),
    Ellipsoid((0, -62, -52), (64, 55, 42)),
    Ellipsoid((0, -100, -78), (26, 25, 20)),
    Ellipsoid((0, -66, -80), (50, 46, 24)),  # under the jaw
    Ellipsoid((0, -60, 42), (54, 33, 30)),  # forehead
    Tube(((0, -106, 22), (0, -122, -8)), (8, 10)),
    Tube(((0, -110, -36), (0, -112, -50)), (11, 11)),
    Ellipsoid((52, -24, -40), (26, 36, 42)),
    Ellipsoid((-52, -24, -40), (26, 36, 42)),
)
NECK_OUTLINE: tuple[Shape, ...] = (
    Loft(
        (-190.0, -165.0, -145.0, -110.0, -80.0, -50.0, -20.0),
        (0,) * 7,
        (34.0, 24.0, 15.0, 4.0, 0.0, -2.0, 2.0),
        (90.0, 78.0, 67.0, 61.0, 61.0, 62.0, 60.0),
        (72.0, 68.0, 65.0, 62.0, 60.0, 60.0, 58.0),
    ),
    Loft(  # the shoulders
        (-330.0, -260.0, -222.0, -190.0, -160.0),
        (0,) * 5,
        (48.0, 48.0, 46.0, 38.0, 26.0),
        (205.0, 202.0, 186.0, 132.0, 72.0),
        (90.0, 88.0, 84.0, 74.0, 60.0),
    ),
)
SHOULDERS: tuple[Part, ...] = both_sides(
    (
        Part("face bone", Ellipsoid((168, 40, -250), (22, 24, 26))),  # head of the humerus
        Part("face bone", Tube(((12, -20, -222), (60, -22, -214), (120, 10, -206), (158, 32, -214)), (7, 6, 6, 7))),
        Part("face bone", Tube(((60, 104, -260), (110, 92, -232), (150, 60, -222)), (5, 6, 7), 1.4)),  # scapula
        Part("air", Ellipsoid((52, 40, -290), (38, 44, 62))),  # apex of the lung
        Part("face bone", Tube(((20, 62, -226), (64, 62, -236), (70, 20, -250), (30, -14, -262)), (5, 5, 5, 5))),
    )
)

BRAIN: tuple[Part, ...] = (
    *both_sides(
        (
            Part(
                "cleft",
                Ellipsoid((43, -4, 11.5), (24.5, 43.5, 22.8), turn_deg=-4, boxy=True),
                "temporal",
                within_brain=True,
            ),
            Part(
                "temporal",
                Ellipsoid((43, -4, 11), (22.7, 41.7, 20.8), turn_deg=-4, boxy=True),
                "temporal",
                "Lobe_Temporal",
                within_brain=True,
            ),
            Part("csf", Tube(((8, -20, 52), (11, 10, 58), (16, 36, 50)), (4, 5.5, 6)), "ventricles", lets_organ=True),
            Part("csf", Tube(((31, 22, 24), (35, -10, 8)), (2.5, 2.0)), "temporal", lets_organ=True),
        )
    ),
    Part(
        "csf", Tube(((0, -70, 82), (0, -20, 100), (0, 60, 94), (0, 90, 60)), (1.2,) * 4, 8), "brain"
    ),  # between the halves
    Part("cerebellum", Ellipsoid((0, 50, -11), (50, 35, 26)), "cerebellum", within_brain=True),
    Part("csf", Ellipsoid((0, 8, 34), (2.2, 15, 10)), "ventricles"),
    Part("csf", Ellipsoid((0, -27, 24), (13, 12, 8)), "brainstem"),  # suprasellar cistern
    Part(
        "csf",
        Loft(
            (-40.0, -35.5, -12.0, -5.0, 0.0, 13.0, 19.0, 23.0),
            (0,) * 8,
            (2.5, 1.5, -1.0, -2.5, -3.0, -1.0, 1.5, 3.0),
            (10.0, 10.5, 14.5, 18.5, 20.0, 19.0, 20.0, 17.0),
            (9.0, 9.5, 13.5, 15.0, 16.0, 17.0, 18.0, 16.0),
        ),
        "brainstem",
    ),
    Part("csf", Ellipsoid((0, 15.5, -6), (8, 4.5, 11)), "brainstem"),  # fourth ventricle
    Part(
        "brainstem",
        Loft(
            (-38.5, -35.5, -23.5, -11.9, -5.2, 0.2, 6.4, 12.6, 18.4, 20.5),
            (0,) * 10,
            (2.9, 2.9, 2.0, 0.7, -0.8, -1.3, -1.7, -0.4, 1.1, 1.1),
            (6.9, 7.1, 9.0, 10.9, 15.6, 17.4, 16.4, 15.2, 16.6, 15.0),
            (6.1, 6.3, 7.7, 9.3, 11.4, 12.9, 13.9, 14.4, 14.0, 12.5),
        ),
        "brainstem",
        "Brainstem",
    ),
)

SKULL_BASE: tuple[Part, ...] = (
    *both_sides(
        (
            Part("petrous", Tube(((54, 10, -12), (34, -3, -8), (14, -17, -3)), (10, 7.5, 4.5)), "skull base"),
            Part("mastoid", Ellipsoid((54, 12, -27), (10, 13, 19)), "skull base"),
            Part("air", Tube(((72, -4, -13), (50, -4, -12)), (3.5, 3.0)), "skull base"),  # ear canal
            Part("face bone", Tube(((20, -18, -14), (36, -30, -6), (46, -46, 10)), (4, 3, 3)), "skull base"),
            Part(
                "face bone", Tube(((18, -34, 21), (34, -42, 24), (52, -44, 32)), (3, 3.5, 4)), "skull base"
            ),  # sphenoid wing
            Part("face bone", Ellipsoid((15, -4, -41), (7, 11, 5)), "skull base"),  # condyle of the occiput
        )
    ),
    Part("face bone", Tube(((0, -22, 11), (0, -21, 0), (0, -15, -32)), (3.5, 6, 5), 1.0), "skull base"),  # clivus
    Part("face bone", Ellipsoid((0, -42, 5), (17, 21, 13), boxy=True), "skull base"),
    Part("air", Ellipsoid((0, -47, 2.5), (13, 13, 9.5)), "skull base"),  # sphenoid sinus
    Part("face bone", Tube(((-8, -23, 16), (8, -23, 16)), (2.0, 2.0), 1.6), "skull base"),  # dorsum sellae
)

PITUITARY = (Part("pituitary", Ellipsoid((0, -31.5, 14.5), (6.2, 4.8, 4.2)), "pituitary", "Pituitary"),)

FACE: tuple[Part, ...] = (
    *both_sides(
        (
            Part(
                "face bone", Tube(((46, -80, 10), (58, -66, 2), (66, -45, -3), (66, -24, -6)), (5, 4.5, 3.2, 3.2), 1.5)
            ),
            Part("face bone", Ellipsoid((28, -80, -8), (19, 19, 19)), "maxilla"),
            Part("face bone", Tube(((40, -82, 12), (47, -76, 28), (40, -80, 43)), (3.5, 4, 4))),  # rim of the orbit
            Part("air", Ellipsoid((28, -77, -6), (15, 16, 16)), "maxilla"),
            Part("thin bone", Tube(((20, -52, -5), (19, -50, -34)), (2.2, 2.0), 1.0)),  # pterygoid process
            Part("air", Ellipsoid((11, -85.5, 45), (8.5, 3.8, 8)), "frontal sinus"),
        )
    ),
    Part("face bone", Ellipsoid((0, -85, 43), (24, 6, 11))),
    Part(
        "face bone",
        Tube(((26, -72, -30), (18, -95, -32), (0, -103, -33), (-18, -95, -32), (-26, -72, -30)), (5,) * 5, 1.7),
    ),
    Part("face bone", Ellipsoid((0, -78, -27), (22, 25, 3.5))),  # palate
    Part("air", Ellipsoid((0, -75, -6), (14, 31, 19), boxy=True), "nose"),
    Part("ethmoid", Ellipsoid((0, -68, 18), (12, 21, 13), boxy=True), "nose"),
    *both_sides(
        (
            Part("gland", Ellipsoid((8, -78, -14), (3.8, 24, 6.5)), "nose"),  # turbinates
            Part("gland", Ellipsoid((8, -76, 2), (3.0, 20, 5)), "nose"),
            Part("air", Tube(((5, -102, -14), (6, -116, -20)), (3.5, 3.5)), "nose"),  # nostril
        )
    ),
    Part("thin bone", Ellipsoid((0, -76, -4), (1.3, 31, 19), boxy=True), "nose"),
    Part("thin bone", Tube(((0, -104, 28), (0, -112, 12)), (4, 3))),
)

ORBITS: tuple[Part, ...] = both_sides(
    (
        Part("orbital fat", Tube(((31, -85, 26.5), (29, -72, 26), (16, -46, 21.5)), (14.5, 14, 4)), "eye"),
        Part("muscle", Tube(((43, -76, 26.5), (36, -62, 25), (19, -44, 21)), (1.8, 2.6, 1.5), 2.2), "eye"),
        Part("muscle", Tube(((19, -76, 26.5), (20, -62, 25), (14, -44, 21)), (1.7, 2.4, 1.5), 2.2), "eye"),
        Part("muscle", Tube(((31, -76, 38), (28, -62, 34), (17, -44, 25)), (2.2, 2.6, 1.5)), "eye"),
        Part("muscle", Tube(((31, -76, 15), (28, -62, 17), (17, -44, 18)), (2.2, 2.6, 1.5)), "eye"),
        Part("sclera", Ellipsoid((31.7, -80, 26.5), (12.2, 12.4, 12.2)), "eye"),
        Part("vitreous", Ellipsoid((31.7, -80, 26.5), (11.0, 11.2, 11.0)), "eye"),
        Part("lens", Ellipsoid((32, -88, 27), (4.5, 2.5, 4.5)), "eye", "Lens"),
        Part(
            "nerve",
            Tube(((31, -69, 26), (27, -61, 24.5), (19, -50, 21.5), (12, -42, 20.5)), (2.7, 2.5, 2.4, 2.3)),
            "eye",
            "OpticNrv",
        ),
    )
)

JAW: tuple[Part, ...] = (
    *both_sides(
        (
            Part("mandible", Tube(MANDIBLE_ARCH, (5.8, 5.8, 5.8, 5.5, 4.5), 2.3), "jaw", "Bone_Mandible"),
            Part(
                "mandible",
                Ellipsoid((50, -41, -41), (4.0, 14.5, 25), tilt_deg=12, lean_deg=9, boxy=True),
                "jaw",
                "Bone_Mandible",
            ),
            Part("mandible", Tube(((52, -30, -26), (53.5, -21, -8)), (4.6, 5.2)), "jaw", "Bone_Mandible"),
            Part("mandible", Ellipsoid((53.5, -20, -7), (8.5, 4.6, 4.6), turn_deg=-15), "jaw", "Bone_Mandible"),
            Part("mandible", Tube(((52, -44, -24), (51, -47, -8)), (4.0, 2.6)), "jaw", "Bone_Mandible"),
        )
    ),
    *(
        Part("tooth", Ellipsoid((side * x, y, z + 2), (2.6 + x / 16, 2.8 + x / 18, 6.5)), "jaw")
        for side in (1, -1)
        for x, y, z in (
            (3, -105, -54),
            (9.5, -103.5, -54),
            (16, -99, -54),
            (22, -92, -53),
            (27, -83, -52),
            (32, -72, -51),
        )
    ),
    *(
        Part("tooth", Ellipsoid((side * x, y, -41), (2.6 + x / 16, 2.8 + x / 18, 6)), "maxilla teeth")
        for side in (1, -1)
        for x, y in ((3, -106), (9.5, -104), (16, -99), (21, -91), (25, -82), (28, -72))
    ),
)
