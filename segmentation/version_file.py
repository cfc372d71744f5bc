"""A version as one file, to be carried to another machine: the bundle and its record, each byte under a digest."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from segmentation.bundle import MANIFEST, verify_bundle
from segmentation.durable import written_whole
from segmentation.errors import BundleError
from segmentation.registry import Registry
from segmentation.registry_version import RECORD, Record, Version, read_record

LARGEST_BYTES = 1 << 32  # of all files; ten times the published network in 32 bits
EARLIEST = (1980, 1, 1, 0, 0, 0)  # what a zip file can say; the same version is the same file


def export_version(version: Version, out: Path) -> None:
    """Write a version to a file that is whole or not there.

    Raises:
        BundleError: the version does not verify.
        OSError: if the disk refuses.
    """
    verify_bundle(version.folder)
    with written_whole(out) as file, ZipFile(file, "w", ZIP_STORED) as archive:  # weights do not get smaller
        for path in sorted(version.folder.iterdir()):
            with path.open("rb") as source, archive.open(ZipInfo(path.name, EARLIEST), "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)


def import_version(registry: Registry, name: str, path: Path, *, by: str, at: datetime) -> Version:
    """Keep a version that was exported, or a bundle's folder; it serves nobody yet.

    Args:
        registry: of this machine.
        name: of the model here.
        path: the file, or the folder.
        by: whom.
        at: UTC.

    Raises:
        BundleError: it is no such file, or what it holds does not verify.
        RegistryError: that is no name of a model.
        OSError: if the disk refuses.
    """
    if path.is_dir():
        return registry.add(name, path, origin=f"imported from the folder {path.name}", by=by, at=at)
    with _unpacked(path) as (folder, record):
        origin = f"{record.origin}; added there by {record.by}; imported from {path.name}"
        return registry.add(name, folder, origin=origin, by=by, at=at, parent=record.parent)


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[Path, Record]]:
    with TemporaryDirectory(dir=path.parent, prefix=".import-") as parent:
        folder = Path(parent) / "bundle"
        folder.mkdir()
        try:
            with ZipFile(path) as archive:
                for one in _members(archive):
                    with archive.open(one) as source, (folder / one.filename).open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
        except (BadZipFile, NotImplementedError, EOFError) as error:
            raise BundleError(f"{path.name} is no exported version: {error}") from error
        yield folder, read_record(folder)


def _members(archive: ZipFile) -> list[ZipInfo]:
    """Return what an archive holds, which must be plain files of a size that a model can have."""
    members = archive.infolist()
    odd = [one.filename for one in members if one.is_dir() or Path(one.filename).name != one.filename]
    if odd or len({one.filename for one in members}) != len(members):
        raise BadZipFile("it names a file outside of itself, or one twice")
    if not {MANIFEST, RECORD} <= {one.filename for one in members}:
        raise BadZipFile(f"it has no {MANIFEST} or no {RECORD}")
    if sum(one.file_size for one in members) > LARGEST_BYTES or any(one.compress_type != ZIP_STORED for one in members):
        raise BadZipFile("it is larger than a model, or compressed")
    return members
