"""Which bundle a rule means, and what it is, without loading it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dicomnode.errors import ConfigurationError
from segmentation.bundle import Manifest, bundle_digest, shipped_bundle, verify_bundle


@dataclass(frozen=True)
class Model:
    """A verified bundle."""

    folder: Path
    manifest: Manifest
    digest: str


def find_model(name: str, folders: Iterable[Path]) -> Model:
    """Return the bundle of this name, the site's own before the shipped one, with its files verified.

    Raises:
        BundleError: if it does not verify.
        ConfigurationError: if there is none.
    """
    for folder in (*(parent / name for parent in folders), shipped_bundle(name)):
        if folder.is_dir():
            manifest = verify_bundle(folder)
            return Model(folder, manifest, bundle_digest(manifest))
    raise ConfigurationError([f"there is no model {name}: it is not shipped and in none of contouring.bundle_dirs"])
