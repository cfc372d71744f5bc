"""What each step of the durable work does, in terms of segmentation, the ledger and the peers."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from dicomnode import __version__
from dicomnode.config import Delivering
from dicomnode.contourer import Contourer
from dicomnode.errors import ContouringError
from dicomnode.examination import Dispatch, Examiner
from dicomnode.identity import SERIES_DESCRIPTIONS, structure_set_label, structure_set_series_uid
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.peers import Peer, find_peer
from dicomnode.records import DeliveryRecord, DeliveryState, NewResult, ResultRecord, SeriesRecord, ShadowOrder
from dicomnode.scu import SendOutcome
from dicomnode.series import content_digest
from dicomnode.spool import make_directory
from segmentation.durable import write_whole
from segmentation.review import ReviewLimits

log = structlog.get_logger(__name__)

Values = dict[str, Any]
Send = Callable[[Peer, Path], SendOutcome]

SERIES_NUMBERS = {"RTSTRUCT": 9000, "SEG": 9001}  # behind what a scanner numbers
SEND_ALL = ReviewLimits()
PERMANENT_REFUSALS = 3  # of one structure set by one peer, then it is set aside
JITTER = 0.1  # of a wait, so that many structure sets do not knock on a TPS that just started at the same second


class Jobs:
    """The steps; `workflows` runs each once, a test calls them as they are.

    Args:
        ledger: what is known, and what is to be remembered.
        examiner: which knows the routes and the models.
        contourer: the process that contours.
        send: hands a file to a peer.
        peers: of the configuration.
        delivering: for how long it is tried.
        device: on which the model runs.
        engine: that computes it.
        review: which results are held for a person.
        data_dir: which paths in the ledger are relative to.
        pseudonyms: by which the log speaks of a series.
        after_delivery: the work that follows when a result was delivered.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        examiner: Examiner,
        contourer: Contourer,
        send: Send,
        *,
        peers: Sequence[Peer],
        delivering: Delivering,
        device: str,
        engine: str = "auto",
        data_dir: Path,
        pseudonyms: Pseudonyms,
        review: ReviewLimits = SEND_ALL,
        after_delivery: Callable[[ResultRecord], Sequence[ShadowOrder]] = lambda _: (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._examiner = examiner
        self._contourer = contourer
        self._send = send
        self._peers = tuple(peers)
        self._delivering = delivering
        self._device, self._engine = device, engine
        self._review = review
        self._data_dir = data_dir
        self._pseudonyms = pseudonyms
        self._after_delivery = after_delivery
        self._now = clock
        for folder in ("work", "results"):
            make_directory(data_dir / folder)

    def contour(self, series_id: int, generation: int) -> Values:
        """Draw the organs of a series and keep them for `write`."""
        record = self._ledger.series(series_id)
        if record.generation != generation:
            return {"outcome": "superseded"}
        instances = self._ledger.instances_of(record.series_instance_uid)
        if content_digest(instance.sha256 for instance in instances) != record.content:
            # A slice came while the order waited: the series is open again and will be a generation of its own.
            return {"outcome": "superseded"}
        route = self._examiner.route_of(record, instances)
        model = self._examiner.model_of(route)
        for fault in model.faults:
            self._ledger.raise_alarm("model", fault, route.rule.bundle)
        kept = self._contouring_path(series_id, generation)
        paths = [str(path) for path in self._examiner.paths_of(instances)]
        # A late slice may come before `write` does: what was contoured is kept beside the organs.
        write_whole(kept.with_suffix(".json"), json.dumps([instance.path for instance in instances]).encode())
        name = self._pseudonyms.of(record.series_instance_uid)
        log.info("contouring begins", series=name, slices=len(paths), model=model.manifest.name)
        request = {
            "ask": "contour",
            "paths": paths,
            "bundle": str(model.folder),
            "bundle_digest": model.digest,
            "device": self._device,
            "engine": self._engine,
            "insist": record.released,
            "review": asdict(self._review),
            "out": str(kept),
        }
        try:
            reply = self._contourer.ask(request)
        except ContouringError as error:
            if not error.reasons:
                return {"outcome": "failed", "text": str(error)}
            self._refused(record, error.reasons)
            return {"outcome": "held"}
        log.info(
            "contouring ended",
            series=name,
            not_found=reply["not_found"],
            expected_dsc=reply["expected_dice"],
            engine=reply["engine"],
            seconds=reply["seconds"],
        )
        if reply["not_found"]:
            log.warning("organs were not found", series=name, organs=reply["not_found"])
        if reply["implausible"]:
            log.warning("organs are of implausible volume, place or parts", series=name, organs=reply["implausible"])
        return {
            "outcome": "done",
            "blind": self._examiner.is_blind(record),
            "content": record.content,
            "model": {"name": model.manifest.name, "version": model.manifest.version, "digest": model.digest},
            "not_found": reply["not_found"],
            "notes": reply["notes"],
            "summary": reply["summary"],
            "engine": reply["engine"],
            "seconds": reply["seconds"],
        }

    def write(self, series_id: int, generation: int, contoured: Values) -> Values:
        """Write what the peers get, remember it, and order its deliveries."""
        record = replace(self._ledger.series(series_id), generation=generation)  # a newer one may be on its way
        instances = self._ledger.instances_of(record.series_instance_uid)
        dispatches = self._examiner.dispatches_of(self._examiner.route_of(record, instances))
        before = self._ledger.results_of(series_id)
        content, digest = contoured["content"], contoured["model"]["digest"]
        uids = {self._examiner.uid_of(dispatch, content, digest): dispatch for dispatch in dispatches}
        done = {result.sop_instance_uid for result in before if result.generation == generation}
        missing = [
            (dispatch, self._plan(record, uid, dispatch, before, contoured))
            for uid, dispatch in uids.items()
            if uid not in done
        ]
        if not missing:
            return {"outcome": "done"}  # the daemon was killed behind the rows: all is written and ordered
        kept = self._contouring_path(series_id, generation)
        request = {
            "ask": "write",
            "paths": [str(self._data_dir / one) for one in json.loads(kept.with_suffix(".json").read_bytes())],
            "contouring": str(kept),
            "appearances": {name: vars(shown) for name, shown in self._examiner.structures.appearances().items()},
            "outputs": [self._output(plan, before, contoured) for _, plan in missing],
        }
        name = self._pseudonyms.of(record.series_instance_uid)
        try:
            reply = self._contourer.ask(request)
        except ContouringError as error:
            if not error.reasons:
                raise
            self._refused(record, error.reasons)
            self._forget_contouring(series_id, generation)
            return {"outcome": "held"}
        is_blind = contoured.get("blind", False)  # what an older release contoured before an upgrade does not say
        if is_blind:
            self._examiner.tell_blind(record)  # before the row: who is killed between the two tells it twice
        for dispatch, plan in missing:
            seconds = {**contoured["seconds"], **reply["seconds"]}
            peers = () if is_blind else dispatch.peers
            self._ledger.note_result(replace(plan, volumes_cm3=reply["volumes_cm3"], seconds=seconds), peers)
            log.info("a result was written", series=name, modality=plan.modality, label=plan.label)
        self._forget_contouring(series_id, generation)
        return {"outcome": "done"}

    def _plan(
        self,
        record: SeriesRecord,
        uid: str,
        dispatch: Dispatch,
        before: Sequence[ResultRecord],
        contoured: Values,
    ) -> NewResult:
        """Return what is to be written for some peers: what was made before is made again under the same names."""
        model = contoured["model"]
        alike = _alike(before, dispatch.modality, dispatch.profile)
        # Looked up by UID: what was made before is made again with the same time and name, so byte for byte.
        known = next((result for result in alike if result.sop_instance_uid == uid), None)
        created = known.created if known else (record.completed or self._now())
        return NewResult(
            series_id=record.id,
            generation=record.generation,
            sop_instance_uid=uid,
            modality=dispatch.modality,
            profile=dispatch.profile,
            path=f"results/{self._pseudonyms.of(uid)}.dcm",
            label=known.label if known else structure_set_label(created.astimezone(), len(alike) + 1),
            model_name=model["name"],
            model_version=model["version"],
            model_digest=model["digest"],
            created=created,
            volumes_cm3={},
            not_found=tuple(contoured["not_found"]),
            notes=tuple(contoured["notes"]),
            seconds={},
        )

    def _output(self, plan: NewResult, before: Sequence[ResultRecord], contoured: Values) -> Values:
        """Return how the contouring process is told to write it."""
        earlier = [
            result.label
            for result in _alike(before, plan.modality, plan.profile)
            if result.sop_instance_uid != plan.sop_instance_uid and result.created <= plan.created
        ]
        return {
            "modality": plan.modality,
            "profile": plan.profile,
            "identity": _identity(plan, earlier[-1] if earlier else "", contoured),
            "out": str(self._data_dir / plan.path),
        }

    def set_aside(self, series_id: int, generation: int, text: str) -> None:
        """Record that a series could not be contoured, and tell the operator."""
        name = self._pseudonyms.of(self._ledger.series(series_id).series_instance_uid)
        self._ledger.fail(series_id, generation, text)
        self._forget_contouring(series_id, generation)
        self._ledger.raise_alarm("failed", f"series {name} could not be contoured: {text}", name)

    def deliver(self, delivery_id: int, attempt: int) -> str:
        """Try once to hand a structure set to a peer; return what came of it."""
        delivery = self._ledger.delivery(delivery_id)
        if delivery.state is not DeliveryState.PENDING or delivery.attempts != attempt - 1:
            return "nothing to do"
        peer = find_peer(self._peers, delivery.peer)
        if peer is None:
            text = f"{delivery.peer} is no peer of the configuration"
            self._give_up(delivery, None, text, refused=True)
            return text
        result = self._ledger.result(delivery.result_id)
        outcome = self._send(peer, self._data_dir / result.path)
        if outcome.ok:
            prove = peer.proof != "response"
            then = self._after_delivery(result)
            self._ledger.note_sent(delivery.id, outcome.status or 0, outcome.comment, prove=prove, then=then)
            log.info("a structure set was delivered", job=delivery.id, peer=peer.ae_title, status=_code(outcome))
            return "sent"
        refused = not outcome.transient
        too_often = refused and delivery.permanent_refusals + 1 >= PERMANENT_REFUSALS
        too_long = self._now() - delivery.created > timedelta(hours=self._delivering.give_up_after_h)
        if too_often or too_long:
            self._give_up(delivery, outcome.status, outcome.comment, refused=refused)
            return "given up"
        delay = self._delay(attempt)
        # A peer's comment may name the patient: it is kept for `jobs show` and stays out of the log.
        log.warning(
            "a delivery failed and is tried again",
            job=delivery.id,
            peer=peer.ae_title,
            status=_code(outcome),
            wait_s=round(delay.total_seconds()),
        )
        self._ledger.note_retry(delivery.id, outcome.status, outcome.comment, delay=delay, refused=refused)
        return "tried again later"

    def _delay(self, attempt: int) -> timedelta:
        exponent = min(attempt - 1, 30)
        wait_s = min(self._delivering.first_retry_s * 2**exponent, self._delivering.longest_retry_s)
        return timedelta(seconds=wait_s * (1 + random.uniform(-JITTER, JITTER)))  # noqa: S311 (spreads load, no secret)

    def _give_up(self, delivery: DeliveryRecord, status: int | None, text: str, *, refused: bool) -> None:
        self._ledger.note_given_up(delivery.id, status, text, refused=refused)
        job = f"deliver-{delivery.id}"
        how = "no answer" if status is None else f"status {status:04X}"
        self._ledger.raise_alarm(
            "undelivered", f"job {job} to {delivery.peer} was given up: {how}; `jobs show {job}` says more", job
        )

    def _refused(self, record: SeriesRecord, reasons: Sequence[str]) -> None:
        name = self._pseudonyms.of(record.series_instance_uid)
        self._ledger.refuse(record.id, record.generation, reasons)
        log.warning("a series is held", series=name, reasons=list(reasons))
        self._ledger.raise_alarm("held", f"series {name} is held: {'; '.join(reasons)}", name)

    def _forget_contouring(self, series_id: int, generation: int) -> None:
        kept = self._contouring_path(series_id, generation)
        for file in (kept, kept.with_suffix(".json")):
            file.unlink(missing_ok=True)

    def _contouring_path(self, series_id: int, generation: int) -> Path:
        return self._data_dir / "work" / f"{series_id}-{generation}.npz"


def _alike(before: Sequence[ResultRecord], modality: str, profile: str) -> list[ResultRecord]:
    """Return the results of one kind, which follow and supersede each other."""
    return [result for result in before if (result.modality, result.profile) == (modality, profile)]


def _identity(plan: NewResult, superseded: str, contoured: Values) -> Values:
    """Return the fields of `segmentation.rtstruct.StructureSetIdentity`, as they travel to the contouring process."""
    missing = f" Not found: {', '.join(contoured['not_found'])}." if contoured["not_found"] else ""
    earlier = f" Supersedes {superseded}." if superseded else ""
    # What an older release contoured before an upgrade says nothing of these.
    about = f" {summary}" if (summary := contoured.get("summary")) else ""
    about += f" Computed by {engine}." if (engine := contoured.get("engine")) else ""
    return {
        "sop_instance_uid": plan.sop_instance_uid,
        "series_instance_uid": structure_set_series_uid(plan.sop_instance_uid),
        "label": plan.label,
        "description": f"UNREVIEWED contours of {plan.model_name} {plan.model_version}.{earlier}{missing}{about}",
        "series_description": SERIES_DESCRIPTIONS[plan.modality],
        "series_number": SERIES_NUMBERS[plan.modality],
        "created": plan.created.astimezone().isoformat(),
        "model_name": plan.model_name,
        "model_version": plan.model_version,
        "model_digest": plan.model_digest,
        "software_version": __version__,
    }


def _code(outcome: SendOutcome) -> str:
    return "no answer" if outcome.status is None else f"{outcome.status:04X}"
