"""Approved cases as a department gives them back, week after week, with as much edited as a test wants."""

from datetime import UTC, datetime, timedelta

import numpy as np

from adaptation.case_record import CaseRecord, Edit, Origin, Ruling, Status, Structure, encode_record
from adaptation.partition import Part

START = datetime(2025, 1, 6, 10, tzinfo=UTC)  # a Monday


def approvals(
    surface_dsc, *, organ="Parotid_L", scanner="scanner1", model="v1", start=START, per_week=5, untouched=0.3
):
    """Return approved cases of one organ.

    Args:
        surface_dsc: of each, to what we had sent.
        organ: TG-263 name.
        scanner: pseudonym.
        model: digest.
        start: of the first week.
        per_week: cases, on its first days.
        untouched: share that was left as it was.
    """
    records = []
    for number, value in enumerate(surface_dsc):
        at = start + timedelta(weeks=number // per_week, hours=20 * (number % per_week))
        edit = Edit(0.5 + value / 2, float(value), 20 * (1 - value), 900 * (1 - value), 1 + (1 - value) / 2, 1 - value)
        origin = Origin.UNTOUCHED if (number * untouched) % 1 + untouched > 1 - 1e-9 else Origin.EDITED
        records.append(
            CaseRecord(
                f"{model}{scanner}{start:%y%m%d}{number:04}",
                1,
                at,
                {organ: Structure(origin, edit)},
                Part.TRAIN,
                (Ruling(at, Status.ADMITTED, "admission", ""),),
                model_digest=model,
                scanner=scanner,
                month=f"{at:%Y-%m}",
            )
        )
    return records


def steady(count, mean=0.9, sd=0.03, seed=1):
    """Return surface DSCs of a process that does not change."""
    return np.clip(np.random.default_rng(seed).normal(mean, sd, count), 0, 1)


def keep(records, folder):
    """Write the records of cases as a case store has them, without their arrays."""
    for record in records:
        place = folder / record.patient / str(record.revision)
        place.mkdir(parents=True)
        (place / "case.json").write_bytes(encode_record(record))
