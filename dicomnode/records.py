"""What the ledger remembers, as frozen values (pure)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dicomnode.series import State


class DeliveryState(StrEnum):
    """Where a structure set is on its way to one peer."""

    PENDING = "pending"  # waits for its next attempt
    SENT = "sent"  # the peer answered with success, or success with a warning
    DEAD = "dead"  # given up; the operator may retry
    CANCELLED = "cancelled"  # by the operator


class ApprovalState(StrEnum):
    """Where a structure set that came in is on its way to a case."""

    PENDING = "pending"  # it has been ordered to be looked at
    LOOKING = "being looked at"  # and nobody forgets its patient meanwhile
    WAITING = "waiting"  # for its CT
    FILED = "filed"  # a case was made of it; whether that is admitted stands in the case store
    NOT_TAKEN = "not taken"  # nothing is learnt from it, for a reason
    FAILED = "failed"  # for a fault of the node's


class Proof(StrEnum):
    """What is known of a peer's having kept what was delivered to it, beside its C-STORE response."""

    NONE = ""  # nothing was delivered yet
    ACCEPTED = "accepted"  # the response is all that there will be
    AWAITED = "awaited"  # it is asked, or will be
    COMMITTED = "committed"  # it has committed itself to keep it (storage commitment)
    FOUND = "found"  # it finds it when it is queried (C-FIND)
    UNPROVEN = "unproven"  # it was asked for long enough and did not say
    REFUSED = "refused"  # it says that it does not have it


@dataclass(frozen=True)
class ReceivedInstance:
    """One instance whose bytes are on disk.

    Args:
        sop_instance_uid: of the instance.
        sop_class_uid: of the instance.
        series_instance_uid: the series that it belongs to.
        study_instance_uid: the study that it belongs to.
        transfer_syntax_uid: of the bytes on disk.
        sha256: hex, of the encoded data set as received, without preamble and file meta information; empty until the
            registrar has taken it.
        size: of the file, in bytes.
        path: relative to the data folder.
        calling_ae_title: who sent it.
        called_ae_title: whom they called.
        peer_address: where they called from.
        received: UTC.
        action: what the rules say it is for: contour, learn or ignore.
        rule: the name of the rule that matched.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    sha256: str
    size: int
    path: str
    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    received: datetime
    action: str
    rule: str


@dataclass(frozen=True)
class Repeated:
    """An instance that came again, the same.

    Args:
        sop_instance_uid: of the instance.
        received: UTC.
        wanted: how it came this time, where what was fetched only to learn from it is now to be contoured.
    """

    sop_instance_uid: str
    received: datetime
    wanted: ReceivedInstance | None = None


@dataclass(frozen=True)
class StructureSetSummary:
    """What an RT Structure Set that came in says of itself."""

    label: str
    approval_status: str
    roi_count: int
    referenced_series_uid: str


@dataclass(frozen=True)
class Arrived:
    """An instance that came for the first time.

    Args:
        instance: what is known of it.
        summary: what it says of itself, where it is a structure set.
    """

    instance: ReceivedInstance
    summary: StructureSetSummary | None = None


@dataclass(frozen=True)
class SeriesRecord:
    """A CT series and what became of it.

    Args:
        id: the ledger's own number.
        series_instance_uid: of the CT.
        study_instance_uid: of its study.
        state: where it is.
        before: where it was when it was last opened again; None if it never was.
        generation: how often it was taken to be whole; each time is a piece of work of its own.
        content: digest of the instances of the last generation, empty before the first.
        reasons: why it is held or failed, in words.
        released: whether the operator released the present content in spite of the reasons, or although it was blind.
        calling_ae_title: who sent it first, and gets the result where the rule names nobody.
        called_ae_title: whom they called.
        first_received: UTC.
        last_received: UTC, of the newest instance or repeat.
        completed: UTC, when the last generation was taken to be whole.
        patient: keyed digest of the Patient ID; empty before a first look at the headers.
    """

    id: int
    series_instance_uid: str
    study_instance_uid: str
    state: State
    before: State | None
    generation: int
    content: str
    reasons: tuple[str, ...]
    released: bool
    calling_ae_title: str
    called_ae_title: str
    first_received: datetime
    last_received: datetime
    completed: datetime | None
    patient: str


@dataclass(frozen=True)
class NewResult:
    """An instance that was written of a series, before the ledger knows it.

    Args:
        series_id: of the CT in the ledger.
        generation: the piece of work that made it.
        sop_instance_uid: of the instance; derived from content, model and settings.
        modality: RTSTRUCT or SEG.
        profile: for whom it was written.
        path: relative to the data folder.
        label: Structure Set Label; of a segmentation that of the structure set beside it.
        model_name: of the bundle.
        model_version: of the bundle.
        model_digest: hex SHA-256 of the bundle.
        created: UTC, the time written into the instance.
        volumes_cm3: of each organ drawn, by its name.
        not_found: organs that the model knows and did not find.
        notes: what a physicist should know of this result.
        seconds: how long each stage took.
    """

    series_id: int
    generation: int
    sop_instance_uid: str
    modality: str
    profile: str
    path: str
    label: str
    model_name: str
    model_version: str
    model_digest: str
    created: datetime
    volumes_cm3: dict[str, float]
    not_found: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: dict[str, float]


@dataclass(frozen=True)
class ResultRecord(NewResult):
    """An instance of ours, on disk."""

    id: int


@dataclass(frozen=True)
class DeliveryRecord:
    """One structure set on its way to one peer.

    Args:
        id: the ledger's own number.
        result_id: which structure set.
        peer: AE title.
        state: where it is.
        attempts: how many were made.
        permanent_refusals: how many of them the peer refused for good.
        status: of the last C-STORE response, None before the first.
        detail: of the last attempt, in words.
        created: UTC.
        next_attempt: UTC, to send it or to ask for the proof; None when there will be none.
        finished: UTC, when it was sent or given up.
        proof: what is known of its being kept.
        proof_attempts: how often the peer was asked for it.
    """

    id: int
    result_id: int
    peer: str
    state: DeliveryState
    attempts: int
    permanent_refusals: int
    status: int | None
    detail: str
    created: datetime
    next_attempt: datetime | None
    finished: datetime | None
    proof: Proof
    proof_attempts: int


@dataclass(frozen=True)
class StructureSetRecord:
    """An RT Structure Set that came in."""

    sop_instance_uid: str
    label: str
    approval_status: str
    roi_count: int
    referenced_series_uid: str
    ours: bool
    path: str
    calling_ae_title: str
    received: datetime


@dataclass(frozen=True)
class ConflictRecord(ReceivedInstance):
    """An instance that came under a known UID with other content, kept apart until the operator decides.

    Args:
        id: the ledger's own number.
        decision: "accepted", "rejected", or empty while it waits.
    """

    id: int
    decision: str


@dataclass(frozen=True)
class AlarmRecord:
    """Something that a person must look at; shown until it is acknowledged."""

    id: int
    kind: str
    text: str
    about: str
    raised: datetime
    count: int
    acknowledged: datetime | None


@dataclass(frozen=True)
class ContouringOrder:
    """A series that is to be contoured."""

    series_id: int
    generation: int


@dataclass(frozen=True)
class DeliveryOrder:
    """A structure set that is to be sent."""

    delivery_id: int
    attempt: int
    delay_s: float


@dataclass(frozen=True)
class Due:
    """Something that is old enough to be purged.

    Args:
        about: UID of what it is, or what it is in words.
        key: of its row.
        since: UTC, from when its age counts.
        paths: of its files, relative to the data folder.
    """

    about: str
    key: int | str
    since: datetime
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Holding:
    """Everything that the node has of some series.

    Args:
        series: the series.
        instances: received instances of them, and structure sets that were drawn on them.
        conflicts: instances of either that are kept apart.
        results: our structure sets of them.
    """

    series: tuple[SeriesRecord, ...]
    instances: tuple[ReceivedInstance, ...]
    conflicts: tuple[ConflictRecord, ...]
    results: tuple[ResultRecord, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of all, relative to the data folder."""
        return tuple(one.path for part in (self.instances, self.conflicts, self.results) for one in part)


@dataclass(frozen=True)
class CommitmentRequest:
    """What a peer wants to be sure of: that instances which it sent are kept.

    Args:
        id: the ledger's own number.
        transaction_uid: by which the answer refers to it.
        peer: AE title.
        references: SOP class and SOP instance of each.
        attempts: that were made to answer.
        received: UTC.
        next_attempt: UTC.
    """

    id: int
    transaction_uid: str
    peer: str
    references: tuple[tuple[str, str], ...]
    attempts: int
    received: datetime
    next_attempt: datetime


@dataclass(frozen=True)
class ProofOrder:
    """A peer that is to be asked whether it has kept what was delivered."""

    delivery_id: int
    attempt: int
    delay_s: float


@dataclass(frozen=True)
class CommitmentOrder:
    """A peer that is to be told whether its instances are kept."""

    request_id: int
    attempt: int
    delay_s: float


@dataclass(frozen=True)
class ApprovalRecord:
    """A structure set that came in to be learnt from, and what became of it.

    Args:
        id: the ledger's own number.
        sop_instance_uid: of the structure set.
        state: where it is.
        attempt: number of the order that holds; what an earlier one does comes too late.
        reasons: why it waits or was not taken, in words.
        ct_series_uid: of the CT that it was drawn on; empty before that is known.
        reviewed: when it was reviewed, as the structure set says it; empty before that is known.
        patient: pseudonym; empty before that is known.
        case_name: of the case that was made of it.
        received: UTC.
        next_attempt: UTC, when its CT is looked for again; None when it is not.
        finished: UTC, when it was filed or not taken.
    """

    id: int
    sop_instance_uid: str
    state: ApprovalState
    attempt: int
    reasons: tuple[str, ...]
    ct_series_uid: str
    reviewed: str
    patient: str
    case_name: str
    received: datetime
    next_attempt: datetime | None
    finished: datetime | None


@dataclass(frozen=True)
class ApprovalOrder:
    """A structure set that is to become a case."""

    approval_id: int
    attempt: int
    delay_s: float


@dataclass(frozen=True)
class NightOrder:
    """A turn of a run of adaptation.

    Args:
        site: AE title of the node.
        run: its name.
        turn: from 1.
        by: the person who asked for the run; empty for the schedule.
        force: whether what only has to be waited for is not waited for.
        delay_s: before it begins.
    """

    site: str
    run: str
    turn: int
    by: str = ""
    force: bool = False
    delay_s: float = 0.0


@dataclass(frozen=True)
class ShadowOrder:
    """A delivered series that is to be contoured by the version in the shadow, too.

    Args:
        series_id: of the CT in the ledger.
        generation: of its content.
        digest: of the version.
    """

    series_id: int
    generation: int
    digest: str


Order = ContouringOrder | DeliveryOrder | ProofOrder | CommitmentOrder | ApprovalOrder | NightOrder | ShadowOrder
"""A piece of work for the durable engine."""
