"""One version of a model in the registry: a bundle that is never changed, and a record of where it came from."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from segmentation.bundle import (
    MANIFEST,
    Manifest,
    Part,
    Sha256,
    bundle_digest,
    read_manifest,
    sha256_of,
    verify_bundle,
)
from segmentation.durable import write_whole, written_whole
from segmentation.errors import BundleError

RECORD = "version.json"  # beside the manifest, which it is not part of: the same weights are the same version


class Record(Part):
    """Where a version came from.

    Args:
        parent: digest of the model that it was made from; empty where that is not known.
        origin: in words, as the run that trained it or the file that it was imported from.
        by: who added it.
        added: UTC.
        files: file name to digest, of each file beside the record that the manifest does not name.
    """

    parent: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    origin: str
    by: str
    added: datetime
    files: dict[str, Sha256] = Field(default_factory=dict)


class Standing(StrEnum):
    """What a version is for at the moment."""

    CURRENT = "in service"
    SHADOW = "in the shadow"
    PREVIOUS = "was in service"
    CANDIDATE = "candidate"


@dataclass(frozen=True)
class Version:
    """A version as the registry knows it.

    Args:
        name: of the model.
        digest: that names the version, as `bundle_digest`.
        folder: the bundle.
        manifest: of the bundle.
        record: where it came from.
        standing: what it is for.
        marks: what it was marked with, oldest first.
    """

    name: str
    digest: str
    folder: Path
    manifest: Manifest
    record: Record
    standing: Standing = Standing.CANDIDATE
    marks: tuple[str, ...] = ()


def read_record(folder: Path) -> Record:
    """Return where a version came from.

    Raises:
        BundleError: where that is not there or does not parse.
    """
    try:
        return Record.model_validate_json((folder / RECORD).read_bytes())
    except OSError as error:
        raise BundleError(f"the version {folder.name[:12]} has no readable {RECORD}: {error.strerror}") from error
    except ValidationError as error:
        raise BundleError(f"the {RECORD} of the version {folder.name[:12]} is not valid") from error


def read_version(name: str, folder: Path) -> Version:
    """Return a version; its weights are not looked at.

    Raises:
        BundleError: where manifest or record cannot be read.
    """
    return Version(name, folder.name, folder, read_manifest(folder), read_record(folder))


def sound_version(name: str, folder: Path) -> Version:
    """Return a version whose files are those that were added under its digest.

    Raises:
        BundleError: saying what is not.
    """
    if not folder.is_dir():
        raise BundleError(f"the version {folder.name[:12]} is not there")
    manifest = verify_bundle(folder)
    if bundle_digest(manifest) != folder.name:
        raise BundleError(f"the version {folder.name[:12]} holds another model's manifest")
    return Version(name, folder.name, folder, manifest, read_record(folder))


def copy_bundle(bundle: Path, manifest: Manifest, to: Path) -> dict[str, str]:
    """Copy the files of a bundle, each on the disk when this returns; folders and links in it are left.

    Args:
        bundle: the folder.
        manifest: of the bundle.
        to: a folder that is not there yet.

    Returns:
        the SHA-256 of each file that the manifest does not name, as that of what the model has learnt from.

    Raises:
        OSError: if the disk refuses.
    """
    to.mkdir(mode=0o700)
    files = [file for file in bundle.iterdir() if file.is_file() and not file.is_symlink() and file.name != RECORD]
    for file in files:
        with file.open("rb") as source, written_whole(to / file.name) as target:
            shutil.copyfileobj(source, target, 1 << 20)
    named = {MANIFEST, *manifest.sha256}
    return {file.name: sha256_of(to / file.name) for file in files if file.name not in named}


def write_record(folder: Path, record: Record) -> None:
    """Write where a version came from; its folder is about to take its name."""
    write_whole(folder / RECORD, (record.model_dump_json(indent=2) + "\n").encode())


def changed_files(version: Version) -> list[str]:
    """Return which files that the manifest does not name are not what was added."""
    return [
        name
        for name, digest in version.record.files.items()
        if not (version.folder / name).is_file() or sha256_of(version.folder / name) != digest
    ]
