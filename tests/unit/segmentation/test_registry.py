"""Versions of a model in a folder, and which of them is in service."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segmentation.bundle import WEIGHTS
from segmentation.errors import BundleError, RegistryError
from segmentation.registry import Registry
from segmentation.registry_version import Standing, Version
from tests.support.killable_registry import ADDING, MOVING
from tests.support.small_bundle import write_small_bundle

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAME = "small"
TOP = Path(__file__).parents[3]
PROGRAM = "tests.support.killable_registry"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return nine bundles of the same network, each of another version."""
    folder = tmp_path_factory.mktemp("bundles")
    for number in range(9):
        write_small_bundle(folder / str(number), version=f"2026.{number}")
    return [folder / str(number) for number in range(9)]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Return a registry without versions."""
    return Registry(tmp_path / "models")


def add(registry: Registry, bundle: Path) -> Version:
    """Add a bundle at a time that its version tells."""
    at = NOON + timedelta(days=int(bundle.name))
    return registry.add(NAME, bundle, origin="a night", by="night", at=at)


def promote(registry: Registry, bundle: Path) -> Version:
    """Add a bundle and put it into service."""
    version = add(registry, bundle)
    return registry.promote(NAME, version.digest, by="physicist", why="better", at=NOON)


def serving(registry: Registry) -> str:
    """Return the version that serves, "base" where none does; its files were verified."""
    version = registry.current(NAME).version
    return version.manifest.version if version else "base"


def damage(version: Version) -> None:
    """Change a byte of a version's weights."""
    weights = version.folder / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def test_without_a_promoted_version_the_base_serves(registry: Registry, bundles: list[Path]) -> None:
    """A version that was only added serves nobody."""
    version = add(registry, bundles[0])

    assert registry.current(NAME).version is None
    assert version.standing is Standing.CANDIDATE
    assert version.manifest.version == "2026.0"


def test_a_promoted_version_serves(registry: Registry, bundles: list[Path]) -> None:
    """What was promoted is what serves, without a fault."""
    version = promote(registry, bundles[0])

    assert registry.current(NAME).version == version
    assert registry.current(NAME).faults == ()


def test_the_current_link_names_the_version(registry: Registry, bundles: list[Path]) -> None:
    """An administrator sees with `ls` what is in service."""
    version = promote(registry, bundles[0])

    assert (registry.root / NAME / "current").resolve() == version.folder


def test_rolling_back_goes_step_by_step_to_the_base(registry: Registry, bundles: list[Path]) -> None:
    """Each rollback puts into service what served before; at the end that is the base, and then there is nothing."""
    for bundle in bundles[:2]:
        promote(registry, bundle)

    first = registry.rollback(NAME, by="physicist", why="worse", at=NOON)
    second = registry.rollback(NAME, by="physicist", why="worse", at=NOON)

    assert first is not None
    assert first.manifest.version == "2026.0"
    assert second is None
    assert serving(registry) == "base"
    with pytest.raises(RegistryError, match="nothing to roll back"):
        registry.rollback(NAME, by="physicist", why="worse", at=NOON)


def test_promoting_again_after_a_rollback_goes_on_from_there(registry: Registry, bundles: list[Path]) -> None:
    """What was rolled back is not what a later rollback goes to."""
    for bundle in bundles[:2]:
        promote(registry, bundle)
    registry.rollback(NAME, by="physicist", why="worse", at=NOON)
    promote(registry, bundles[2])

    registry.rollback(NAME, by="physicist", why="worse", at=NOON)

    assert serving(registry) == "2026.0"


def test_a_version_in_service_is_not_promoted_again(registry: Registry, bundles: list[Path]) -> None:
    """A second promotion of the same would make the rollback go to the version itself."""
    version = promote(registry, bundles[0])

    with pytest.raises(RegistryError, match="in service already"):
        registry.promote(NAME, version.digest, by="physicist", why="again", at=NOON)


def test_a_damaged_version_is_not_promoted(registry: Registry, bundles: list[Path]) -> None:
    """What was changed after it was added does not go into service, and the history has no word of it."""
    version = add(registry, bundles[0])
    damage(version)

    with pytest.raises(BundleError, match=WEIGHTS):
        registry.promote(NAME, version.digest, by="physicist", why="better", at=NOON)
    assert serving(registry) == "base"
    assert [entry.act for entry in registry.history(NAME)] == ["added"]


def test_where_the_version_in_service_is_damaged_the_previous_serves(registry: Registry, bundles: list[Path]) -> None:
    """A bit that flips on the disk brings back what served before, and a sentence says so."""
    promote(registry, bundles[0])
    damage(promote(registry, bundles[1]))

    service = registry.current(NAME)

    assert service.version is not None
    assert service.version.manifest.version == "2026.0"
    assert WEIGHTS in service.faults[0]


def test_where_all_versions_are_damaged_the_base_serves(registry: Registry, bundles: list[Path]) -> None:
    """There is always something that serves."""
    damage(promote(registry, bundles[0]))

    assert registry.current(NAME).version is None
    assert len(registry.current(NAME).faults) == 1


def test_a_rollback_passes_over_what_is_damaged(registry: Registry, bundles: list[Path]) -> None:
    """A rollback never puts into service what does not verify, and the history says what it passed over."""
    promote(registry, bundles[0])
    damage(promote(registry, bundles[1]))
    promote(registry, bundles[2])

    registry.rollback(NAME, by="physicist", why="worse", at=NOON)

    assert serving(registry) == "2026.0"
    assert "passed over" in registry.history(NAME)[-1].why


def test_the_same_bundle_twice_is_one_version(registry: Registry, bundles: list[Path]) -> None:
    """A night that is done again after a kill adds nothing new."""
    assert add(registry, bundles[0]) == add(registry, bundles[0])
    assert len(registry.versions(NAME)) == 1


def test_five_previous_versions_are_kept(registry: Registry, bundles: list[Path]) -> None:
    """Of nine versions one after the other the last and the five before it are there."""
    for bundle in bundles:
        promote(registry, bundle)

    assert [version.manifest.version for version in registry.versions(NAME)] == [f"2026.{n}" for n in range(8, 2, -1)]
    assert registry.verify(NAME) == ()


def test_candidates_do_not_fill_the_disk(registry: Registry, bundles: list[Path]) -> None:
    """Of versions that were never in service the newest five are there, and the one in service stays."""
    promote(registry, bundles[0])
    for bundle in bundles[1:]:
        add(registry, bundle)

    there = {version.manifest.version for version in registry.versions(NAME)}
    assert there == {"2026.0", "2026.4", "2026.5", "2026.6", "2026.7", "2026.8"}


def test_the_shadow_is_a_version_of_its_own(registry: Registry, bundles: list[Path]) -> None:
    """A version in the shadow does not serve, and can be taken out of it again."""
    promote(registry, bundles[0])
    hidden = add(registry, bundles[1])
    registry.set_shadow(NAME, hidden.digest, by="night", why="the gate wants it", at=NOON)

    assert serving(registry) == "2026.0"
    assert registry.shadow(NAME) == registry.find(NAME, "2026.1")

    registry.set_shadow(NAME, "", by="night", why="ended", at=NOON)

    assert registry.shadow(NAME) is None


def test_a_mark_stays_with_its_version(registry: Registry, bundles: list[Path]) -> None:
    """What a version was marked with is shown wherever it is looked at."""
    version = add(registry, bundles[0])

    count = registry.mark(version.digest, "saw a patient who was forgotten since", by="operator", at=NOON)

    assert count == 1
    assert registry.find(NAME, version.digest[:8]).marks == ("saw a patient who was forgotten since",)


def test_a_changed_history_is_seen(registry: Registry, bundles: list[Path]) -> None:
    """A line that somebody rewrote, or took out, breaks the chain."""
    promote(registry, bundles[0])
    history = registry.root / NAME / "history.jsonl"
    history.write_text(history.read_text().replace("a night", "a day"))

    assert registry.verify(NAME) == ("line 2 of the history does not follow the line before it",)


def test_what_the_manifest_does_not_name_is_verified_too(registry: Registry, bundles: list[Path]) -> None:
    """The list of cases that a model has learnt from lies beside its weights, and a change of it is seen."""
    (bundles[8] / "learnt_from.json").write_text("[]")
    version = add(registry, bundles[8])
    (version.folder / "learnt_from.json").write_text('["a"]')

    assert registry.verify(NAME) == (f"learnt_from.json of the version {version.digest[:12]} is not what was added",)


@pytest.mark.parametrize("name", ["../other", "", "a/b", ".hidden"])
def test_a_name_never_leaves_the_folder(registry: Registry, bundles: list[Path], name: str) -> None:
    """What is no name of a model makes no folder."""
    with pytest.raises(RegistryError, match="no name"):
        registry.add(name, bundles[0], origin="x", by="x", at=NOON)


def killed(registry: Registry, act: str, version: str, step: str) -> None:
    """Have another process change the registry and die in a step of it."""
    command = [sys.executable, "-m", PROGRAM, str(registry.root), act, version, step]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr


def rest_of(registry: Registry) -> Iterator[str]:
    """Yield what a killed change left that should not be there."""
    yield from registry.verify(NAME)
    yield from (path.name for path in (registry.root / NAME).rglob(".*"))


@pytest.mark.parametrize("step", MOVING)
def test_a_killed_promotion_is_whole_or_was_never_made(registry: Registry, bundles: list[Path], step: str) -> None:
    """Killed at any step, the version before or the promoted one serves, verified, as the history says."""
    promote(registry, bundles[0])
    killed(registry, "promote", add(registry, bundles[1]).digest, step)

    assert serving(registry) == ("2026.0" if step in {"begun", "half a line"} else "2026.1")
    assert promoted_again_and_back(registry, bundles[2]) == ["2026.2", serving(registry)]
    assert list(rest_of(registry)) == []


@pytest.mark.parametrize("step", MOVING)
def test_a_killed_rollback_is_whole_or_was_never_made(registry: Registry, bundles: list[Path], step: str) -> None:
    """Killed at any step, the version in service or the one before it serves, verified, as the history says."""
    promote(registry, bundles[0])
    promote(registry, bundles[1])
    killed(registry, "rollback", "", step)

    assert serving(registry) == ("2026.1" if step in {"begun", "half a line"} else "2026.0")
    assert promoted_again_and_back(registry, bundles[2]) == ["2026.2", serving(registry)]
    assert list(rest_of(registry)) == []


@pytest.mark.parametrize("step", [step for step in MOVING if step != "link made"])
def test_a_killed_rollback_to_the_base_is_whole_too(registry: Registry, bundles: list[Path], step: str) -> None:
    """The link goes, or is still there."""
    promote(registry, bundles[0])
    killed(registry, "rollback", "", step)

    assert serving(registry) == ("2026.0" if step in {"begun", "half a line"} else "base")
    assert list(rest_of(registry)) == []


@pytest.mark.parametrize("step", ADDING)
def test_a_version_is_added_whole_or_not_at_all(registry: Registry, bundles: list[Path], step: str) -> None:
    """Killed at any step, the version is there and verifies or is not there, and adding it again is enough."""
    promote(registry, bundles[0])
    killed(registry, "add", str(bundles[1]), step)
    there = [version.manifest.version for version in registry.versions(NAME)]

    again = add(registry, bundles[1])

    assert there == (["2026.0"] if step in {"begun", "copied", "recorded"} else ["2026.1", "2026.0"])
    assert [entry.digest for entry in registry.history(NAME)].count(again.digest) == 1
    assert list(rest_of(registry)) == []


def promoted_again_and_back(registry: Registry, bundle: Path) -> list[str]:
    """Promote another version and roll it back; return what served after each."""
    promote(registry, bundle)
    after = serving(registry)
    registry.rollback(NAME, by="physicist", why="worse", at=NOON)
    return [after, serving(registry)]
