"""The child processes of a configuration: each starts when it is first asked."""

import sys

from dicomnode.config import Configuration
from dicomnode.contourer import KEY_FILE, LOG_FORMAT, LOG_LEVEL, Contourer
from dicomnode.node import key_file
from dicomnode.spool import MIB


def build_contourer(configuration: Configuration) -> Contourer:
    """Return the contouring process of a configuration; it starts when it is first asked."""
    return Contourer(
        timeout_s=configuration.contouring.timeout_s,
        memory_limit_bytes=configuration.contouring.memory_limit_mib * MIB,
        environment=child_environment(configuration),
    )


def build_filer(configuration: Configuration) -> Contourer:
    """Return the process that makes cases of approved structure sets; it starts when it is first asked."""
    return Contourer(
        timeout_s=configuration.contouring.timeout_s,
        environment=child_environment(configuration),
        command=(sys.executable, "-m", "dicomnode.filing_process"),
    )


def child_environment(configuration: Configuration) -> dict[str, str]:
    """Return what a child process that logs is told."""
    return {
        KEY_FILE: str(key_file(configuration)),
        LOG_FORMAT: configuration.logging.format,
        LOG_LEVEL: configuration.logging.level,
    }
