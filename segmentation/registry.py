"""Model versions in a folder: which one is in service, promote, roll back, and a history that shows every change.

    ROOT/NAME/versions/DIGEST/   a bundle that is never changed, and the record of where it came from
    ROOT/NAME/current            symbolic link to the version in service; none: the site's or the shipped bundle serves
    ROOT/NAME/shadow             likewise to the version that contours unseen beside it
    ROOT/NAME/history.jsonl      what was done, by whom and why; each line carries the digest of the one before

A kill at any moment leaves a promotion or a rollback that is whole or was never made. Neither torch nor scipy is
needed.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from segmentation.bundle import bundle_digest, verify_bundle
from segmentation.durable import sync_folder, write_whole
from segmentation.errors import BundleError, RegistryError
from segmentation.registry_folder import ModelFolder
from segmentation.registry_history import BASE, Act, Entry, faults_of, services, shadow
from segmentation.registry_version import (
    Record,
    Standing,
    Version,
    changed_files,
    copy_bundle,
    read_record,
    write_record,
)

KEPT = 5  # versions that were in service before, and as many others
SHORTEST_DIGEST = 4  # digits by which a person may name a version


@dataclass(frozen=True)
class Service:
    """What serves under a model's name.

    Args:
        version: the one in service; None where the site's or the shipped bundle serves.
        faults: why it is not the one that should be, a sentence each; none where it is.
    """

    version: Version | None
    faults: tuple[str, ...] = ()


class Registry:
    """The versions of a site's models; several processes may use the same folder.

    Args:
        root: the folder; it is made when the first version is added.
        keep: how many versions that were in service before are kept, and how many others.
    """

    def __init__(self, root: Path, *, keep: int = KEPT) -> None:
        self.root = root
        self._keep = keep

    def names(self) -> tuple[str, ...]:
        """Return the models that have versions."""
        return tuple(sorted(path.parent.name for path in self.root.glob("*/versions")))

    def versions(self, name: str) -> tuple[Version, ...]:
        """Return the versions of a model, newest first; one that cannot be read is left out, `verify` names it."""
        folder, found = ModelFolder(self.root, name), []
        for digest in folder.digests():
            try:
                found.append(folder.version(digest, sound=False))
            except BundleError:
                continue
        return tuple(sorted(found, key=lambda version: version.record.added, reverse=True))

    def find(self, name: str, called: str) -> Version:
        """Return the version that a person means.

        Args:
            name: of the model.
            called: the beginning of its digest, or its version as the manifest has it.

        Raises:
            RegistryError: there is none, or there are several.
        """
        is_digest = len(called) >= SHORTEST_DIGEST
        found = [
            version
            for version in self.versions(name)
            if version.manifest.version == called or (is_digest and version.digest.startswith(called))
        ]
        if len(found) != 1:
            raise RegistryError(f"{len(found) or 'no'} versions of {name} are called {called}")
        return found[0]

    def history(self, name: str) -> tuple[Entry, ...]:
        """Return what was done with the versions of a model, oldest first."""
        return ModelFolder(self.root, name).entries()

    def current(self, name: str) -> Service:
        """Return what serves under a model's name: its files are verified.

        A promotion or rollback that a kill cut short is ended first. A version that does not verify is passed over for
        the one that was in service before it.

        Raises:
            OSError: if the disk refuses.
        """
        folder, faults = ModelFolder(self.root, name), list[str]()
        if not folder.is_settled():
            with folder.held():
                pass
        for digest in _ways_back(services(folder.entries())):
            try:
                return Service(folder.version(digest, sound=True), tuple(faults))
            except BundleError as error:
                faults.append(f"{name}: {error}; what was in service before serves")
        return Service(None, tuple(faults))

    def shadow(self, name: str) -> Version | None:
        """Return the version that contours unseen beside the one in service, if there is one that verifies."""
        folder = ModelFolder(self.root, name)
        digest = shadow(folder.entries())
        try:
            return folder.version(digest, sound=True) if digest else None
        except BundleError:
            return None

    def add(self, name: str, bundle: Path, *, origin: str, by: str, at: datetime, parent: str = "") -> Version:
        """Keep a bundle as a version; it serves nobody yet. The same bundle twice is one version.

        Args:
            name: of the model, as the rules of the configuration have it.
            bundle: the folder, which stays as it is.
            origin: in words.
            by: whom.
            at: UTC.
            parent: digest of the model that it was made from.

        Raises:
            BundleError: it does not verify.
            RegistryError: that is no name of a model.
            OSError: if the disk refuses.
        """
        folder, manifest = ModelFolder(self.root, name), verify_bundle(bundle)
        digest = bundle_digest(manifest)
        with folder.held():
            if digest not in folder.digests():
                staged, place = folder.staging(), folder.place_of(digest)
                extra = copy_bundle(bundle, manifest, staged)
                write_record(staged, Record(parent=parent, origin=origin, by=by, added=at, files=extra))
                staged.rename(place)
                sync_folder(place.parent)
                folder.note(Act.ADDED, digest, by=by, why=origin, at=at)
                folder.remove_surplus(self._keep, by=by, at=at)
            return folder.version(digest, sound=True)

    def promote(self, name: str, digest: str, *, by: str, why: str, at: datetime) -> Version:
        """Put a version into service.

        Raises:
            BundleError: it does not verify.
            RegistryError: it is in service.
            OSError: if the disk refuses.
        """
        folder = ModelFolder(self.root, name)
        with folder.held():
            version = folder.version(digest, sound=True)
            if version.standing is Standing.CURRENT:
                raise RegistryError(f"the version {digest[:12]} of {name} is in service already")
            folder.note(Act.PROMOTED, digest, by=by, why=why, at=at)
            folder.settle_links()
            folder.remove_surplus(self._keep, by=by, at=at)
        return replace(version, standing=Standing.CURRENT)

    def rollback(self, name: str, *, by: str, why: str, at: datetime) -> Version | None:
        """Put what was in service before back into service; return it, None where that is the base.

        A version that does not verify is passed over.

        Raises:
            RegistryError: no version is in service.
            OSError: if the disk refuses.
        """
        folder, sound = ModelFolder(self.root, name), None
        with folder.held():
            stack = services(folder.entries())
            if len(stack) == 1:
                raise RegistryError(f"no version of {name} is in service: there is nothing to roll back")
            for digest in _ways_back(stack)[1:]:
                try:
                    sound = folder.version(digest, sound=True)
                    break
                except BundleError as error:
                    why = f"{why}; passed over: {error}"
            folder.note(Act.ROLLED_BACK, sound.digest if sound else BASE, by=by, why=why, at=at)
            folder.settle_links()
        return replace(sound, standing=Standing.CURRENT) if sound else None

    def set_shadow(self, name: str, digest: str, *, by: str, why: str, at: datetime) -> None:
        """Let a version contour unseen beside the one in service, or none where the digest is empty.

        Raises:
            BundleError: it does not verify.
            OSError: if the disk refuses.
        """
        folder = ModelFolder(self.root, name)
        with folder.held():
            if digest != BASE:
                folder.version(digest, sound=True)
            folder.note(Act.SHADOWED, digest, by=by, why=why, at=at)
            folder.settle_links()

    def mark(self, digest: str, text: str, *, by: str, at: datetime) -> int:
        """Mark a version for good, as "has learnt from a patient who was forgotten since"; return how many there were.

        Args:
            digest: of the version, whichever model it is of.
            text: in words.
            by: whom.
            at: UTC.
        """
        folders = [ModelFolder(self.root, name) for name in self.names()]
        having = [folder for folder in folders if digest in folder.digests()]
        for folder in having:
            with folder.held():
                folder.note(Act.MARKED, digest, by=by, why=text, at=at)
        return len(having)

    def rewrite(self, version: Version, file: str, content: bytes) -> None:
        """Replace a file of a version that its manifest does not name: the weights and the digest stay.

        The record of the version is first: who is killed behind it does the same again, and `verify` asks for it.

        Raises:
            BundleError: the record cannot be read.
            OSError: if the disk refuses.
        """
        with ModelFolder(self.root, version.name).held():
            record = read_record(version.folder)
            files = record.files | {file: hashlib.sha256(content).hexdigest()}
            write_record(version.folder, record.model_copy(update={"files": files}))
            write_whole(version.folder / file, content)

    def verify(self, name: str) -> tuple[str, ...]:
        """Return everything that is wrong with the versions of a model and their history, a sentence each."""
        folder = ModelFolder(self.root, name)
        faults = list(faults_of(folder.lines()))
        for digest in folder.digests():
            try:
                version = folder.version(digest, sound=True)
            except BundleError as error:
                faults.append(str(error))
            else:
                faults += [
                    f"{file} of the version {digest[:12]} is not what was added" for file in changed_files(version)
                ]
        in_use = {services(folder.entries())[-1], shadow(folder.entries())} - {BASE}
        gone = sorted(in_use - set(folder.digests()))
        return (*faults, *(f"the version {digest[:12]} is in use and not there" for digest in gone))


def _ways_back(stack: tuple[str, ...]) -> list[str]:
    """Return the versions that may serve, the best first, down to the base, which is none."""
    newest_first = list(dict.fromkeys(reversed(stack)))
    return newest_first[: newest_first.index(BASE)]
