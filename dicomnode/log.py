"""The log: JSON or readable, with pseudonyms for UIDs, and no way through for a patient's name.

Our own messages are sentences with bound values; each value goes through `Scrub`. What libraries say is not trusted to
hold no value of a data set: of theirs remain the logger, the place in the source, and the text only where it is a
template whose values were never filled in, or one of a short list.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
import sys
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from dicomnode.errors import ConfigurationError, NodeError

_UID = re.compile(r"(?<![\w.])(?:[0-2](?:\.\d+){4,}|2\.25\.\d+)(?![\w])")
_REGISTERED = "1.2.840.10008."  # DICOM's own UIDs name classes and syntaxes, never a patient's things
_WARNING = re.compile(r"^(?P<file>.*?):(?P<line>\d+): (?P<category>\w+): ")
DENIED_KEYS = frozenset(
    {"patient", "patient_name", "patient_id", "patient_birth_date", "birth_date", "name_of_patient"}
)
PLAIN_TEXTS = frozenset(
    {
        "Accepting Association",
        "Rejecting Association",
        "Requesting Association",
        "Association Released",
        "Association Aborted",
        "Association Aborted (A-P-ABORT)",
        "Aborting Association",
        "Association Accepted",
        "Connection closed before the entire PDU was received",
        "No accepted presentation contexts",
        "Association request failed: unable to connect to remote",
        "Exception in handler bound to 'evt.EVT_C_STORE'",
    }
)
"""What pynetdicom says without any value in it."""

KEY_BYTES = 32


class Pseudonyms:
    """Names for UIDs that only this node can resolve.

    Args:
        key: of this node, 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, uid: str) -> str:
        """Return the first 12 hexadecimal digits of HMAC-SHA256(key, UID)."""
        return hmac.new(self._key, uid.encode(), hashlib.sha256).hexdigest()[:12]

    def identity_of(self, patient_id: str) -> str:
        """Return all 64 digits for a Patient ID: by these a patient is found again, and named nowhere."""
        return hmac.new(self._key, f"patient {patient_id.strip()}".encode(), hashlib.sha256).hexdigest()


def load_or_create_key(path: Path) -> bytes:
    """Return the node's key; at the first start make it, mode 0600.

    Raises:
        ConfigurationError: the file is there and holds no key, or cannot be read or made.
    """
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
        else:
            key = secrets.token_bytes(KEY_BYTES)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(descriptor)
    except OSError as error:
        raise ConfigurationError([f"{path}: the key of the pseudonyms cannot be used: {error.strerror}"]) from None
    if len(key) != KEY_BYTES:
        raise ConfigurationError([f"{path}: holds no key of {KEY_BYTES} bytes"])
    return key


class Scrub:
    """A processor that lets no raw UID, no denied key and no control character through.

    Args:
        pseudonyms: that stand for the UIDs.
    """

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the event as it may be written."""
        return {key: value if key.startswith("_") else self.clean(value) for key, value in _allowed(event).items()}

    def clean(self, value: object) -> object:
        """Return the value as the log may hold it."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {str(self.clean(key)): self.clean(each) for key, each in _allowed(value).items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(each) for each in value]
        text = "".join(letter if letter.isprintable() else "?" for letter in str(value))
        return _UID.sub(lambda match: self._name(match.group()), text)

    def _name(self, uid: str) -> str:
        return uid if uid.startswith(_REGISTERED) else self._pseudonyms.of(uid)


def reduce_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the kind and the place of an exception into the event, and its text only if it is one of ours."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = str(error) if isinstance(error, NodeError) else type(error).__name__
        event["at"] = places(error.__traceback__)
    return event


def places(traceback: TracebackType | None) -> list[str]:
    """Return where an exception came through, innermost last: files, lines and functions, no values."""
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in extract_tb(traceback)][-6:]


class SafeFormatter(structlog.stdlib.ProcessorFormatter):
    """Writes our own events as they are, and reduces what any library says."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return super().format(record if isinstance(record.msg, dict) else reduced(record))


def reduced(record: logging.LogRecord) -> logging.LogRecord:
    """Return a library's record without anything that could come from a data set."""
    text = _safe_text(record)
    if isinstance(record.exc_info, tuple) and record.exc_info[0]:
        text += f" ({record.exc_info[0].__name__})"
    return logging.makeLogRecord(
        {
            "name": record.name,
            "levelname": record.levelname,
            "levelno": record.levelno,
            "created": record.created,
            "msg": f"{text} [{Path(record.pathname).name}:{record.lineno}]",
        }
    )


def _safe_text(record: logging.LogRecord) -> str:
    if record.name == "py.warnings":
        match = _WARNING.match(record.getMessage())
        return f"{match['category']} at {Path(match['file']).name}:{match['line']}" if match else "a warning"
    if record.args or record.msg in PLAIN_TEXTS:
        return str(record.msg)
    return "text withheld"


class _Handler(logging.StreamHandler[TextIO]):
    """Our one handler, known by its class so that a second set-up replaces the first."""


def set_logging_up(
    form: str, level: str, pseudonyms: Pseudonyms, stream: TextIO | None = None, *, silent: str | None = None
) -> None:
    """Send everything that this process logs through one safe handler.

    Args:
        form: "json", "console", or "auto": readable on a terminal and JSON elsewhere, as under systemd.
        level: the lowest level that is written; what libraries say below WARNING only at DEBUG.
        pseudonyms: that stand for UIDs.
        stream: where to; standard error if it is not given.
        silent: a library of which nothing is written, with all its loggers.
    """
    stream = stream or sys.stderr
    readable = form == "console" or (form == "auto" and stream.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty()) if readable else structlog.processors.JSONRenderer()
    )
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        reduce_exception,
        Scrub(pseudonyms),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = _Handler(stream)
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    handler.setFormatter(SafeFormatter(foreign_pre_chain=shared, processors=last))
    handler.addFilter(
        lambda record: isinstance(record.msg, dict) or record.levelno >= logging.WARNING or level == "DEBUG"
    )
    if silent is not None:
        handler.addFilter(lambda record: record.name.partition(".")[0] != silent)
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, _Handler)] + [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_lost_thread


def _log_lost_thread(lost: threading.ExceptHookArgs) -> None:
    """Log a thread that an exception ended, instead of printing the exception with its values."""
    name = lost.thread.name if lost.thread else "?"
    structlog.get_logger(__name__).error("a thread ended with an exception", thread=name, exc_info=lost.exc_value)


def _allowed(event: Mapping[Any, Any]) -> MutableMapping[str, Any]:
    return {str(key): value for key, value in event.items() if str(key).lower() not in DENIED_KEYS}
