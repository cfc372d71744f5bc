"""Nights of a site whose scanner shows organs otherwise than the base model learnt: there is something to gain.

The organs of `site_case` have other grey values than those of `tests.support.tiny`, whose network is the base.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.case_record import Origin, Structure
from adaptation.cases import CaseStore, NewCase
from adaptation.dossier import Limits
from adaptation.labelled_ct import LabelledCt
from adaptation.limits import GateLimits, LookLimits, PartLimits, RunLimits
from adaptation.night import Night
from adaptation.night_settings import NightSettings
from adaptation.partition import Part, part_for
from segmentation.registry import Registry
from segmentation.volume import Volume
from tests.support.tiny import BRIGHTEST_ELSE_HU, ORGAN_HU, marked_phantom, write_tiny_bundle

SLICES = 20
SITE_HU = {"Brainstem": 1420, "Parotid_L": 1950, "Parotid_R": 2520}
EVENING = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
SETTINGS = NightSettings(steps=40, tune_every=20, patience=0, batch=6, views=2, samples=12, average=0.9, minutes=60)
LIMITS = Limits(
    run=RunLimits(train=3, train_shadow=3, tune=1, gate=5, new_cases=1, organ_train=1, organ_gate=1, rest_days=0),
    looks=LookLimits(year_alpha=0.5, looks=2, front=0.0),
    gate=GateLimits(base_cases=0, flag_cases=0, shadow_patients=0, latency_ratio=9.0, large_drop=0.05),
)
PARTS = PartLimits()


@cache
def site_case(number: int, hu: tuple[int, ...] = tuple(SITE_HU.values())) -> LabelledCt:
    """Return a patient: the phantom shifted within its slices, with the site's grey values and some noise."""
    phantom, rng = marked_phantom(SLICES), np.random.default_rng(number)
    voxels = phantom.volume.hu.astype(np.int32)
    for organ, value in zip(ORGAN_HU, hu, strict=True):
        voxels[phantom.masks[organ]] = value
    voxels += rng.normal(0, 15, voxels.shape).astype(np.int32)
    shift = tuple(int(each) for each in rng.integers(-3, 4, 2))
    masks = {organ: np.roll(phantom.masks[organ], shift, (1, 2)) for organ in ORGAN_HU}
    moved = np.roll(np.where(voxels > 2900, BRIGHTEST_ELSE_HU, voxels), shift, (1, 2)).astype(np.int16)
    return LabelledCt(Volume(moved, phantom.volume.grid), masks)


def patients(part: Part, count: int, first: int = 0) -> list[str]:
    """Return pseudonyms that the salted hash puts into a part."""
    found: list[str] = []
    number = first
    while len(found) < count:
        if part_for(f"pseudonym{number:05d}", 0, PARTS) is part:
            found.append(f"pseudonym{number:05d}")
        number += 1
    return found


def filed(
    store: CaseStore,
    patient: str,
    *,
    at: datetime = EVENING,
    case: LabelledCt | None = None,
    origin: Origin = Origin.DE_NOVO,
    organs: tuple[str, ...] = tuple(ORGAN_HU),
) -> None:
    """File an admitted case of a patient."""
    structures = {organ: Structure(origin) for organ in organs}
    source = f"set-{patient}-{at:%d%H}"
    new = NewCase(patient, ct=f"ct-{patient}", source=source, structures=structures, month="2026-03")
    store.file(new, case or site_case(int(patient[-5:])), at)


def fill(
    store: CaseStore, *, train: int = 3, tune: int = 1, gate: int = 5, hu: tuple[int, ...] = tuple(SITE_HU.values())
) -> None:
    """File the cases of a night."""
    for part, count in ((Part.TRAIN, train), (Part.TUNE, tune), (Part.GATE, gate)):
        for patient in patients(part, count):
            filed(store, patient, at=EVENING - timedelta(days=1), case=site_case(int(patient[-5:]), hu))


def night(folder: Path, name: str = "2026-03-10", **changes: Any) -> Night:
    """Return a night over a folder; base, store and registry are made where they are missing."""
    base = folder / "base"
    if not base.exists():
        write_tiny_bundle(base)
    about: Mapping[str, Any] = {
        "root": folder / "adaptation",
        "name": name,
        "store": CaseStore(folder / "adaptation" / "cases"),
        "registry": Registry(folder / "registry"),
        "model": "tiny",
        "base": base,
        "settings": SETTINGS,
        "limits": LIMITS,
        "clock": lambda: EVENING,
        "seconds": ticking(),
        "device": "cpu",
        "golden": lambda: marked_phantom(SLICES).volume,
    }
    return Night(**(dict(about) | changes))


def ticking(step: float = 0.01) -> Any:
    """Return a clock that goes on a little whenever it is read."""
    now = [0.0]

    def read() -> float:
        now[0] += step
        return now[0]

    return read


def with_limits(**changes: Any) -> Limits:
    """Return the limits of these nights with others of a run."""
    return replace(LIMITS, run=replace(LIMITS.run, **changes))
