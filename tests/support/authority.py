"""A certificate authority in a temporary folder, made with the commands of docs/operating.md, but no passphrase."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from dicomnode.tls.contexts import Files
from tests.support.peers_of_others import need

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and who vouches for others."""

    certificate: Path
    key: Path
    ca: Path

    @property
    def files(self) -> Files:
        """The files as the node takes them."""
        return Files(self.certificate, self.key, self.ca)

    @property
    def fingerprint(self) -> str:
        """Its SHA-256 as openssl prints it, digits in pairs."""
        return openssl("x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256").partition("=")[2].strip()


@dataclass(frozen=True)
class Authority:
    """A certificate authority; its folder holds all that it has issued."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Authority":
        """Make one."""
        need("openssl")
        folder.mkdir(parents=True)
        authority = cls(folder)
        constraints = (
            "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext", "keyUsage=critical,keyCertSign,cRLSign"
        )  # fmt: skip
        openssl(
            "req", "-x509", *_KEY, "-days", "3650", "-subj", "/CN=DICOM authority", *constraints,
            "-keyout", folder / "ca.key", "-out", authority.certificate,
        )  # fmt: skip
        return authority

    @property
    def certificate(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.pem"

    def issue(self, name: str, *subject_alternatives: str, days: int = 90) -> Issued:
        """Issue a certificate, or issue it anew with a new key.

        Args:
            name: of its files, and its common name.
            subject_alternatives: as openssl has them, such as `IP:127.0.0.1`.
            days: until it ends; negative: it has ended.
        """
        issued = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key", self.certificate)
        request = self.folder / f"{name}.csr"
        alternatives = ("-addext", f"subjectAltName={','.join(subject_alternatives)}") if subject_alternatives else ()
        openssl("req", *_KEY, "-subj", f"/CN={name}", *alternatives, "-keyout", issued.key, "-out", request)
        openssl(
            "x509", "-req", "-in", request, "-copy_extensions", "copy", "-days", str(days), "-out", issued.certificate,
            "-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
        )  # fmt: skip
        return issued


def self_signed(folder: Path, name: str, subject_alternative: str) -> Issued:
    """Make a certificate that nobody vouches for, as products make it when they are installed."""
    need("openssl")
    issued = Issued(folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}.pem")
    extensions = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"subjectAltName={subject_alternative}")
    files = ("-keyout", issued.key, "-out", issued.certificate)
    openssl("req", "-x509", *_KEY, "-days", "90", "-subj", f"/CN={name}", *extensions, *files)
    return issued


def openssl(*arguments: object) -> str:
    """Run the openssl program; return what it prints."""
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
