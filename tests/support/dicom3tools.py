"""dciodvfy and dcentvfy of dicom3tools, which check DICOM objects against the Standard."""

import subprocess


def complaints(*command: object) -> list[str]:
    """Return what a checker of dicom3tools prints beyond the name of the object."""
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True)
    return [line for line in (done.stdout + done.stderr).splitlines() if line != "RTStructureSet"]
