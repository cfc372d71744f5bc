"""A certificate authority for one test, and the certificates that it gives; made by openssl, valid for this machine."""

import subprocess
from pathlib import Path


class Authority:
    """Vouches for what it gives.

    Args:
        folder: of its files, made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.file = folder / "ca.pem"
        self._key = folder / "ca.key"
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
            *("-subj", "/CN=authority of a test", "-keyout", self._key, "-out", self.file),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def certificate(self, name: str, *, days: int = 30) -> tuple[Path, Path]:
        """Return the files of a certificate for 127.0.0.1 and 127.0.0.2, and of its key."""
        certificate, key, request = (self._folder / f"{name}.{ending}" for ending in ("pem", "key", "csr"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:127.0.0.1,IP:127.0.0.2,DNS:localhost,DNS:{name}\n")
        _openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", key, "-out", request),
        )
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial"),
            *("-days", days, "-extfile", extensions, "-out", certificate),
        )
        return certificate, key


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *(str(each) for each in arguments)], check=True, capture_output=True)
