"""The shadow: a version that contours each delivered series too, unseen, so that a candidate meets patients first."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

import structlog

from dicomnode.contourer import Contourer
from dicomnode.errors import ConfigurationError, ContouringError, NotFound
from dicomnode.examination import Examiner
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.models import Model
from dicomnode.records import ResultRecord, SeriesRecord, ShadowOrder
from dicomnode.spool import make_directory
from segmentation.durable import write_whole
from segmentation.errors import BundleError

log = structlog.get_logger(__name__)

FOLDER = "shadow"  # of the data folder: <pseudonym of the CT series>/<digest of the version>.npz and .json


@dataclass(frozen=True)
class Seen:
    """What became of a series in the shadow.

    Args:
        at: UTC.
        beside: digest of the model whose contours were sent.
        lost: organs that were sent and that the version in the shadow did not find.
        notes: what is to be said of what it drew.
        fault: why it could not contour the series; empty where it did.
    """

    at: datetime
    beside: str
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fault: str = ""


class Shadowing:
    """Contours in the shadow; `workflows` runs it behind all clinical work.

    Args:
        ledger: what is known.
        examiner: which knows the routes and the models.
        contourer: the process that contours.
        device: on which the model runs.
        engine: that computes it.
        data_dir: where the masks are kept.
        pseudonyms: by which a series is named.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        examiner: Examiner,
        contourer: Contourer,
        *,
        device: str,
        engine: str = "auto",
        data_dir: Path,
        pseudonyms: Pseudonyms,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._examiner = examiner
        self._contourer = contourer
        self._device, self._engine = device, engine
        self._folder = data_dir / FOLDER
        self._pseudonyms = pseudonyms
        self._now = clock

    def orders_after(self, result: ResultRecord) -> tuple[ShadowOrder, ...]:
        """Return the work that follows when a result was delivered: none where nothing is in the shadow."""
        shadow = self._shadow_of(self._ledger.series(result.series_id))
        return (ShadowOrder(result.series_id, result.generation, shadow.digest),) if shadow else ()

    def contour_in_shadow(self, series_id: int, generation: int, digest: str) -> str:
        """Draw the organs of a series by the version in the shadow, keep them, and say what came of it."""
        try:
            record = self._ledger.series(series_id)
        except NotFound:
            return "forgotten"
        shadow = self._shadow_of(record)
        if record.generation != generation or shadow is None or shadow.digest != digest:
            return "superseded"
        sent = [one for one in self._ledger.results_of(series_id) if one.generation == generation]
        folder = self._folder / self._pseudonyms.of(record.series_instance_uid)
        for each in (self._folder, folder):
            make_directory(each)
        seen = self._seen(record, shadow, sent, folder / f"{digest}.npz")
        write_whole(folder / f"{digest}.json", json.dumps(asdict(seen), default=datetime.isoformat).encode())
        if not self._is_still_there(record):
            rmtree(folder)  # it was forgotten meanwhile, and nothing of it may remain
            return "forgotten"
        name = self._pseudonyms.of(record.series_instance_uid)
        log.info("contoured in the shadow", series=name, version=shadow.manifest.version, lost=list(seen.lost))
        return "failed" if seen.fault else "done"

    def _seen(self, record: SeriesRecord, shadow: Model, sent: list[ResultRecord], out: Path) -> Seen:
        beside = sent[-1].model_digest if sent else ""
        request = {
            "ask": "contour",
            "paths": [
                str(path) for path in self._examiner.paths_of(self._ledger.instances_of(record.series_instance_uid))
            ],
            "bundle": str(shadow.folder),
            "bundle_digest": shadow.digest,
            "device": self._device,
            "engine": self._engine,
            "insist": record.released,
            "out": str(out),
        }
        try:
            reply = self._contourer.ask(request)
        except ContouringError as error:
            return Seen(self._now(), beside, fault="; ".join(error.reasons) or str(error))
        missed = set(sent[-1].not_found) if sent else set()
        lost = tuple(organ for organ in reply["not_found"] if organ not in missed)
        return Seen(self._now(), beside, lost, tuple(reply["notes"]))

    def _shadow_of(self, record: SeriesRecord) -> Model | None:
        instances = self._ledger.instances_of(record.series_instance_uid)
        with suppress(ConfigurationError, BundleError):  # its images were purged, or its rule is gone
            return self._examiner.models.shadow_of(self._examiner.route_of(record, instances).rule.bundle)
        return None

    def _is_still_there(self, record: SeriesRecord) -> bool:
        with suppress(NotFound):
            return self._ledger.series(record.id).series_instance_uid == record.series_instance_uid
        return False


def seen_by(data_dir: Path, digest: str) -> list[Seen]:
    """Return what became of the series that a version has contoured in the shadow, oldest first."""
    found = [json.loads(path.read_bytes()) for path in (data_dir / FOLDER).glob(f"*/{digest}.json")]
    seen = [
        Seen(datetime.fromisoformat(one["at"]), one["beside"], tuple(one["lost"]), tuple(one["notes"]), one["fault"])
        for one in found
    ]
    return sorted(seen, key=lambda one: one.at)


def forget_in_shadow(data_dir: Path, known: Iterable[str], before: datetime | None) -> None:
    """Delete what was kept of series that the ledger has no more, and what is too old.

    Args:
        data_dir: the node's data folder.
        known: pseudonyms of the series that the ledger has.
        before: UTC, what is older goes; None: age does not count.
    """
    there = set(known)
    for folder in list((data_dir / FOLDER).glob("*")):
        if folder.name not in there:
            rmtree(folder)
            continue
        for path in _older(folder, before):
            path.unlink(missing_ok=True)


def _older(folder: Path, before: datetime | None) -> Iterator[Path]:
    if before is not None:
        limit = before.timestamp()
        yield from [path for path in folder.iterdir() if path.stat().st_mtime < limit]
