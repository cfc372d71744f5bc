"""Run the daemon until it is told to stop."""

import os
import sys

from dicomnode.config import Configuration
from dicomnode.daemon import run_until_signalled
from dicomnode.log import Pseudonyms, set_logging_up
from dicomnode.node import open_key
from dicomnode.spool import make_directory


def serve(configuration: Configuration) -> None:
    """Run a node on its data folder.

    Raises:
        NodeError: if it cannot start.
        OSError: if the data folder cannot be made.
    """
    os.umask(0o077)  # nobody else on the machine reads a patient's CT, whatever the service manager was told
    make_directory(configuration.node.data_dir)
    pseudonyms = Pseudonyms(open_key(configuration))
    set_logging_up(configuration.logging.format, configuration.logging.level, pseudonyms, sys.stderr)
    run_until_signalled(configuration)
