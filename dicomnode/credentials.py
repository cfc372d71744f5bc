"""Keys that systemd hands to the service (systemd.exec(5), Credentials): they need not lie where it can write."""

import os
from pathlib import Path

from dicomnode.errors import ConfigurationError

FOLDER = "CREDENTIALS_DIRECTORY"


def credential(name: str) -> Path | None:
    """Return the file of a credential of this service, if it was given one of this name."""
    folder = os.environ.get(FOLDER)
    path = Path(folder, name) if folder else None
    return path if path is not None and path.is_file() else None


def file_named(key: str, name: str) -> Path:
    """Return the file that the configuration names: an absolute path, or a credential.

    Raises:
        ConfigurationError: it is neither.
    """
    folder = os.environ.get(FOLDER, "")
    if not folder and not Path(name).is_absolute():
        text = f"{key}: {name} is no absolute path, and there is no {FOLDER} with systemd's credentials"
        raise ConfigurationError([text])
    return Path(folder, name)
