"""What each step of the durable work does, in terms of segmentation, the ledger and the peers."""

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from dicomnode import __version__
from dicomnode.config import Delivering
from dicomnode.contourer import Contourer
from dicomnode.errors import ContouringError
from dicomnode.examination import SETTINGS, Examiner
from dicomnode.identity import structure_set_label, structure_set_series_uid, structure_set_uid
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.peers import Peer, find_peer
from dicomnode.records import DeliveryRecord, DeliveryState, NewResult, SeriesRecord
from dicomnode.scu import SendOutcome
from dicomnode.series import content_digest
from dicomnode.spool import make_directory
from segmentation.durable import write_whole

log = structlog.get_logger(__name__)

Values = dict[str, Any]
Send = Callable[[Peer, Path], SendOutcome]

SERIES_NUMBER = 9000  # behind what a scanner numbers
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
        data_dir: which paths in the ledger are relative to.
        pseudonyms: by which the log speaks of a series.
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
        data_dir: Path,
        pseudonyms: Pseudonyms,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._examiner = examiner
        self._contourer = contourer
        self._send = send
        self._peers = tuple(peers)
        self._delivering = delivering
        self._device = device
        self._data_dir = data_dir
        self._pseudonyms = pseudonyms
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
        model = self._examiner.model_of(self._examiner.route_of(record, instances))
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
            "insist": record.released,
            "out": str(kept),
        }
        try:
            reply = self._contourer.ask(request)
        except ContouringError as error:
            if not error.reasons:
                return {"outcome": "failed", "text": str(error)}
            self._refused(record, error.reasons)
            return {"outcome": "held"}
        log.info("contouring ended", series=name, not_found=reply["not_found"], seconds=reply["seconds"])
        if reply["not_found"]:
            log.warning("organs were not found", series=name, organs=reply["not_found"])
        return {
            "outcome": "done",
            "content": record.content,
            "model": {"name": model.manifest.name, "version": model.manifest.version, "digest": model.digest},
            "not_found": reply["not_found"],
            "notes": reply["notes"],
            "seconds": reply["seconds"],
        }

    def write(self, series_id: int, generation: int, contoured: Values) -> Values:
        """Write the structure set, remember it, and order its deliveries."""
        record = self._ledger.series(series_id)
        model = contoured["model"]
        uid = structure_set_uid(contoured["content"], model["digest"], SETTINGS)
        # Looked up by UID: what was made before is made again with the same time and name, so byte for byte.
        before = self._ledger.results_of(series_id)
        known = next((result for result in before if result.sop_instance_uid == uid), None)
        if known is not None and known.generation == generation:
            return {"outcome": "done"}  # the daemon was killed behind the row: all is written and ordered
        created = known.created if known else (record.completed or self._now())
        label = known.label if known else structure_set_label(created.astimezone(), len(before) + 1)
        superseded = next((r.label for r in reversed(before) if r.sop_instance_uid != uid and r.created <= created), "")
        path = f"results/{self._pseudonyms.of(uid)}.dcm"
        kept = self._contouring_path(series_id, generation)
        slices = [str(self._data_dir / one) for one in json.loads(kept.with_suffix(".json").read_bytes())]
        reply = self._contourer.ask(
            {
                "ask": "write",
                "paths": slices,
                "contouring": str(kept),
                "identity": _identity(uid, label, superseded, created, contoured),
                "out": str(self._data_dir / path),
            }
        )
        result = NewResult(
            series_id=series_id,
            generation=generation,
            sop_instance_uid=uid,
            path=path,
            label=label,
            model_name=model["name"],
            model_version=model["version"],
            model_digest=model["digest"],
            created=created,
            volumes_cm3=reply["volumes_cm3"],
            not_found=tuple(contoured["not_found"]),
            notes=tuple(contoured["notes"]),
            seconds={**contoured["seconds"], **reply["seconds"]},
        )
        instances = self._ledger.instances_of(record.series_instance_uid)
        self._ledger.note_result(result, self._examiner.route_of(record, instances).peers)
        self._forget_contouring(series_id, generation)
        log.info("a structure set was written", series=self._pseudonyms.of(record.series_instance_uid), label=label)
        return {"outcome": "done"}

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
        outcome = self._send(peer, self._data_dir / self._ledger.result(delivery.result_id).path)
        if outcome.ok:
            self._ledger.note_sent(delivery.id, outcome.status or 0, outcome.comment)
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


def _identity(uid: str, label: str, superseded: str, created: datetime, contoured: Values) -> Values:
    """Return the fields of `segmentation.rtstruct.StructureSetIdentity`, as they travel to the contouring process."""
    model = contoured["model"]
    missing = f" Not found: {', '.join(contoured['not_found'])}." if contoured["not_found"] else ""
    earlier = f" Supersedes {superseded}." if superseded else ""
    return {
        "sop_instance_uid": uid,
        "series_instance_uid": structure_set_series_uid(uid),
        "label": label,
        "description": f"UNREVIEWED contours of {model['name']} {model['version']}.{earlier}{missing}",
        "series_number": SERIES_NUMBER,
        "created": created.astimezone().isoformat(),
        "model_name": model["name"],
        "model_version": model["version"],
        "model_digest": model["digest"],
        "software_version": __version__,
    }


def _code(outcome: SendOutcome) -> str:
    return "no answer" if outcome.status is None else f"{outcome.status:04X}"
