"""Which model serves under a name, and how that is changed."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dicomnode.audit.message import Event, Kind
from dicomnode.config import Configuration, Contouring, Node
from dicomnode.errors import ConfigurationError, SwapRefused
from dicomnode.models import Model, Models, models_of
from dicomnode.node import Books
from dicomnode.routing import Rule
from dicomnode.swapping import TOLD, Decision, promote, roll_back, tell_changes
from segmentation.bundle import WEIGHTS
from segmentation.errors import BundleError, RegistryError
from segmentation.registry import Registry
from segmentation.registry_version import Version
from segmentation.version_file import export_version, import_version
from tests.support.books import NOON
from tests.support.small_bundle import ORGANS, write_small_bundle

NAME = "small"
WHO = Decision("A. Physicist", "better on the gate's cases", NOON)


class Golden:
    """In place of the contouring process: has tried the golden case, with these faults."""

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        self.asked: list[dict[str, Any]] = []

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        return {"device": "cpu", "is_first": True, "dice": {}, "faults": self.faults if request["beside"] else ()}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """Open the books of a node whose rule contours with `small`, of which the site has a base bundle."""
    write_small_bundle(tmp_path / "bundles" / NAME, version="base")
    configuration = Configuration(
        node=Node(data_dir=tmp_path / "data"),
        contouring=Contouring(bundle_dirs=(tmp_path / "bundles",)),
        rules=(Rule("planning CT", "contour", bundle=NAME),),
    )
    opened = Books.open(configuration, create=True)
    yield opened
    opened.close()


def added(books: Books, folder: Path, version: str, **changes: object) -> Version:
    """Return a version that was added to the registry."""
    write_small_bundle(folder / version, version=version, **changes)
    return books.examiner.models.registry.add(NAME, folder / version, origin="a night", by="night", at=NOON)


def put_into_service(books: Books, version: Version, golden: Golden, told: list[Event]) -> None:
    """Promote a version with an answer of the contouring process."""
    promote(books, version, WHO, contourer=golden, tell=told.append)  # type: ignore[arg-type]


def serving(books: Books) -> str:
    """Return the version that serves."""
    return books.examiner.model_named(NAME).manifest.version


def test_the_base_serves_until_a_version_is_promoted(books: Books, tmp_path: Path) -> None:
    """The same examiner finds the promoted version: nothing is kept from before."""
    version = added(books, tmp_path, "night-1")
    before = serving(books)

    put_into_service(books, version, Golden(), [])

    assert (before, serving(books)) == ("base", "night-1")


def test_a_promotion_is_told_to_the_audit(books: Books, tmp_path: Path) -> None:
    """Who, what instead of what, and why."""
    told: list[Event] = []

    put_into_service(books, added(books, tmp_path, "night-1"), Golden(), told)

    assert told[0].kind is Kind.SOFTWARE_CONFIGURATION
    assert told[0].text.startswith("model small promoted by A. Physicist: base (")
    assert told[0].text.endswith("): better on the gate's cases")


def test_the_golden_case_is_tried_before_anything_changes(books: Books, tmp_path: Path) -> None:
    """A version with a fault there does not go into service, and the fault is in the refusal."""
    version, golden = added(books, tmp_path, "night-1"), Golden("Parotid_L is not found on the golden case")

    with pytest.raises(SwapRefused, match="Parotid_L is not found"):
        put_into_service(books, version, golden, [])

    assert serving(books) == "base"
    assert [Path(request["kept"]).stem for request in golden.asked][1] == version.digest


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"organs": ORGANS[:2]}, "does not draw Parotid_R"), ({"purpose": "phantom"}, "for phantoms")],
)
def test_a_version_for_something_else_is_refused(
    books: Books, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    """What would draw fewer organs, or is not for patients, does not replace what is in service."""
    with pytest.raises(SwapRefused, match=reason):
        put_into_service(books, added(books, tmp_path, "other", **change), Golden(), [])


def test_a_rollback_needs_nothing_but_the_disk(books: Books, tmp_path: Path) -> None:
    """What was in service before serves again, and the audit has it."""
    told: list[Event] = []
    put_into_service(books, added(books, tmp_path, "night-1"), Golden(), [])

    roll_back(books, NAME, Decision("A. Physicist", "misses the cord", NOON), tell=told.append)

    assert serving(books) == "base"
    assert "rolled back by A. Physicist" in told[0].text


def test_what_the_audit_has_not_had_is_told_once(books: Books, tmp_path: Path) -> None:
    """A night's run knows no audit, and a kill may come before it: who looks next tells it, with time and reason."""
    told: list[Event] = []
    put_into_service(books, added(books, tmp_path, "night-1"), Golden(), told)
    registry = books.examiner.models.registry
    version = added(books, tmp_path, "night-2")
    later = NOON + timedelta(days=1)
    registry.promote(NAME, version.digest, by="the schedule", why="run 2026-03-02 passed the gate", at=later)
    registry.rollback(NAME, by="A. Physicist", why="misses the cord", at=later)

    for _ in range(2):
        tell_changes(books, tell=told.append)

    first, second = (found.in_words() for found in (books.examiner.model_named(NAME), model_of(books, "night-2")))
    assert [event.text for event in told[1:]] == [
        f"model small promoted by the schedule: {first} -> {second}: run 2026-03-02 passed the gate",
        f"model small rolled back by A. Physicist: {second} -> {first}: misses the cord",
    ]
    assert [event.when for event in told[1:]] == [later, later]


@pytest.mark.parametrize("known", [json.dumps({NAME: "another history's line"}), '{"sma', "[]"])
def test_a_history_that_begins_anew_is_told_from_its_beginning(books: Books, tmp_path: Path, known: str) -> None:
    """Where the registry is another than the one that was told of, nothing of it is left out."""
    told: list[Event] = []
    version = added(books, tmp_path, "night-1")
    put_into_service(books, version, Golden(), told)
    (books.configuration.node.data_dir / "audit" / TOLD).write_text(known)

    tell_changes(books, tell=told.append)

    assert [event.text for event in told] == [told[0].text] * 2


def test_what_the_audit_does_not_take_is_told_by_the_next(books: Books, tmp_path: Path) -> None:
    """A disk that refuses loses no message."""
    told: list[Event] = []
    version = added(books, tmp_path, "night-1")
    books.examiner.models.registry.promote(NAME, version.digest, by="the schedule", why="it passed", at=NOON)

    with pytest.raises(OSError, match="full"):
        tell_changes(books, tell=refuse)
    tell_changes(books, tell=told.append)

    assert len(told) == 1


def refuse(_event: Event) -> None:
    """Take no event, as a full disk."""
    raise OSError("full")


def model_of(books: Books, version: str) -> Model:
    """Return a version as a model."""
    return books.examiner.models.called(f"{NAME}@{version}")


def test_a_damaged_version_leaves_a_fault_with_what_serves_instead(books: Books, tmp_path: Path) -> None:
    """What serves verifies, and says what should have served."""
    version = added(books, tmp_path, "night-1")
    put_into_service(books, version, Golden(), [])
    (version.folder / WEIGHTS).write_bytes(b"")

    model = books.examiner.model_named(NAME)

    assert model.manifest.version == "base"
    assert WEIGHTS in model.faults[0]


def test_a_person_names_the_base_what_serves_or_a_version(books: Books, tmp_path: Path) -> None:
    """NAME is the base, from which versions are trained; @current what serves; @ and a version that one."""
    models = models_of(books.configuration)
    version = added(books, tmp_path, "night-1")
    put_into_service(books, version, Golden(), [])

    called = [
        models.called(text).manifest.version for text in ("small", "small@current", f"small@{version.digest[:6]}")
    ]

    assert called == ["base", "night-1", "night-1"]
    with pytest.raises(RegistryError, match="no versions of small"):
        models.called("small@other")


def test_a_model_may_be_in_the_registry_alone(tmp_path: Path) -> None:
    """A model that was imported needs no base bundle once it is in service."""
    write_small_bundle(tmp_path / "bundle")
    models = Models((), Registry(tmp_path / "models"))
    version = models.registry.add("abroad", tmp_path / "bundle", origin="a file", by="physicist", at=NOON)
    with pytest.raises(ConfigurationError, match="no model abroad"):
        models.find("abroad")

    models.registry.promote("abroad", version.digest, by="physicist", why="first", at=NOON)

    assert models.find("abroad").digest == version.digest


def test_a_version_goes_to_another_machine_in_one_file(books: Books, tmp_path: Path) -> None:
    """What was exported is imported under the same digest, with what was said of it, and serves nobody yet."""
    version, there = added(books, tmp_path, "night-1"), Registry(tmp_path / "there")
    export_version(version, tmp_path / "file")

    imported = import_version(there, "small", tmp_path / "file", by="colleague", at=NOON + timedelta(days=1))

    assert imported.digest == version.digest
    assert imported.record.origin == "a night; added there by night; imported from file"
    assert there.current("small").version is None


def test_the_same_version_is_the_same_file(books: Books, tmp_path: Path) -> None:
    """Two exports can be compared by their digests."""
    version = added(books, tmp_path, "night-1")
    for name in ("one", "two"):
        export_version(version, tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("place", [100, -2000])
def test_a_damaged_file_is_not_imported(books: Books, tmp_path: Path, place: int) -> None:
    """One other byte, and nothing is kept."""
    export_version(added(books, tmp_path, "night-1"), tmp_path / "file")
    content = bytearray((tmp_path / "file").read_bytes())
    content[place] ^= 1
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(BundleError):
        import_version(Registry(tmp_path / "there"), "small", tmp_path / "file", by="colleague", at=NOON)
    assert Registry(tmp_path / "there").versions("small") == ()


def test_something_else_is_no_version(tmp_path: Path) -> None:
    """Any other file is refused with a sentence."""
    (tmp_path / "file").write_bytes(b"no archive")

    with pytest.raises(BundleError, match="no exported version"):
        import_version(Registry(tmp_path / "there"), "small", tmp_path / "file", by="colleague", at=NOON)
