"""A change of the registry with a death built in: production code needs no hook for it.

Arguments: the registry's folder, what to do (add, promote or rollback), of which version, and the step at which to die.
What was done before the step is done, what comes after is not.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from segmentation import durable, registry, registry_folder
from segmentation.registry import Registry
from tests.support.death import die, die_after, die_before

NAME = "small"
THEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MOVING = ("begun", "half a line", "line written", "line synced", "link made", "link moved", "done")
ADDING = ("begun", "copied", "recorded", "named", "half a line", "line written", "line synced", "done")


def half_a_line(path: Path, line: bytes) -> None:
    """Write what a kill leaves of a line."""
    with path.open("ab") as file:
        file.write(line[: len(line) // 2])
    die()


def unsynced_line(path: Path, line: bytes) -> None:
    """Write a line whose sync is never asked for."""
    with path.open("ab") as file:
        file.truncate(durable.whole_lines(path))
        file.write(line + b"\n")
    die()


def prepare(step: str) -> None:
    """Build the death in."""
    if step == "begun":
        die_before(registry_folder, "append_line")
        die_before(registry, "copy_bundle")
    elif step in {"half a line", "line written"}:
        registry_folder.append_line = half_a_line if step == "half a line" else unsynced_line
    elif step == "link moved":
        die_after(Path, "replace")
        die_after(Path, "unlink")
    else:
        owner, name = {
            "copied": (registry, "copy_bundle"),
            "recorded": (registry, "write_record"),
            "named": (Path, "rename"),
            "line synced": (registry_folder, "append_line"),
            "link made": (Path, "symlink_to"),
            "done": (Registry, sys.argv[2]),
        }[step]
        die_after(owner, name)


def main() -> None:
    """Do it, and die."""
    root, act, version, step = sys.argv[1:]
    prepare(step)
    known = Registry(Path(root))
    if act == "add":
        known.add(NAME, Path(version), origin="a night", by="night", at=THEN)
    elif act == "promote":
        known.promote(NAME, version, by="physicist", why="better", at=THEN)
    else:
        known.rollback(NAME, by="physicist", why="worse", at=THEN)
    raise AssertionError(f"{act} has no step {step}")


if __name__ == "__main__":
    main()
