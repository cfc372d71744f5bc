"""Which model a rule means, and what it is, without loading it: the version in service, else the base bundle."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomnode.config import Configuration
from dicomnode.errors import ConfigurationError
from segmentation.bundle import Manifest, bundle_digest, shipped_bundle, verify_bundle
from segmentation.errors import BundleError
from segmentation.registry import Registry
from segmentation.registry_version import Version


@dataclass(frozen=True)
class Model:
    """A verified bundle.

    Args:
        folder: the bundle.
        manifest: of the bundle.
        digest: that names it exactly.
        faults: why it is not the version that should serve, a sentence each; none where it is.
    """

    folder: Path
    manifest: Manifest
    digest: str
    faults: tuple[str, ...] = ()

    def in_words(self) -> str:
        """Return the version with the beginning of the digest."""
        return f"{self.manifest.version} ({self.digest[:12]})"


@dataclass(frozen=True)
class Models:
    """Where models are looked for; asked anew each time, so that a promotion holds from the next series on.

    Args:
        bundle_dirs: the site's base bundles, before the shipped ones.
        registry: the versions.
    """

    bundle_dirs: tuple[Path, ...]
    registry: Registry

    def find(self, name: str) -> Model:
        """Return what serves under a name, its files verified.

        Raises:
            BundleError: if it does not verify, or the registry cannot be read.
            ConfigurationError: if there is none.
        """
        with _readable():
            service = self.registry.current(name)
        if service.version is None:
            base = self.base(name)
            return Model(base.folder, base.manifest, base.digest, service.faults)
        return _model_of(service.version, service.faults)

    def base(self, name: str) -> Model:
        """Return the bundle that serves where no version does, and from which versions are trained.

        Raises:
            BundleError: if it does not verify.
            ConfigurationError: if there is none.
        """
        for folder in (*(parent / name for parent in self.bundle_dirs), shipped_bundle(name)):
            if folder.is_dir():
                manifest = verify_bundle(folder)
                return Model(folder, manifest, bundle_digest(manifest))
        raise ConfigurationError(
            [f"there is no model {name}: it is not shipped, in none of contouring.bundle_dirs, and not in service"]
        )

    def shadow_of(self, name: str) -> Model | None:
        """Return the version that contours unseen beside what serves under a name, if there is one.

        Raises:
            BundleError: if the registry cannot be read.
        """
        with _readable():
            version = self.registry.shadow(name)
        return _model_of(version) if version else None

    def called(self, text: str) -> Model:
        """Return the model that a person means: NAME for the base, NAME@current, NAME@VERSION or NAME@DIGEST.

        Raises:
            BundleError: if it does not verify.
            ConfigurationError: if there is none.
            RegistryError: if there is no such version.
        """
        name, _, version = text.partition("@")
        if not version:
            return self.base(name)
        return self.find(name) if version == "current" else _model_of(self.registry.find(name, version))


def models_of(configuration: Configuration) -> Models:
    """Return where a node's models are looked for."""
    registry = Registry(configuration.registry_dir, keep=configuration.models.keep)
    return Models(configuration.contouring.bundle_dirs, registry)


def names_in_service(configuration: Configuration) -> list[str]:
    """Return the models that the rules contour with."""
    return sorted({rule.bundle for rule in configuration.rules if rule.action == "contour"})


def _model_of(version: Version, faults: Iterable[str] = ()) -> Model:
    return Model(version.folder, version.manifest, version.digest, tuple(faults))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"the registry of models cannot be read: {error.strerror}") from error
