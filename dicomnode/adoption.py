"""What the daemon does with the files that it finds when it starts: every promise is kept, every remnant goes."""

from collections import Counter
from dataclasses import dataclass

import structlog

from dicomnode.errors import DataSetMismatch, NotUnderstood
from dicomnode.intake import Intake
from dicomnode.ledger import Ledger
from dicomnode.spool import Spool

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Adoption:
    """What was found.

    Args:
        adopted: whole files that had no row and have one now.
        deleted: files that nobody was promised: cut off, or not what their name says.
        missing: rows whose file is gone.
    """

    adopted: int
    deleted: int
    missing: int


def adopt(spool: Spool, ledger: Ledger, intake: Intake) -> Adoption:
    """Make rows and files agree, before the first association.

    A whole file that has no row gets one. What is not whole was never acknowledged, as a file has its name only after
    it was synced, and is deleted. A row without a file is an alarm.
    """
    deleted = spool.sweep_parts()
    adopted = 0
    known = ledger.known_paths()
    for path in spool.paths():
        if path in known:
            continue
        try:
            intake.adopt(path)
            adopted += 1
        except (NotUnderstood, DataSetMismatch) as error:
            log.warning("a file that is not whole is deleted", file=path, reason=str(error))
            spool.delete(path)
            deleted += 1
    deleted += _delete_unknown_conflicts(spool, known)
    missing = sorted(path for path in known if not spool.has(path))
    for folder, count in sorted(Counter(path.rpartition("/")[0] for path in missing).items()):
        # One alarm for a series: two hundred lost slices are one loss.
        text = f"{count} files that the ledger knows are not in the data folder, in {folder}"
        ledger.raise_alarm("missing file", text, about=folder)
    outcome = Adoption(adopted, deleted, len(missing))
    log.info("files and ledger agree", adopted=adopted, deleted=deleted, missing=len(missing))
    return outcome


def _delete_unknown_conflicts(spool: Spool, known: set[str]) -> int:
    """Remove files kept apart that no row speaks of: their sender was refused. Return how many there were."""
    unknown = [path for path in spool.conflict_paths() if path not in known]
    for path in unknown:
        spool.delete(path)
    return len(unknown)
