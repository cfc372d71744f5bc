"""Change dossiers of nights that never were."""

from datetime import UTC, datetime, timedelta

import numpy as np

from adaptation.case_record import CaseRecord, Edit, Origin, Ruling, Status, Structure
from adaptation.dossier import Change, Dossier, Learning, Limits
from adaptation.gate import judge
from adaptation.looks import Look
from adaptation.partition import Part
from adaptation.report import About
from tests.support.scores import NAMES, evidence

AT = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)
EDIT = Edit(dice=0.9, surface_dice=0.95, hd95_mm=3.0, added_path_mm=120.0, volume_ratio=1.02, edited_slices=0.3)


def case(number, part, origin=Origin.DE_NOVO):
    """Return an admitted case of all organs."""
    structures = dict.fromkeys(NAMES, Structure(origin, None if origin is Origin.DE_NOVO else EDIT))
    ruling = Ruling(AT, Status.ADMITTED, "admission", "")
    return CaseRecord(f"patient{number:02}", 1, AT, structures, part, (ruling,), month="2026-04", ct_digest="ab" * 32)


def dossier(gains, **changes):
    """Return the dossier of a candidate with such gains on the gate's cases, (cases, organs)."""
    told = evidence(gains, **changes)
    parts = [Part.TRAIN] * 24 + [Part.TUNE] * 5 + [Part.GATE] * len(gains)
    origins = [Origin.DE_NOVO, Origin.DE_NOVO, Origin.EDITED]
    verdict = judge(told, Limits().gate)
    steps = np.arange(20, 3001, 20)
    past = [
        Look(AT - timedelta(days=30 * ago), alpha, ago == 2) for ago, alpha in ((4, 0.0139), (2, 0.007), (1, 0.007))
    ]
    return Dossier(
        change=Change(
            "adapt:site:2026-05-04",
            AT,
            "12 new cases since the last run",
            About("site 3", "1f" * 32),
            About("site 4", "2e" * 32),
            About("starter 1", "3d" * 32),
            "conv5-b1",
            10,
        ),
        cases=tuple(case(number, part, origins[number % 3]) for number, part in enumerate(parts)),
        left_out={"Parotid_L: its volume is 4.2 standard deviations from the population's": 2},
        learning=Learning(
            {"steps": "3000", "learning rate": "1e-4, head; 3e-5, conv5", "L2-SP": "0.01", "EMA": "0.999"},
            20260504,
            {"dicomnode": "0.1.0", "torch": "2.13.0"},
            1834.0,
            [(int(step), float(0.2 + np.exp(-step / 500))) for step in steps],
            [(int(step), float(0.82 - 0.04 * np.exp(-step / 600))) for step in steps[::10]],
            2800,
        ),
        evidence=told,
        verdict=verdict,
        limits=Limits(),
        looks=(*past, Look(AT, told.alpha, verdict.lets_through)),
        undo="dicomnode models rollback starter",
    )
