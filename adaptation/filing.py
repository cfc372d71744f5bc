"""The way of an approved structure set into the store: read, compared with what we sent, measured, judged, filed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adaptation.admission import Evidence, judge_case
from adaptation.admission_limits import AdmissionLimits
from adaptation.approved_set import ApprovedFiles, ApprovedSet, read_approved_set, read_sent
from adaptation.case_arrays import digest_of
from adaptation.case_record import CaseRecord, Edit, Structure
from adaptation.cases import CaseStore, NewCase
from adaptation.edits import Sent, compare_with_sent, nearest, origin_of
from adaptation.measures import measure
from adaptation.population import population_of


@dataclass(frozen=True)
class Filing:
    """What is to be filed.

    Args:
        files: structure set and CT.
        sent: structure sets that we sent of this CT before it was approved, oldest first, with the digest of the model
            that drew each.
        patient: pseudonym.
        ct: pseudonym of the CT series.
        source: pseudonym of the structure set and its content.
        at: UTC, when it is filed.
        month: of the approval, as `2026-03`.
        withheld: those that nobody had seen when it was approved, as the CT was contoured blind.
        limits: what admission lets pass.
    """

    files: ApprovedFiles
    patient: str
    ct: str
    source: str
    at: datetime
    month: str
    sent: tuple[tuple[Path, str], ...] = ()
    withheld: tuple[tuple[Path, str], ...] = ()
    limits: AdmissionLimits = field(default_factory=AdmissionLimits)


def file_approved_set(filing: Filing, store: CaseStore, pseudonym_of: Callable[[str], str]) -> CaseRecord:
    """Have an approved structure set become a case: admitted, or set aside with all reasons.

    To do it again, after a power cut anywhere in it, gives the same case.

    Args:
        filing: what is to be filed.
        store: where.
        pseudonym_of: names what must not be kept by its own name.

    Raises:
        CaseError: structure set or CT cannot be read.
        OSError: the disk refuses.
    """
    approved = read_approved_set(filing.files)
    sent = _nearest(approved, filing, filing.sent)
    edits = _edits_of(approved, sent)
    blind = _edits_of(approved, _nearest(approved, filing, filing.withheld))
    case = approved.labelled()
    measures = measure(case)
    records = store.records()
    evidence = Evidence(filing.patient, filing.ct, digest_of(case), measures, edits, approved.faults)
    reasons = judge_case(evidence, records, population_of(records, filing.limits.prior_patients), filing.limits)
    new = NewCase(
        patient=filing.patient,
        ct=filing.ct,
        source=filing.source,
        structures={
            organ: Structure(
                origin_of(edits.get(organ), approved.algorithms[organ]),
                edits.get(organ),
                measures[organ],
                blind.get(organ),
            )
            for organ in approved.organs
        },
        reasons=reasons,
        notes=approved.notes,
        model_digest=sent.model_digest if sent else "",
        scanner=pseudonym_of(approved.scanner),
        month=filing.month,
    )
    return store.file(new, case, filing.at)


def _nearest(approved: ApprovedSet, filing: Filing, ours: Sequence[tuple[Path, str]]) -> Sent | None:
    read = (read_sent(path, digest, approved.ct, filing.files.own) for path, digest in ours)
    return nearest(approved.organs, (one for one in read if one is not None))


def _edits_of(approved: ApprovedSet, sent: Sent | None) -> dict[str, Edit]:
    if sent is None:
        return {}
    grid = approved.ct.volume.grid
    return {
        organ: compare_with_sent(organ, mask, sent.organs[organ], grid)
        for organ, mask in approved.organs.items()
        if organ in sent.organs
    }
