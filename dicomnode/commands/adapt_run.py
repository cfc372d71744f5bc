"""`adapt run`: a run of adaptation by hand, or what it would do."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from adaptation.night_plan import make_plan
from adaptation.nightly import Progress, advance
from adaptation.partition import Part
from adaptation.run_plan import Plan
from adaptation.runs import Runs
from dicomnode.adapting import Asked, build_night
from dicomnode.commands.status import is_running
from dicomnode.errors import NodeError
from dicomnode.nights import held
from dicomnode.node import Books
from dicomnode.records import NightOrder


@dataclass(frozen=True)
class Started:
    """What became of the wish for a run.

    Args:
        run: its name.
        is_ordered: whether the daemon does it; else it was done here.
        outcome: of what was done here.
        text: likewise.
    """

    run: str
    is_ordered: bool
    outcome: str = ""
    text: str = ""


def plan_run(books: Books, by: str, *, force: bool) -> Plan:
    """Return what a run would do now; nothing is written.

    Raises:
        NodeError: there is no such model.
        AdaptationError: the records of cases or runs cannot be read.
    """
    return make_plan(build_night(books.configuration, Asked("dry-run", by, force)))


def counts_of(plan: Plan) -> dict[str, int]:
    """Return how many cases a plan has, by part."""
    return {part.value: len(plan.cases[part]) for part in Part}


def start_run(
    books: Books, by: str, *, force: bool, now: datetime, say: Callable[[Progress], None] = lambda _progress: None
) -> Started:
    """Have a run done: by the daemon, turn by turn behind the clinical work, or here where none runs.

    Args:
        books: of the node.
        by: the person.
        force: whether what only has to be waited for is not waited for.
        now: in local time, after which the run is named.
        say: told of each step that is done here.

    Raises:
        NodeError: a run is under way.
        AdaptationError: the records of cases or runs cannot be read.
    """
    configuration = books.configuration
    runs = Runs(configuration.node.data_dir / "adaptation" / "runs")
    if under_way := [run.name for run in runs.unfinished()]:
        raise NodeError(f"the run {under_way[-1]} is under way; `dicomnode adapt status` shows it")
    name = f"{now:%Y-%m-%d-%H%M%S}"
    if is_running(configuration.node.data_dir):
        books.queue.order(NightOrder(configuration.node.ae_title, name, 1, by, force))
        return Started(name, is_ordered=True)
    with held(configuration.node.data_dir / "adaptation"):
        night = build_night(configuration, Asked(name, by, force), clock=lambda: datetime.now(UTC))
        progress = advance(night)
        say(progress)
        while not progress.is_ended:
            progress = advance(night)
            say(progress)
    end = night.run.read("end")
    return Started(name, is_ordered=False, outcome=end["outcome"], text=end["text"])
