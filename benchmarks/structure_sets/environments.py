"""One virtual environment for each reader: their requirements exclude one another.

`python -m benchmarks.structure_sets.environments` makes those that are missing, in the user's cache.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SCRIPTS = Path(__file__).parent / "readers"
STEMS = {
    "rt-utils": "with_rt_utils",
    "DicomRTTool": "with_dicom_rt_tool",
    "dcmrtstruct2nii": "with_dcmrtstruct2nii",
    "dicompyler-core": "with_dicompyler_core",
    "platipy": "with_platipy",
}
"""Of each library the name of its script and of its requirements."""


def script_of(name: str) -> Path:
    """Return the script that works with a library."""
    return SCRIPTS / f"{STEMS[name]}.py"


def python_of(name: str) -> Path:
    """Return the interpreter of a library's environment, which is there or not.

    Another version in the requirements, or another Python, is another environment.
    """
    content = (SCRIPTS / f"{STEMS[name]}.txt").read_bytes() + sys.version.encode()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "dicomnode-readers" / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}" / "bin" / "python"


def make(name: str) -> Path:
    """Return the interpreter of a library's environment, made if it is missing."""
    python = python_of(name)
    final = python.parents[1]
    if final.exists():
        return python
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{name}-", suffix=".part", dir=final.parent))
    venv.create(partial, symlinks=True)
    # All is pinned, and the rest of what the libraries ask for (VTK, a command line) is not wanted.
    options = ["--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "--python", partial / "bin" / "python", "install", *options]
    subprocess.run([*command, "-r", SCRIPTS / f"{STEMS[name]}.txt"], check=True)
    partial.rename(final)  # whole or not at all; nothing in it that we start knows the folder's name
    return python


def make_all() -> None:
    """Make the environments that are missing, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, STEMS))


if __name__ == "__main__":
    make_all()
