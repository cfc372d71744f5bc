"""The log says what happened, and never to whom."""

import io
import json
import logging
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydicom import dcmread

from dicomnode.errors import ConfigurationError, NotUnderstood
from dicomnode.log import Pseudonyms, load_or_create_key, set_logging_up
from tests.support.instances import CANARY_BIRTH_DATE, CANARY_ID, CANARY_NAME

PSEUDONYMS = Pseudonyms(b"k" * 32)
UID = "1.2.826.0.1.3680043.8.498.12345"


@pytest.fixture(params=["json", "console"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Send the log of this process, all of it, into a text, and put everything back afterwards."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, threading.excepthook
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        set_logging_up(request.param, "DEBUG", PSEUDONYMS, stream)
        yield stream
        logging.captureWarnings(capture=False)
    root.handlers, threading.excepthook = handlers, hook
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_uid_becomes_its_pseudonym(written: io.StringIO) -> None:
    """In a value, in a list, in the middle of a text; classes, syntaxes and addresses stay as they are."""
    log = structlog.get_logger("dicomnode.test")

    log.info("seen", series=UID, several=[UID], text=f"series {UID}.", kind="1.2.840.10008.1.2.1", at="10.0.0.1")

    assert written.getvalue().count(PSEUDONYMS.of(UID)) == 3
    assert UID not in written.getvalue()
    assert "1.2.840.10008.1.2.1" in written.getvalue()
    assert "10.0.0.1" in written.getvalue()


def test_a_denied_key_is_left_out(written: io.StringIO) -> None:
    """Who binds a patient's name by mistake finds nothing of it in the log."""
    structlog.get_logger("dicomnode.test").info(
        "seen", patient_name=CANARY_NAME, nested={"PatientID": 1, "patient_id": CANARY_ID}
    )

    assert CANARY_NAME not in written.getvalue()
    assert CANARY_ID not in written.getvalue()


def test_what_libraries_say_keeps_its_place_and_loses_its_values(written: io.StringIO) -> None:
    """A template stays a template, a finished text is withheld, a warning is its kind, an exception its class."""
    logging.getLogger("pynetdicom.acse").error(f"Bad value {CANARY_NAME}")
    logging.getLogger("sqlalchemy").warning("row %s", CANARY_ID)
    logging.getLogger("pynetdicom.assoc").info("Accepting Association")
    warnings.warn(f"Invalid value for VR DA: {CANARY_BIRTH_DATE}", UserWarning, stacklevel=1)
    logging.getLogger("dbos").error("it failed", exc_info=ValueError(CANARY_NAME))

    text = written.getvalue()
    assert not [each for each in (CANARY_NAME, CANARY_ID, CANARY_BIRTH_DATE) if each in text]
    for said in ("text withheld", "row %s", "Accepting Association", "UserWarning at test_log.py", "ValueError"):
        assert said in text


def test_an_exception_of_ours_keeps_its_sentence(written: io.StringIO) -> None:
    """Our own errors are written for the operator; all others are reduced to their class and place."""
    log = structlog.get_logger("dicomnode.test")
    for error in (NotUnderstood("Rows is missing"), ValueError(CANARY_NAME)):
        try:
            raise error
        except (NotUnderstood, ValueError):
            log.exception("it failed")

    assert "Rows is missing" in written.getvalue()
    assert "ValueError" in written.getvalue()
    assert CANARY_NAME not in written.getvalue()


def test_a_thread_that_dies_tells_no_value(written: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own report would print the exception's text to standard error."""

    def die() -> None:
        raise ValueError(CANARY_NAME)

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()

    assert "a thread ended with an exception" in written.getvalue()
    assert CANARY_NAME not in written.getvalue() + capsys.readouterr().err


def test_pydicom_warnings_tell_no_value(written: io.StringIO, tmp_path: Path) -> None:
    """Pydicom warns with the value that it finds wrong; the log does not."""
    element = b"\x10\x00\x30\x00DA\x0a\x00" + b"CANARYDATE"
    (tmp_path / "x.dcm").write_bytes(element)
    _ = dcmread(tmp_path / "x.dcm", force=True).PatientBirthDate

    assert "CANARYDATE" not in written.getvalue()


def test_a_line_is_one_line(written: io.StringIO) -> None:
    """What a stranger sends cannot forge a line of the log."""
    structlog.get_logger("dicomnode.test").info("seen", peer="EVIL\n2026-01-01 all is well")

    assert len(written.getvalue().splitlines()) == 1


def test_json_has_level_time_and_logger() -> None:
    """As journald and its readers want it."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    stream = io.StringIO()
    set_logging_up("auto", "INFO", PSEUDONYMS, stream)
    structlog.get_logger("dicomnode.test").info("seen", count=3)
    root.handlers = handlers
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()

    entry = json.loads(stream.getvalue())

    assert (entry["event"], entry["level"], entry["logger"], entry["count"]) == ("seen", "info", "dicomnode.test", 3)
    assert entry["timestamp"].endswith("Z")


def test_a_pseudonym_needs_the_key() -> None:
    """Twelve characters, the same for the same key, others for another."""
    assert len(PSEUDONYMS.of(UID)) == 12
    assert PSEUDONYMS.of(UID) == Pseudonyms(b"k" * 32).of(UID)
    assert PSEUDONYMS.of(UID) != Pseudonyms(b"l" * 32).of(UID)


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """It is the same at the next start, and nobody else can read it."""
    key = load_or_create_key(tmp_path / "key")

    assert load_or_create_key(tmp_path / "key") == key
    assert len(key) == 32
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_none_is_a_fault(tmp_path: Path) -> None:
    """Half a key would change every pseudonym."""
    (tmp_path / "key").write_bytes(b"short")

    with pytest.raises(ConfigurationError, match="no key of 32 bytes"):
        load_or_create_key(tmp_path / "key")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        load_or_create_key(tmp_path / "nowhere" / "key")
