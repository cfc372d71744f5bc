"""What is too old by the rules of the configuration goes, and what the operator wants forgotten: files, rows, work."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from dicomnode.audit.message import Event, Kind, Party, Role, Study
from dicomnode.audit.subject import study_of
from dicomnode.audit.syslog import sent_until
from dicomnode.audit.trail import keep_until
from dicomnode.errors import TransitionError
from dicomnode.ledger import Ledger
from dicomnode.node import Books
from dicomnode.records import Due, Holding
from dicomnode.series import DELIVERED, UNFINISHED
from dicomnode.tables import compact
from dicomnode.trash import Trash

log = structlog.get_logger(__name__)


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

    Raises:
        OSError: the data folder cannot be used.
    """

    def __init__(
        self,
        books: Books,
        tell: Callable[[Event], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
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
            return [self._view(rule, due) for rule, _, due in self._due()]
        with self._trash.held():
            done = []
            for rule, before, due in self._due():
                view = self._view(rule, due)
                if self._carry_out(due.paths, partial(rule.erase, self._books.ledger, due, before)):
                    log.info("purged", rule=rule.key, what=rule.what, about=view.about, files=view.files)
                    done.append(view)
            self._clean_up()
        return done

    def forget(self, holding: Holding) -> None:
        """Forget everything of some series, whatever its age.

        Raises:
            TransitionError: one of them is on its way.
            LedgerUnavailable: the ledger could not be asked.
            OSError: the disk refuses.
        """
        names = set(self._names(holding))
        with self._trash.held():
            if not self._carry_out(holding.paths, lambda: self._books.ledger.erase_holding(holding, names)):
                raise TransitionError("the series is on its way: wait until it has an end, or cancel its jobs")
            log.info("forgotten", series=len(holding.series), files=len(holding.paths))
            self._clean_up()

    def _due(self) -> Iterator[tuple[Rule, datetime, Due]]:
        for rule in RULES:
            days = getattr(self._books.configuration.retention, rule.key)
            if days:
                before = self._now() - timedelta(days=days)
                yield from ((rule, before, due) for due in rule.find(self._books.ledger, before))

    def _carry_out(self, paths: Sequence[str], erase: Callable[[], bool]) -> bool:
        """Set files apart, take their rows away, and destroy the files; all or nothing."""
        study = study_of(self._data_dir / paths[0], len(paths)) if paths else None
        apart = self._trash.set_apart(paths)
        try:
            erased = erase()
        except BaseException:
            self._trash.give_back(apart)
            raise
        if not erased:
            self._trash.give_back(apart)
            return False
        self._trash.destroy(apart)
        if study is not None:
            owner = (study.study_instance_uid, study.patient_id, study.patient_name)
            self._deleted.setdefault(owner, Counter()).update(study.instances)
        return True

    def _clean_up(self) -> None:
        """Let nothing remain beside the rows: orders of the engine, masks, old audit files, what was deleted."""
        books, ledger = self._books, self._books.ledger
        books.queue.forget_orphans(ledger.series_ids, ledger.delivery_ids)
        known = ledger.series_ids()
        for file in (self._data_dir / "work").glob("*-*"):
            if int(file.name.partition("-")[0]) not in known:
                file.unlink(missing_ok=True)
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
        for path in holding.paths:
            yield path.rpartition("/")[0]

    def _view(self, rule: Rule, due: Due) -> Purged:
        files = [self._data_dir / path for path in due.paths]
        size = sum(file.stat().st_size for file in files if file.exists())
        about = due.about if due.about.startswith("alarm ") else self._books.pseudonyms.of(due.about)
        return Purged(rule.key, rule.what, about, due.since, len(files), size)
