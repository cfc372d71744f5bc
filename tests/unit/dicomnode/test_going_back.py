"""The watch goes back by itself: where the site wants it, from the version that drew, to what verifies."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from dicomnode.config import Configuration, Contouring, Node, Watching
from dicomnode.contour_watch import ContourWatch, cases_folder
from dicomnode.going_back import go_back
from dicomnode.node import Books
from dicomnode.routing import Rule
from dicomnode.swapping import tell_changes
from segmentation.bundle import WEIGHTS
from segmentation.registry_version import Version
from tests.support.approvals import START, approvals, keep, steady
from tests.support.books import NOON
from tests.support.small_bundle import write_small_bundle

NAME = "small"
LOOK = START + timedelta(weeks=21, days=2)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """Open the books of a node on which two versions of `small` went into service, one after the other."""
    write_small_bundle(tmp_path / "bundles" / NAME, version="base")
    configuration = Configuration(
        node=Node(data_dir=tmp_path / "data"),
        contouring=Contouring(bundle_dirs=(tmp_path / "bundles",)),
        rules=(Rule("planning CT", "contour", bundle=NAME),),
        watching=Watching(auto_rollback=True, monthly_report=False),
    )
    opened = Books.open(configuration, create=True)
    for number in (1, 2):
        write_small_bundle(tmp_path / str(number), version=f"night-{number}")
        registry = opened.examiner.models.registry
        version = registry.add(NAME, tmp_path / str(number), origin="a night", by="night", at=NOON)
        registry.promote(NAME, version.digest, by="A. Physicist", why="better", at=NOON)
    yield opened
    opened.close()


def version_of(books: Books, version: str) -> Version:
    return books.examiner.models.registry.find(NAME, version)


def serving(books: Books) -> str:
    return books.examiner.model_named(NAME).manifest.version


def look(books: Books, *drawn_by: str, configuration: Configuration | None = None) -> list[tuple[str, str]]:
    """Have the watch look at a bad week that these versions drew behind twenty good ones; return the open alarms."""
    first, *others = [version_of(books, version).digest for version in drawn_by]
    low = [one for model in (first, *others) for one in approvals(steady(5, 0.8), model=model, start=LOOK - WEEK)]
    folder = cases_folder(books.configuration.node.data_dir)
    if not folder.exists():
        keep([*approvals(steady(100), model="the base"), *low], folder)
    watch = ContourWatch(
        configuration or books.configuration,
        books.ledger.raise_alarm,
        lambda _news: None,
        lambda *_words: False,
        partial(go_back, books),
    )
    watch.step(LOOK)
    return [(alarm.kind, alarm.text) for alarm in books.ledger.alarms()]


WEEK = timedelta(weeks=1, days=2)


def test_the_watch_goes_back_from_the_version_in_service(books: Books) -> None:
    """History, audit and an alarm say who, from what to what, and why; another look changes nothing more."""
    alarms = look(books, "night-2")
    look(books, "night-2")
    tell_changes(books, tell=books.auditor.write)

    assert serving(books) == "night-1"
    assert [kind for kind, _ in alarms] == ["drift", "rollback"]
    assert alarms[1][1].startswith("the watch rolled small back: night-2 (")
    entry = books.examiner.models.registry.history(NAME)[-1]
    assert (entry.act, entry.by) == ("rolled back to", "the watch")
    assert "physicians change more than before" in entry.why
    written = "".join(path.read_text() for path in (books.configuration.node.data_dir / "audit").glob("*.log"))
    assert written.count("rolled back by the watch") == 1


def test_a_site_that_did_not_switch_it_on_is_only_told(books: Books) -> None:
    """As shipped: an alarm with the command, and a person decides."""
    shipped = books.configuration.model_copy(update={"watching": Watching(monthly_report=False)})

    alarms = look(books, "night-2", configuration=shipped)

    assert serving(books) == "night-2"
    assert [kind for kind, _ in alarms] == ["drift"]
    assert "models rollback" in alarms[0][1]


@pytest.mark.parametrize("drawn_by", [("night-1",), ("night-1", "night-2")])
def test_what_another_version_drew_moves_nothing(books: Books, drawn_by: tuple[str, ...]) -> None:
    """Nor does what two versions drew."""
    alarms = look(books, *drawn_by)

    assert serving(books) == "night-2"
    assert [kind for kind, _ in alarms] == ["drift"]


@pytest.mark.parametrize("harm", ["damaged", "missing"])
def test_the_watch_goes_to_nothing_that_does_not_verify(books: Books, harm: str) -> None:
    """What was before is broken or gone: the version in service stays, and the alarm says why."""
    before = version_of(books, "night-1").folder
    if harm == "damaged":
        (before / WEIGHTS).write_bytes(b"")
    else:
        before.rename(before.parents[3] / "gone")

    alarms = look(books, "night-2")

    assert serving(books) == "night-2"
    assert alarms[1][0] == "rollback"
    assert "small is not rolled back: what was in service before cannot serve" in alarms[1][1]


def test_a_person_who_promotes_again_has_the_last_word(books: Books) -> None:
    """The watch does not go back from the same version twice."""
    look(books, "night-2")
    registry = books.examiner.models.registry
    registry.promote(NAME, version_of(books, "night-2").digest, by="A. Physicist", why="two odd patients", at=LOOK)

    alarms = look(books, "night-2")

    assert serving(books) == "night-2"
    assert "not rolled back once more" in alarms[-1][1]


def test_the_first_version_goes_back_to_the_base(books: Books) -> None:
    """Which serves where no version does."""
    registry = books.examiner.models.registry
    registry.rollback(NAME, by="A. Physicist", why="not this one", at=NOON)

    look(books, "night-1")

    assert serving(books) == "base"
