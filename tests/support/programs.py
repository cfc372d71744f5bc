"""Where programs of other makers are found: pynetdicom installs a storescu and a storescp beside the interpreter."""

import os
import sys
from pathlib import Path


def path_of_others() -> str:
    """Return the search path without the folder of the interpreter: whoever asks for dcmtk's storescu means dcmtk's."""
    own = Path(sys.executable).parent.resolve()
    return os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if Path(each).resolve() != own)
