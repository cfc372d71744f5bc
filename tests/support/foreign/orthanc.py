"""Orthanc (Jodogne, C++): an archive that echoes, sends and keeps when its REST interface is told to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

from dicomnode.peers import Peer
from tests.support import peers_of_others
from tests.support.foreign.implementation import Answer, Call, Foreign, Kept, Place, kept_of
from tests.support.peers_of_others import need


@dataclass(frozen=True)
class Orthanc:
    """An Orthanc that runs."""

    archive: peers_of_others.Orthanc

    @property
    def version(self) -> str:
        """As its REST interface says."""
        return f"Orthanc {self.archive.ask('/system')['Version']}"

    @property
    def listens_as(self) -> Peer:
        """Of its SCP."""
        return self.archive.peer

    def echo(self, call: Call) -> Answer:
        """Have it echo the modality."""
        return self._tell(call, "echo", {})

    def store(self, call: Call, files: Sequence[Path]) -> Answer:
        """Upload the files, and have it send them."""
        uploaded = [self._post("/instances", file.read_bytes()) for file in files]
        return self._tell(call, "store", {"Resources": [one["ID"] for one in uploaded], "Synchronous": True})

    def kept(self) -> Mapping[str, Kept]:
        """Return what it has, what was uploaded too."""
        return kept_of(self.archive.files().values())

    def _tell(self, call: Call, what: str, more: Mapping[str, object]) -> Answer:
        modality = {
            "AET": call.node.ae_title,
            "Host": call.node.host,
            "Port": call.node.port,
            "LocalAet": call.calling,
            "UseDicomTls": call.node.tls,
            "Timeout": 20,
        }
        self.archive.read("/modalities/called", method="PUT", body=json.dumps(modality).encode())
        try:
            return Answer(ok=True, words=str(self._post(f"/modalities/called/{what}", json.dumps(more).encode())))
        except HTTPError as error:
            return Answer(ok=False, words=error.read().decode())

    def _post(self, path: str, body: bytes) -> dict[str, str]:
        answer: dict[str, str] = json.loads(self.archive.read(path, method="POST", body=body))
        return answer


@contextmanager
def orthanc(place: Place) -> Iterator[Foreign]:
    """Run an Orthanc."""
    need("Orthanc")
    secure: dict[str, object] = {}
    if own := place.papers:
        secure = {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(own.certificate),
            "DicomTlsPrivateKey": str(own.key),
            "DicomTlsTrustedCertificates": str(own.ca),
        }
    with peers_of_others.orthanc(place.folder, place.node_port, place.ae_title, secure) as archive:
        yield Orthanc(archive)
