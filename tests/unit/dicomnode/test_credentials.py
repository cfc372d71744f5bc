"""Keys come from systemd where it gives them, and a data folder keeps the one that it began with."""

from pathlib import Path

import pytest

from dicomnode.config import Audit, Configuration, Node
from dicomnode.credentials import file_named
from dicomnode.errors import ConfigurationError
from dicomnode.node import key_file, open_key, repository_of


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "data").mkdir()
    return Configuration(node=Node(data_dir=tmp_path / "data"))


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that systemd names to a service."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_without_a_credential_the_key_lies_in_the_data_folder(configuration: Configuration) -> None:
    """It is made once, and the same the next time."""
    assert open_key(configuration) == open_key(configuration)
    assert key_file(configuration) == configuration.node.data_dir / "pseudonym.key"


def test_a_credential_is_the_key(configuration: Configuration, credentials: Path) -> None:
    """What systemd hands over is used, and nothing is written beside it."""
    (credentials / "pseudonym.key").write_bytes(b"k" * 32)

    assert open_key(configuration) == b"k" * 32
    assert not (configuration.node.data_dir / "pseudonym.key").exists()


def test_a_command_without_the_credential_is_refused(
    configuration: Configuration, credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would give everything a second name, and makes no key of its own."""
    (credentials / "pseudonym.key").write_bytes(b"k" * 32)
    open_key(configuration)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")

    with pytest.raises(ConfigurationError, match="is it a credential"):
        open_key(configuration)
    assert not (configuration.node.data_dir / "pseudonym.key").exists()


def test_another_key_is_refused(configuration: Configuration, credentials: Path) -> None:
    """A data folder has one key for ever."""
    open_key(configuration)
    (credentials / "pseudonym.key").write_bytes(b"k" * 32)

    with pytest.raises(ConfigurationError, match="is not the key"):
        open_key(configuration)


def test_a_file_may_be_a_credential(credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a path is systemd's, an absolute path itself, and a name without systemd's folder is said."""
    assert file_named("tls.key_file", "tls.key") == credentials / "tls.key"
    assert file_named("tls.key_file", "/etc/tls.key") == Path("/etc/tls.key")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(ConfigurationError, match=r"audit\.syslog_key_file: none is no absolute path"):
        repository_of(Audit(syslog_transport="tls", syslog_host="x", syslog_key_file="none"))
