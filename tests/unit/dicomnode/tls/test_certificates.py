"""Certificates are taken anew when their files change, and the operator hears of those that cannot be used or end."""

import shutil
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from dicomnode.commands.check import check_node
from dicomnode.config import Configuration, Node, Tls
from dicomnode.errors import ConfigurationError
from dicomnode.node import certificate_files
from dicomnode.tls.certificates import SETTLED, Certificates, CertificateWatch
from dicomnode.tls.contexts import SUITES, Files, calling_context, listening_context
from tests.support.authority import Authority, Issued, openssl

NOON = datetime.now(UTC) - timedelta(minutes=1)
A_MOMENT = timedelta(milliseconds=500)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("ca") / "one")


@pytest.fixture
def issued(authority: Authority, tmp_path: Path) -> Issued:
    """A certificate whose files the test may change."""
    return copied(authority.issue("node", "IP:127.0.0.1"), tmp_path / "used")


def copied(issued: Issued, folder: Path) -> Issued:
    folder.mkdir(exist_ok=True)
    files = (shutil.copy(path, folder / name) for path, name in zip(issued.files.all.values(), "cka", strict=True))
    return Issued(*map(Path, files))


class Watched:
    """A watch, and the alarms that it raised: what each is about, and its text."""

    def __init__(self, files: Files, alarm_days: int = 30) -> None:
        self.alarms: list[tuple[str, str]] = []
        self.certificates = Certificates(files)
        self.watch = CertificateWatch(self.certificates, self._note, alarm_days)

    def _note(self, kind: str, text: str, about: str) -> None:
        assert kind == "certificate"
        self.alarms.append((about, text))

    def step(self, *times: datetime) -> None:
        for now in times:
            self.watch.step(now)


def test_new_files_are_taken_when_they_have_settled(authority: Authority, issued: Issued, tmp_path: Path) -> None:
    """Not at once: between certificate and key a moment may pass in which they do not belong together."""
    watched = Watched(issued.files)
    before = watched.certificates.listening()
    watched.step(NOON)
    renewed = copied(authority.issue("node", "IP:127.0.0.1"), tmp_path / "used")

    watched.step(NOON + A_MOMENT)
    in_between = watched.certificates.listening()
    watched.step(NOON + A_MOMENT + SETTLED)

    assert in_between is before
    assert watched.certificates.listening() is not before
    assert watched.certificates.own.fingerprint == renewed.fingerprint.replace(":", "").lower()
    assert watched.alarms == []


def test_a_node_that_is_told_to_loads_its_files_at_once(issued: Issued) -> None:
    """Also where they look as they did, and no second time."""
    watched = Watched(issued.files)
    loaded = [watched.certificates.listening()]

    watched.watch.ask()
    for moment in (NOON, NOON + A_MOMENT):
        watched.step(moment)
        loaded.append(watched.certificates.listening())

    assert loaded[1] is not loaded[0]
    assert loaded[2] is loaded[1]


def cut_short(issued: Issued, _other: Issued) -> None:
    issued.certificate.write_bytes(issued.certificate.read_bytes()[:200])


def with_foreign_key(issued: Issued, other: Issued) -> None:
    shutil.copy(other.key, issued.key)


def taken_away(issued: Issued, _other: Issued) -> None:
    issued.ca.unlink()


def with_password(issued: Issued, _other: Issued) -> None:
    openssl("ec", "-in", issued.key, "-aes256", "-passout", "pass:secret", "-out", issued.key)


BROKEN = pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (cut_short, "no PEM file"),
        (with_foreign_key, "key values mismatch"),
        (taken_away, "No such file"),
        (with_password, "encrypted"),
    ],
)
Break = Callable[[Issued, Issued], None]


@BROKEN
def test_broken_files_leave_the_old_ones_in_use(
    authority: Authority, issued: Issued, break_it: Break, words: str
) -> None:
    """With one alarm that says why, however often one looks; and mended files are taken."""
    watched = Watched(issued.files)
    before = watched.certificates.listening()
    good = {path: path.read_bytes() for path in issued.files.all.values()}
    break_it(issued, authority.issue("other"))

    watched.step(NOON, NOON + SETTLED, NOON + 2 * SETTLED)

    ((about, text),) = watched.alarms
    assert (about, watched.certificates.listening()) == ("reload", before)
    assert words in text
    for path, content in good.items():
        path.write_bytes(content)
    watched.step(NOON + 3 * SETTLED, NOON + 4 * SETTLED)
    assert watched.certificates.listening() is not before


@BROKEN
def test_a_node_does_not_begin_with_broken_files(
    authority: Authority, issued: Issued, break_it: Break, words: str
) -> None:
    """It says why, and waits for nobody's password."""
    break_it(issued, authority.issue("other"))

    with pytest.raises(ConfigurationError, match=words):
        Certificates(issued.files)


def test_an_end_that_is_near_is_an_alarm_once_a_day(authority: Authority) -> None:
    """Before it, from so many days on, and after it."""
    watched = Watched(authority.issue("short", "IP:127.0.0.1", days=40).files)
    days = [NOON + timedelta(days=number, minutes=minutes) for number in (0, 8, 12, 41) for minutes in (0, 1)]

    watched.step(*days)

    abouts, texts = zip(*watched.alarms, strict=True)
    assert abouts == ("own", "own")
    assert "in 28 days" in texts[0]
    assert "ended on" in texts[1]


def test_a_clock_that_is_set_back_changes_nothing(issued: Issued) -> None:
    """Neither an alarm nor an exception."""
    watched = Watched(issued.files)

    watched.step(NOON, NOON - timedelta(days=1), NOON - timedelta(days=1) + A_MOMENT)

    assert watched.alarms == []


@pytest.mark.parametrize(
    ("days", "passed", "words"), [(90, True, "in 89 days"), (20, False, "in 19 days"), (-1, False, "ended on")]
)
def test_check_says_when_certificates_end(
    authority: Authority, tmp_path: Path, days: int, *, passed: bool, words: str
) -> None:
    """With the fingerprint that a peer may bind; within the days of the alarm it is a bad verdict."""
    issued = authority.issue("checked", days=days)
    names = {key: str(path) for key, path in issued.files.all.items()}

    configuration = Configuration(node=Node(data_dir=tmp_path), tls=Tls(alarm_days=30, **names))
    _, _, verdict = islice(check_node(configuration), 3)

    assert (verdict.subject, verdict.passed) == ("certificates", passed)
    assert words in verdict.text
    assert issued.fingerprint.replace(":", "").lower() in verdict.text


def test_check_says_what_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where the credentials of the service are not at hand."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    tls = Tls(certificate_file="/none", key_file="node.key", ca_file="/none")

    _, _, verdict = islice(check_node(Configuration(node=Node(data_dir=tmp_path), tls=tls)), 3)

    assert not verdict.passed
    assert verdict.text.startswith("tls.key_file: node.key is no absolute path")


def test_a_name_that_is_no_path_is_a_credential(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, tmp_path: Path
) -> None:
    """As systemd hands a key over that the service's user cannot read otherwise."""
    issued = copied(authority.issue("node"), tmp_path / "credentials")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    tls = Tls(certificate_file=str(issued.certificate), key_file="k", ca_file=str(issued.ca))

    assert certificate_files(tls) == issued.files


@pytest.mark.parametrize("build", [listening_context, calling_context])
def test_the_settings_are_those_of_the_profile(issued: Issued, build: Callable[[Files], ssl.SSLContext]) -> None:
    """PS3.15 B.12 and BCP 195: TLS 1.2 with four suites, 1.3, and always a certificate."""
    context = build(issued.files)

    old = {each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"}
    assert old == set(SUITES)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.cert_store_stats()["x509"] == 1
