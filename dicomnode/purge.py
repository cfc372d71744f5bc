"""What is too old by the rules of the configuration goes, and what the operator wants forgotten: files, rows, work."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from adaptation.case_record import Status
from dicomnode.audit.message import Event, Kind, Party, Role, Study
from dicomnode.audit.subject import study_of
from dicomnode.audit.syslog import sent_until
from dicomnode.audit.trail import keep_until
from dicomnode.errors import TransitionError
from dicomnode.ledger import Ledger
from dicomnode.node import Books, case_store
from dicomnode.records import Due, Holding
from dicomnode.series import DELIVERED, UNFINISHED
from dicomnode.shadowing import forget_in_shadow
from dicomnode.tables import compact
from dicomnode.trash import Trash

log = structlog.get_logger(__name__)

ON_ITS_WAY = "the series is on its way: wait until it has an end, or cancel its jobs"
SETTLE_S = 0.5  # several times as long as rows wait for each other (`registrar`)


@dataclass(frozen=True)
class Rule:
    """One kind of thing that grows old.

    Args:
        key: of the configuration, in days.
        what: it is, in words.
        find: what is older than a time.
        erase: takes its rows away if it still is.
    """

    key: str
    what: str
    find: Callable[[Ledger, datetime], list[Due]]
    erase: Callable[[Ledger, Due, datetime], bool]


RULES = (
    # Structure sets before images: a CT stays as long as an approved structure set that was drawn on it.
    Rule(
        "approved_days",
        "approved structure set",
        lambda ledger, before: ledger.old_structure_sets(approved=True, before=before),
        Ledger.erase_instance,
    ),
    Rule(
        "structure_sets_days",
        "structure set",
        lambda ledger, before: ledger.old_structure_sets(approved=False, before=before),
        Ledger.erase_instance,
    ),
    Rule(
        "delivered_days",
        "images of a delivered series",
        lambda ledger, before: ledger.old_images(DELIVERED, before),
        lambda ledger, due, before: ledger.erase_images(due, DELIVERED, before),
    ),
    Rule(
        "unfinished_days",
        "images of an unfinished series",
        lambda ledger, before: ledger.old_images(UNFINISHED, before),
        lambda ledger, due, before: ledger.erase_images(due, UNFINISHED, before),
    ),
    Rule(
        "ignored_days",
        "ignored instance",
        lambda ledger, before: ledger.old_instances(action="ignore", before=before),
        Ledger.erase_instance,
    ),
    Rule("results_days", "structure set of ours", Ledger.old_results, Ledger.erase_result),
    Rule("fetched_days", "fetched image", Ledger.old_fetched, Ledger.erase_instance),
    Rule("conflicts_days", "instance kept apart", Ledger.old_conflicts, Ledger.erase_conflict),
    Rule("ledger_days", "rows of a series", Ledger.old_series, Ledger.erase_series),
    Rule("ledger_days", "acknowledged alarm", Ledger.old_alarms, Ledger.erase_alarm),
)


@dataclass(frozen=True)
class Purged:
    """Something that was purged, or would be.

    Args:
        rule: key of the configuration.
        what: it is, in words.
        about: by its pseudonym.
        since: UTC, from when its age counts.
        files: how many.
        size: of the files, in bytes.
    """

    rule: str
    what: str
    about: str
    since: datetime
    files: int
    size: int


class Purge:
    """Purges by the rules, and forgets what the operator names.

    Args:
        books: of the node.
        tell: takes the events for the audit.
        clock: the present time in UTC.
        settle_s: how long rows of what has just arrived may take to be written.

    Raises:
        OSError: the data folder cannot be used.
    """

    def __init__(
        self,
        books: Books,
        tell: Callable[[Event], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        settle_s: float = SETTLE_S,
    ) -> None:
        self._settle_s = settle_s
        self._books = books
        self._data_dir = books.configuration.node.data_dir
        self._trash = Trash(self._data_dir)
        self._tell = tell
        self._now = clock
        self._deleted: dict[tuple[str, str, str], Counter[str]] = {}

    def run(self, *, dry: bool = False) -> list[Purged]:
        """Purge everything that is too old; return what went, or would go if `dry`.

        Raises:
            LedgerUnavailable: the ledger could not be asked; what was purged by then is.
            OSError: the disk refuses.
        """
        if dry:
            return [*(self._view(rule, due) for rule in RULES for due in self._due(rule)), *self._old_cases()]
        with self._trash.held():
            done = [*(one for rule in RULES for one in self._purge_by(rule)), *self._purge_cases()]
            self._clean_up()
        return done

    def _purge_cases(self) -> list[Purged]:
        """Destroy the cases that were replaced or rejected long ago; return what went."""
        configuration, views = self._books.configuration, self._old_cases()
        if not views:
            return []
        gone = case_store(configuration).purge(self._now() - timedelta(days=configuration.retention.cases_days))
        for name in gone:
            log.info("purged", rule="cases_days", what="case", about=name)
        return [view for view in views if view.about in gone]

    def _old_cases(self) -> list[Purged]:
        """Return the cases that were replaced or rejected long ago."""
        configuration = self._books.configuration
        if not (days := configuration.retention.cases_days):
            return []
        store, found = case_store(configuration), []
        for record in store.old(self._now() - timedelta(days=days)):
            files = [path for path in store.path_of(record.name).iterdir() if path.is_file()]
            size = sum(path.stat().st_size for path in files)
            what = "rejected case" if record.status is Status.REJECTED else "replaced case"
            found.append(Purged("cases_days", what, record.name, record.filed, len(files), size))
        return found

    def _purge_by(self, rule: Rule) -> list[Purged]:
        due = self._due(rule)
        views = [self._view(rule, each) for each in due]
        before = self._before(rule)
        jobs = [(each.paths, partial(rule.erase, self._books.ledger, each, before)) for each in due]
        gone = [view for view, erased in zip(views, self._carry_out(jobs), strict=True) if erased]
        for view in gone:
            log.info("purged", rule=rule.key, what=rule.what, about=view.about, files=view.files)
        return gone

    def forget(self, holding: Holding) -> None:
        """Forget everything of some series, whatever its age.

        Raises:
            TransitionError: one of them is on its way.
            LedgerUnavailable: the ledger could not be asked.
            OSError: the disk refuses.
        """
        names = set(self._names(holding))
        with self._trash.held():
            erase = partial(self._books.ledger.erase_holding, holding, names)
            if self._carry_out([(holding.paths, erase)]) != [True]:
                raise TransitionError(ON_ITS_WAY)
            log.info("forgotten", series=len(holding.series), files=len(holding.paths))
            self._clean_up()

    def _due(self, rule: Rule) -> list[Due]:
        days = getattr(self._books.configuration.retention, rule.key)
        return rule.find(self._books.ledger, self._before(rule)) if days else []

    def _before(self, rule: Rule) -> datetime:
        return self._now() - timedelta(days=getattr(self._books.configuration.retention, rule.key))

    def _carry_out(self, jobs: Sequence[tuple[Sequence[str], Callable[[], bool]]]) -> list[bool]:
        """Set files apart, take their rows away, and destroy the files; of each job all or nothing.

        What was sent again before its file was set apart may still wait for its row: it is given a moment, so that
        `erase` sees that it is not old any more. What is sent again afterwards finds no file and is kept anew.
        """
        apart: list[Path] = []
        outcomes: list[bool] = []
        studies = [study_of(self._data_dir / paths[0], len(paths)) if paths else None for paths, _ in jobs]
        try:
            for paths, _ in jobs:
                apart.append(self._trash.set_apart(paths))
            if any(paths for paths, _ in jobs):
                time.sleep(self._settle_s)
            for (_, erase), study, folder in zip(jobs, studies, apart, strict=True):
                outcomes.append(erase())
                self._end(folder, study, erased=outcomes[-1])
        finally:
            for folder in apart[len(outcomes) :]:
                self._trash.give_back(folder)
        return outcomes

    def _end(self, apart: Path, study: Study | None, *, erased: bool) -> None:
        if not erased:
            self._trash.give_back(apart)
            return
        self._trash.destroy(apart)
        if study is not None:
            owner = (study.study_instance_uid, study.patient_id, study.patient_name)
            self._deleted.setdefault(owner, Counter()).update(study.instances)

    def _clean_up(self) -> None:
        """Let nothing remain beside the rows: orders of the engine, masks, old audit files, what was deleted."""
        books, ledger = self._books, self._books.ledger
        books.queue.forget_orphans(ledger.series_ids, ledger.delivery_ids, ledger.approval_ids)
        known = ledger.series_ids()
        for file in (self._data_dir / "work").glob("*-*"):
            if int(file.name.partition("-")[0]) not in known:
                file.unlink(missing_ok=True)
        names = [books.pseudonyms.of(record.series_instance_uid) for record in ledger.series_in()]
        days = books.configuration.retention.results_days
        forget_in_shadow(self._data_dir, names, self._now() - timedelta(days=days) if days else None)
        self._tell_deleted()
        if days := books.configuration.audit.keep_days:
            forwarded = bool(books.configuration.audit.syslog_transport)
            sent = sent_until(self._data_dir / "audit" / "sent") if forwarded else books.trail.count()
            books.trail.forget_before(keep_until(self._now(), days), sent=sent)
        compact(books.engine)

    def _tell_deleted(self) -> None:
        own = Party(self._books.configuration.node.ae_title, Role.APPLICATION, is_requestor=True)
        for (study, patient_id, patient_name), instances in self._deleted.items():
            about = Study(study, patient_id, patient_name, instances)
            self._tell(Event(Kind.STUDY_DELETED, self._now(), (own,), study=about))
        self._deleted.clear()

    def _names(self, holding: Holding) -> Iterator[str]:
        """Yield by which names alarms speak of what is to be forgotten."""
        for record in holding.series:
            yield from (self._books.pseudonyms.of(record.series_instance_uid), f"contour-{record.id}")
        for result in holding.results:
            for delivery in self._books.ledger.deliveries(result_id=result.id):
                yield f"deliver-{delivery.id}"
        for conflict in holding.conflicts:
            yield conflict.sop_instance_uid
        mine = {one.sop_instance_uid for one in holding.instances}
        for approval in self._books.ledger.approvals():
            if approval.sop_instance_uid in mine:
                yield from (f"approval-{approval.id}", approval.case_name or f"approval-{approval.id}")
        for path in holding.paths:
            yield path.rpartition("/")[0]

    def _view(self, rule: Rule, due: Due) -> Purged:
        files = [self._data_dir / path for path in due.paths]
        size = sum(file.stat().st_size for file in files if file.exists())
        about = due.about if due.about.startswith("alarm ") else self._books.pseudonyms.of(due.about)
        return Purged(rule.key, rule.what, about, due.since, len(files), size)
