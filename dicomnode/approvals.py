"""What becomes of a structure set that came in to be learnt from: a case, a wait for its CT, or a reason why not."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from dicomnode.config import Adaptation
from dicomnode.contourer import Contourer
from dicomnode.errors import ContouringError, NotFound
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.records import ApprovalRecord, ApprovalState, DeliveryState, ReceivedInstance
from dicomnode.routing import CT_IMAGE_STORAGE
from dicomnode.series import State
from dicomnode.structure_settings import StructureSettings

log = structlog.get_logger(__name__)

Values = dict[str, Any]
Fetch = Callable[[tuple[str, ...], str], str]
"""Fetches a series (its possible studies, its UID) from the configured peers; returns what came of it, in words."""

OPEN = frozenset({ApprovalState.PENDING, ApprovalState.LOOKING, ApprovalState.WAITING})
TOLD_AT = 2  # looks for a CT, the last of which asked the peers, after which somebody must know
FIRST_WAIT_S = 60.0  # between two looks for a CT; doubled each time


@dataclass(frozen=True)
class CaseFolder:
    """Where cases are kept, and how what comes in is understood.

    Args:
        data_dir: which paths in the ledger are relative to.
        store: folder of the case store.
        structures: the site's names and its rule of approval.
        minimum_slices: a CT of fewer is a fault of the case.
    """

    data_dir: Path
    store: Path
    structures: StructureSettings
    minimum_slices: int


@dataclass(frozen=True)
class Found:
    """The CT of a structure set, as far as it is here.

    Args:
        series: its UID; empty where nothing says which one it is.
        instances: of it.
        why: it cannot be used yet; empty if it can.
        can_be_fetched: whether a peer may have what is missing.
    """

    series: str
    instances: tuple[ReceivedInstance, ...] = ()
    why: str = ""
    can_be_fetched: bool = False


class Approvals:
    """The step that the workflow runs once; a test calls it as it is.

    Args:
        ledger: what is known, and what is to be remembered.
        filer: the process that reads structure sets and files cases.
        fetch: asks the peers for a CT that is not here.
        folder: of the cases.
        settings: of the site.
        pseudonyms: by which the log speaks.
        has_in_hand: whether the durable engine still has a filing before it or in hand.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        filer: Contourer,
        fetch: Fetch,
        *,
        folder: CaseFolder,
        settings: Adaptation,
        pseudonyms: Pseudonyms,
        has_in_hand: Callable[[ApprovalRecord], bool],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._filer = filer
        self._fetch = fetch
        self._folder = folder
        self._settings = settings
        self._pseudonyms = pseudonyms
        self._has_in_hand = has_in_hand
        self._now = clock

    def file(self, approval_id: int, attempt: int) -> str:
        """Make a case of a structure set, or say why not; return what came of it."""
        try:
            record = self._ledger.approval(approval_id)
        except NotFound:
            return "forgotten"
        if record.attempt != attempt or record.state not in OPEN:
            return "nothing to do"
        self._ledger.note_looking(record.id)
        instance = self._ledger.find_instance(record.sop_instance_uid)
        if instance is None:
            return "forgotten"
        try:
            return self._look(record, instance)
        except ContouringError as error:
            if not error.reasons:
                raise
            self._ledger.raise_alarm(
                "case", f"approval {record.id} cannot be learnt from: {'; '.join(error.reasons)}", _about(record.id)
            )
            return self._not_taken(record, error.reasons)

    def reconcile(self) -> None:
        """Give an end to filings that the engine has given up."""
        for record in self._ledger.approvals(ApprovalState.PENDING, ApprovalState.LOOKING):
            text = "filing was given up after it had ended the node repeatedly"
            if not self._has_in_hand(record) and self._ledger.note_lost(record, text):
                self._ledger.raise_alarm("case", f"approval {record.id}: {text}", _about(record.id))

    def give_up(self, approval_id: int, text: str) -> None:
        """Record that a fault of the node's kept a structure set from becoming a case."""
        self._ledger.note_approval_failed(approval_id, text)
        self._ledger.raise_alarm("case", f"approval {approval_id} could not be filed: {text}", _about(approval_id))

    def _look(self, record: ApprovalRecord, instance: ReceivedInstance) -> str:
        rule = self._folder.structures.approval
        facts = self._filer.ask(
            {
                "ask": "inspect",
                "path": str(self._folder.data_dir / instance.path),
                "rule": asdict(rule),
                "calling_ae_title": instance.calling_ae_title,
            }
        )
        found = self._find_ct(facts)
        if fault := self._why_not(record, facts, found):
            return self._not_taken(record, [fault])
        if found.can_be_fetched and record.attempt > 1:
            fetched = self._fetch(tuple(facts["studies"]), found.series)
            again = self._find_ct(facts)
            found = again if not again.why else Found(found.series, (), f"{found.why}; {fetched}", can_be_fetched=True)
        if found.why:
            return self._wait(record, found)
        return self._file(record, instance, found, facts)

    def _why_not(self, record: ApprovalRecord, facts: Values, found: Found) -> str:
        """Return why nothing can be learnt from a structure set, whatever comes yet; empty if something can."""
        if not self._settings.collect:
            return "adaptation.collect is switched off"
        if self._ledger.find_result(record.sop_instance_uid) is not None:
            return "it is one of ours that came back unchanged"
        if not facts["is_approved"]:
            return str(facts["reason"])
        if not found.series:
            return found.why
        # An archive may send old ones.
        later = any(one.reviewed > facts["reviewed"] for one in self._ledger.filed_on(found.series))
        return "a set that was reviewed later is filed of the same CT" if later and facts["reviewed"] else ""

    def _find_ct(self, facts: Values) -> Found:
        """Return the CT that a structure set was drawn on."""
        images, named = list(facts["images"]), list(facts["series"])
        first = next(filter(None, map(self._ledger.find_instance, images)), None)
        uid = first.series_instance_uid if first else named[0] if named else ""
        if len(named) > 1 and not first:
            return Found("", (), f"it refers to {len(named)} series and to no image: which is meant is unclear")
        if not uid:
            return Found("", (), "it refers to no CT that is here, neither by image nor by series")
        record = self._ledger.find_series(uid)
        if record is not None and record.state is State.RECEIVING:
            return Found(uid, (), "its CT is still arriving")
        instances = tuple(self._ledger.images_of(uid, CT_IMAGE_STORAGE))
        if not instances:
            return Found(uid, (), "its CT is not here", can_be_fetched=True)
        missing = set(images) - {one.sop_instance_uid for one in instances}
        gone = [one for one in instances if not (self._folder.data_dir / one.path).is_file()]
        if missing or gone:
            lacking = len(missing) + len(gone)
            return Found(uid, (), f"{lacking} of the slices that it refers to are not here", can_be_fetched=True)
        return Found(uid, instances)

    def _file(self, record: ApprovalRecord, instance: ReceivedInstance, found: Found, facts: Values) -> str:
        identity = facts["identity"] or self._pseudonyms.identity_of(found.series)
        patient = self._ledger.pseudonym_of(identity)
        folder = self._folder
        reply = self._filer.ask(
            {
                "ask": "file",
                "structure_set": str(folder.data_dir / instance.path),
                "slices": [str(folder.data_dir / one.path) for one in found.instances],
                "sent": self._sent_before(found.series, record.received),
                "withheld": self._withheld_until(found.series, record.received),
                "own_names": {name: [own.roi_name, *own.synonyms] for name, own in folder.structures.organs.items()},
                "minimum_slices": folder.minimum_slices,
                "patient": patient,
                "ct": self._pseudonyms.of(found.series),
                "source": self._pseudonyms.of(f"{record.sop_instance_uid} {instance.sha256}"),
                "at": self._now().isoformat(),
                "month": f"{record.received.astimezone():%Y-%m}",
                "store": str(folder.store),
                "parts": asdict(self._settings.parts),
                "admission": asdict(self._settings.admission),
            }
        )
        self._ledger.note_filed(record.id, reply["case"], patient, found.series, facts["reviewed"])
        log.info("a case was filed", case=reply["case"], status=reply["status"], reasons=reply["reasons"])
        if reply["reasons"]:
            text = f"case {reply['case']} was set aside: {'; '.join(reply['reasons'])}"
            self._ledger.raise_alarm("case", text, reply["case"])
        return str(reply["status"])

    def _sent_before(self, series_uid: str, before: datetime) -> list[tuple[str, str]]:
        """Return our structure sets of a CT that a peer had before a time: file and model digest, oldest first."""
        series = self._ledger.find_series(series_uid)
        if series is None:
            return []
        return [
            (str(self._folder.data_dir / result.path), result.model_digest)
            for result in self._ledger.results_of(series.id)
            if result.modality == "RTSTRUCT"
            and any(
                delivery.state is DeliveryState.SENT and delivery.finished is not None and delivery.finished <= before
                for delivery in self._ledger.deliveries(result_id=result.id)
            )
        ]

    def _withheld_until(self, series_uid: str, when: datetime) -> list[tuple[str, str]]:
        """Return our last structure sets of a CT whose patient nobody had contours of until a time, as above."""
        series = self._ledger.find_series(series_uid)
        if series is None or not series.patient:
            return []
        first = self._ledger.first_delivery_of(series.patient)
        if first is not None and first <= when:
            return []
        there = [
            one for one in self._ledger.results_of(series.id) if one.created <= when and one.modality == "RTSTRUCT"
        ]
        last = max((one.created for one in there), default=when)
        return [(str(self._folder.data_dir / one.path), one.model_digest) for one in there if one.created == last]

    def _wait(self, record: ApprovalRecord, found: Found) -> str:
        first = self._settings.fetch_after_s if record.attempt == 1 else FIRST_WAIT_S * 2 ** min(record.attempt - 1, 20)
        delay = timedelta(seconds=min(first, self._settings.longest_retry_h * 3600))
        self._ledger.note_waiting(record.id, found.why, found.series, delay=delay)
        log.warning("an approved structure set waits", approval=record.id, reason=found.why)
        if record.attempt == TOLD_AT:
            text = f"approval {record.id} waits for its CT: {found.why}"
            self._ledger.raise_alarm("case", text, _about(record.id))
        return "waits"

    def _not_taken(self, record: ApprovalRecord, reasons: list[str] | tuple[str, ...]) -> str:
        self._ledger.note_not_taken(record.id, reasons)
        log.info("a structure set is not learnt from", approval=record.id, reasons=list(reasons))
        return "not taken"


def _about(approval_id: int) -> str:
    return f"approval-{approval_id}"
