"""A case store filled by a test: a small CT with two boxes for organs, and the words beside it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from adaptation.case_record import Origin, Structure
from adaptation.cases import NewCase
from adaptation.labelled_ct import LabelledCt
from adaptation.openkbp import axial_grid
from segmentation.volume import Volume

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PATIENT = "aa11bb22cc33"


def small_case(seed: int = 1) -> LabelledCt:
    """Return a CT of noise with a brainstem and a mandible of a few voxels."""
    hu = np.random.default_rng(seed).integers(-200, 200, (6, 16, 16)).astype(np.int16)
    masks = {name: np.zeros(hu.shape, dtype=np.bool_) for name in ("Brainstem", "Bone_Mandible")}
    masks["Brainstem"][1:4, 4:9, 5:9] = True
    masks["Bone_Mandible"][2:5, 10:14, 3:12] = True
    return LabelledCt(Volume(hu, axial_grid(hu.shape, np.array([3.0, 1.0, 1.0]))), masks)


def new_case(**changes: Any) -> NewCase:
    """Return what is known of a case; what is given replaces what it has."""
    values: dict[str, Any] = {
        "patient": PATIENT,
        "ct": "ct0000000001",
        "source": "set000000001",
        "structures": {"Brainstem": Structure(Origin.DE_NOVO), "Bone_Mandible": Structure(Origin.DE_NOVO)},
        "scanner": "scan00000001",
        "month": "2026-03",
    }
    return NewCase(**values | changes)
