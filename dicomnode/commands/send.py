"""DICOM files, or folders of them, to a peer."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from dicomnode.audit.message import Event, Kind, Outcome, Party, Role
from dicomnode.audit.subject import studies_of
from dicomnode.commands.addressing import peer_named
from dicomnode.config import Configuration
from dicomnode.errors import NotFound
from dicomnode.node import timeouts_of, tls_settings_of
from dicomnode.scu import SendOutcome, send

_MAGIC_AT, _MAGIC = 128, b"DICM"  # PS3.10 7.1


def send_files(
    configuration: Configuration,
    ae_title: str,
    paths: Iterable[Path],
    tell: Callable[[Event], None] = lambda _event: None,
) -> SendOutcome:
    """Send every DICOM file among the paths, and in the folders among them, to a peer.

    Args:
        configuration: has the peer, our AE title and the timeouts.
        ae_title: of the peer.
        paths: files and folders.
        tell: takes the events for the audit, where there is one.

    Raises:
        NotFound: no peer has this AE title, or there is no DICOM file.
    """
    peer = peer_named(configuration, ae_title)
    files = [file for path in paths for file in dicom_files(path)]
    if not files:
        raise NotFound("there is no DICOM file to send")
    ours = configuration.node.ae_title
    studies = studies_of(files)
    parties = (Party(ours, Role.SOURCE, is_requestor=True), Party(peer.ae_title, Role.DESTINATION, peer.host))
    for study in studies:
        tell(Event(Kind.BEGIN_TRANSFERRING, datetime.now(UTC), parties, study=study))
    outcome = send(peer, files, ours, timeouts_of(configuration.delivering, tls_settings_of(configuration.tls)))
    result = Outcome.SUCCESS if outcome.ok else Outcome.MINOR_FAILURE
    text = "" if outcome.ok else f"{outcome.sent} of {len(files)} instances were taken"
    for study in studies:
        tell(Event(Kind.INSTANCES_SENT, datetime.now(UTC), parties, result, text, study))
    return outcome


def dicom_files(path: Path) -> list[Path]:
    """Return the file, or all DICOM files in the folder and its folders, by name.

    Raises:
        NotFound: there is no such file or folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise NotFound(f"there is no file or folder {path}")
    return sorted(each for each in path.rglob("*") if each.is_file() and _is_dicom(each))


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC
