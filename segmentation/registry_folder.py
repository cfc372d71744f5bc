"""The folder of one model in the registry: its versions, its history, its links, and one writer at a time.

A change is written into the history before a link is moved or a folder goes. What a kill leaves between the two is
ended by whoever looks next.
"""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from segmentation.durable import append_line, point_to, sync_folder, whole_lines
from segmentation.errors import BundleError, RegistryError
from segmentation.registry_history import (
    BASE,
    Act,
    Entry,
    entry_after,
    is_removed,
    marks,
    parse_lines,
    services,
    shadow,
    surplus,
)
from segmentation.registry_version import Standing, Version, read_record, read_version, sound_version

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # of a model; it becomes the name of a folder
DIGEST = re.compile(r"[0-9a-f]{64}")


class ModelFolder:
    """The versions of one model on disk.

    Args:
        root: of the registry.
        name: of the model.

    Raises:
        RegistryError: that is no name.
    """

    def __init__(self, root: Path, name: str) -> None:
        if not NAME.fullmatch(name):
            raise RegistryError(f"{name[:80]!r} is no name of a model")
        self.name = name
        self._folder = root / name
        self._history = self._folder / "history.jsonl"

    def lines(self) -> list[str]:
        """Return the lines of the history; what a kill left of a last one is none."""
        if not self._history.exists():
            return []
        return self._history.read_bytes()[: whole_lines(self._history)].decode(errors="replace").splitlines()

    def entries(self) -> tuple[Entry, ...]:
        """Return what was done, oldest first."""
        return parse_lines(self.lines())

    def digests(self) -> list[str]:
        """Return the versions that there are."""
        return sorted(path.name for path in (self._folder / "versions").glob("*") if DIGEST.fullmatch(path.name))

    def place_of(self, digest: str) -> Path:
        """Return the folder that a version has or would have.

        Raises:
            RegistryError: that is no digest.
        """
        if not DIGEST.fullmatch(digest):
            raise RegistryError(f"{digest[:80]!r} is no digest of a version")
        return self._folder / "versions" / digest

    def staging(self) -> Path:
        """Return a folder beside the versions that goes by itself if it does not become one."""
        return self._folder / "versions" / f".{uuid4().hex}"

    def version(self, digest: str, *, sound: bool) -> Version:
        """Return a version, its files verified if it is to be `sound`.

        Raises:
            BundleError: saying what is wrong with it.
        """
        version = (sound_version if sound else read_version)(self.name, self.place_of(digest))
        entries = self.entries()
        return replace(version, standing=_standing(digest, entries), marks=marks(entries, digest))

    def note(self, act: Act, digest: str, *, by: str, why: str, at: datetime) -> None:
        """Write a line of the history; the lock is held."""
        entry = entry_after(self.lines(), act, digest, by=by, why=why, at=at.astimezone(UTC))
        append_line(self._history, entry.line.encode())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only one who changes the folder, after what a kill may have left is ended."""
        (self._folder / "versions").mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._settle()
            yield

    def _settle(self) -> None:
        for remnant in (self._folder / "versions").glob(".*"):
            shutil.rmtree(remnant)
        entries = self.entries()
        for digest in self.digests():
            removed = is_removed(entries, digest)
            if removed:
                self._discard(digest)
            elif removed is None:
                self._adopt(digest)
        self.settle_links()

    def _adopt(self, digest: str) -> None:
        """Write the line of a version that a kill kept from having one."""
        try:
            record = read_record(self.place_of(digest))
        except BundleError:
            return  # `verify` names it
        self.note(Act.ADDED, digest, by=record.by, why=record.origin, at=record.added)

    def is_settled(self) -> bool:
        """Whether the links name what the history says."""
        return all(_target(link) == digest for link, digest in self._links())

    def settle_links(self) -> None:
        """Let the links name what the history says; the lock is held."""
        for link, digest in self._links():
            if _target(link) == digest:
                continue
            if digest:
                point_to(link, f"versions/{digest}")
            else:
                link.unlink()
                sync_folder(link.parent)

    def _links(self) -> tuple[tuple[Path, str], tuple[Path, str]]:
        entries = self.entries()
        return (self._folder / "current", services(entries)[-1]), (self._folder / "shadow", shadow(entries))

    def remove_surplus(self, keep: int, *, by: str, at: datetime) -> None:
        """Remove the versions that are kept no longer; the lock is held."""
        for digest in surplus(self.entries(), self.digests(), keep):
            self.note(Act.REMOVED, digest, by=by, why=f"only the last {keep} are kept", at=at)
            self._discard(digest)

    def _discard(self, digest: str) -> None:
        apart = self.staging()
        self.place_of(digest).rename(apart)
        shutil.rmtree(apart)


def _standing(digest: str, entries: tuple[Entry, ...]) -> Standing:
    stack = services(entries)
    if digest == stack[-1]:
        return Standing.CURRENT
    if digest == shadow(entries):
        return Standing.SHADOW
    return Standing.PREVIOUS if digest in stack else Standing.CANDIDATE


def _target(link: Path) -> str:
    return link.readlink().name if link.is_symlink() else BASE
