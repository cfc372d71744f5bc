"""What organs usually measure, before a site has admitted cases of its own (pure).

Written by `python -m benchmarks.admission prior --write`, which says how. Behind each line stands what it was made of
and of how many: P patients of OpenKBP (Babier et al., Med Phys 48:5549, 2021), groups `source` and `other`; M masks of
two observers (Nikolov et al., arXiv 1809.04430), which have no HU; F phantoms of this project, widened. The measures
are those of `adaptation/measures.py`.
"""

from collections.abc import Mapping

PRIOR: Mapping[tuple[str, str], tuple[float, float]] = {
    # Organ and measure -> mean, standard deviation.
    ("Brainstem", "volume"): (3.25, 0.31),  # P 134, M 50
    ("Brainstem", "length"): (4.04, 0.2),  # P 134, M 50
    ("Brainstem", "HU"): (6.25, 10),  # P 171
    ("Brainstem", "off midline"): (0.436, 2.5),  # P 171
    ("SpinalCord", "HU"): (13.4, 14),  # P 186
    ("SpinalCord", "off midline"): (0.82, 5),  # P 186
    ("SpinalCord", "left of Brainstem"): (0.0603, 5.5),  # P 169, M 50
    ("SpinalCord", "back of Brainstem"): (13.4, 25),  # P 169, M 50
    ("SpinalCord", "head of Brainstem"): (-113, 61),  # P 169, M 50
    ("SpinalCord", "volume"): (3.13, 0.5),  # P 60, M 50
    ("SpinalCord", "length"): (5.34, 0.36),  # P 60, M 50
    ("Bone_Mandible", "volume"): (4.16, 0.29),  # P 104, M 50
    ("Bone_Mandible", "length"): (4.31, 0.25),  # P 104, M 50
    ("Bone_Mandible", "HU"): (702, 1.2e02),  # P 110
    ("Bone_Mandible", "off midline"): (0.688, 2.8),  # P 110
    ("Bone_Mandible", "left of Brainstem"): (0.119, 4),  # P 96, M 50
    ("Bone_Mandible", "back of Brainstem"): (-73.5, 11),  # P 96, M 50
    ("Bone_Mandible", "head of Brainstem"): (-52.7, 15),  # P 96, M 50
    ("Pituitary", "volume"): (-0.685, 0.5),  # F 20
    ("Pituitary", "length"): (2.2, 0.4),  # F 20
    ("Pituitary", "HU"): (114, 40),  # F 20
    ("Pituitary", "off midline"): (-0.79, 6),  # F 20
    ("Pituitary", "left of Brainstem"): (-0.743, 8),  # F 20
    ("Pituitary", "back of Brainstem"): (-31, 8),  # F 20
    ("Pituitary", "head of Brainstem"): (15.4, 8),  # F 20
    ("Parotid_L", "volume"): (3.28, 0.43),  # P 179, M 50
    ("Parotid_L", "length"): (4, 0.24),  # P 179, M 50
    ("Parotid_L", "HU"): (-24.8, 39),  # P 183
    ("Parotid_L", "off midline"): (59.1, 5.3),  # P 183
    ("Parotid_L", "ratio"): (-0.00962, 0.2),  # P 179, M 50
    ("Parotid_L", "left of Brainstem"): (58.7, 5.8),  # P 165, M 50
    ("Parotid_L", "back of Brainstem"): (-26.4, 7.4),  # P 165, M 50
    ("Parotid_L", "head of Brainstem"): (-38.3, 12),  # P 165, M 50
    ("Parotid_L", "left of Parotid_R"): (117, 10),  # P 183, M 50
    ("Parotid_L", "back of Parotid_R"): (0.15, 4.8),  # P 183, M 50
    ("Parotid_L", "head of Parotid_R"): (0.0442, 5.1),  # P 183, M 50
    ("Parotid_L", "left of Bone_Mandible"): (58.5, 6),  # P 108, M 50
    ("Parotid_L", "back of Bone_Mandible"): (47.3, 7.5),  # P 108, M 50
    ("Parotid_L", "head of Bone_Mandible"): (14.3, 9.8),  # P 108, M 50
    ("Parotid_R", "volume"): (3.29, 0.4),  # P 183, M 50
    ("Parotid_R", "length"): (4, 0.21),  # P 183, M 50
    ("Parotid_R", "HU"): (-19.3, 35),  # P 187
    ("Parotid_R", "off midline"): (-58.1, 5.3),  # P 187
    ("Parotid_R", "ratio"): (0.00962, 0.2),  # P 179, M 50
    ("Parotid_R", "left of Brainstem"): (-58.7, 5.6),  # P 169, M 50
    ("Parotid_R", "back of Brainstem"): (-26.5, 8.1),  # P 169, M 50
    ("Parotid_R", "head of Brainstem"): (-38.4, 11),  # P 169, M 50
    ("Parotid_R", "left of Bone_Mandible"): (-58.7, 5.7),  # P 110, M 50
    ("Parotid_R", "back of Bone_Mandible"): (47.1, 6.6),  # P 110, M 50
    ("Parotid_R", "head of Bone_Mandible"): (14.2, 9.4),  # P 110, M 50
    ("Lens_L", "volume"): (-1.62, 0.42),  # M 50
    ("Lens_L", "length"): (2.3, 0.35),  # M 50
    ("Lens_L", "HU"): (85.1, 40),  # F 20
    ("Lens_L", "off midline"): (30.2, 11),  # F 20
    ("Lens_L", "ratio"): (-0.0131, 0.36),  # M 50
    ("Lens_L", "left of Brainstem"): (31.4, 4.7),  # M 50
    ("Lens_L", "back of Brainstem"): (-88.2, 5.9),  # M 50
    ("Lens_L", "head of Brainstem"): (26.8, 15),  # M 50
    ("Lens_L", "left of Lens_R"): (65.1, 4),  # M 50
    ("Lens_L", "back of Lens_R"): (-0.529, 4),  # M 50
    ("Lens_L", "head of Lens_R"): (-0.118, 4),  # M 50
    ("Lens_R", "volume"): (-1.6, 0.34),  # M 50
    ("Lens_R", "length"): (2.3, 0.35),  # M 50
    ("Lens_R", "HU"): (82.3, 40),  # F 20
    ("Lens_R", "off midline"): (-34.5, 10),  # F 20
    ("Lens_R", "ratio"): (0.0131, 0.36),  # M 50
    ("Lens_R", "left of Brainstem"): (-33.7, 5.2),  # M 50
    ("Lens_R", "back of Brainstem"): (-87.7, 5.8),  # M 50
    ("Lens_R", "head of Brainstem"): (26.9, 15),  # M 50
    ("OpticNrv_L", "volume"): (-0.313, 0.3),  # M 50
    ("OpticNrv_L", "length"): (2.33, 0.35),  # M 50
    ("OpticNrv_L", "HU"): (30.6, 40),  # F 20
    ("OpticNrv_L", "off midline"): (21.3, 7),  # F 20
    ("OpticNrv_L", "ratio"): (-0.0269, 0.16),  # M 50
    ("OpticNrv_L", "left of Brainstem"): (21.6, 4),  # M 50
    ("OpticNrv_L", "back of Brainstem"): (-56.6, 6.5),  # M 50
    ("OpticNrv_L", "head of Brainstem"): (22.7, 9.7),  # M 50
    ("OpticNrv_L", "left of OpticNrv_R"): (44.2, 4),  # M 50
    ("OpticNrv_L", "back of OpticNrv_R"): (-0.893, 4),  # M 50
    ("OpticNrv_L", "head of OpticNrv_R"): (-0.0918, 4),  # M 50
    ("OpticNrv_R", "volume"): (-0.289, 0.3),  # M 50
    ("OpticNrv_R", "length"): (2.33, 0.35),  # M 50
    ("OpticNrv_R", "HU"): (31, 40),  # F 20
    ("OpticNrv_R", "off midline"): (-24.7, 6.7),  # F 20
    ("OpticNrv_R", "ratio"): (0.0269, 0.16),  # M 50
    ("OpticNrv_R", "left of Brainstem"): (-22.5, 4),  # M 50
    ("OpticNrv_R", "back of Brainstem"): (-55.7, 5.7),  # M 50
    ("OpticNrv_R", "head of Brainstem"): (22.7, 9.7),  # M 50
    ("Lobe_Temporal_L", "volume"): (4.54, 0.5),  # F 20
    ("Lobe_Temporal_L", "length"): (3.73, 0.4),  # F 20
    ("Lobe_Temporal_L", "HU"): (36.3, 20),  # F 20
    ("Lobe_Temporal_L", "off midline"): (41.2, 6),  # F 20
    ("Lobe_Temporal_L", "ratio"): (0.0373, 0.35),  # F 20
    ("Lobe_Temporal_L", "left of Brainstem"): (41.2, 8),  # F 20
    ("Lobe_Temporal_L", "back of Brainstem"): (-3.41, 8),  # F 20
    ("Lobe_Temporal_L", "head of Brainstem"): (14.9, 8),  # F 20
    ("Lobe_Temporal_L", "left of Lobe_Temporal_R"): (82.5, 8),  # F 20
    ("Lobe_Temporal_L", "back of Lobe_Temporal_R"): (-1.94, 8),  # F 20
    ("Lobe_Temporal_L", "head of Lobe_Temporal_R"): (0.358, 8),  # F 20
    ("Lobe_Temporal_R", "volume"): (4.5, 0.5),  # F 20
    ("Lobe_Temporal_R", "length"): (3.73, 0.4),  # F 20
    ("Lobe_Temporal_R", "HU"): (36.5, 20),  # F 20
    ("Lobe_Temporal_R", "off midline"): (-41.4, 6),  # F 20
    ("Lobe_Temporal_R", "ratio"): (-0.0373, 0.35),  # F 20
    ("Lobe_Temporal_R", "left of Brainstem"): (-41.4, 8),  # F 20
    ("Lobe_Temporal_R", "back of Brainstem"): (-1.47, 8),  # F 20
    ("Lobe_Temporal_R", "head of Brainstem"): (14.5, 8),  # F 20
}
