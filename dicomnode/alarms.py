"""An alarm on its way to people: a log line at error level, and a webhook or an e-mail where the site names one."""

import json
import queue
import smtplib
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage

import structlog

from dicomnode.config import Alarms
from dicomnode.records import AlarmRecord

log = structlog.get_logger(__name__)

WAITING = 1000  # alarms that nobody could be told of yet; more are in `status` and the log all the same


class AlarmBell:
    """Tells people of alarms, each once, without making anybody wait.

    Args:
        settings: who is told.
        clean: makes a text fit to leave the node: with pseudonyms for UIDs, as the log has them.
    """

    def __init__(self, settings: Alarms, clean: Callable[[object], object] = str) -> None:
        self._settings = settings
        self._clean = clean
        self._waiting: queue.Queue[AlarmRecord | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._tell_all, name="alarms", daemon=True)
        self._thread.start()

    def ring(self, alarm: AlarmRecord) -> None:
        """Log an alarm and tell people of it; one that is only counted up is not told again."""
        log.error("alarm", kind=alarm.kind, text=alarm.text, about=alarm.about, count=alarm.count)
        if alarm.count == 1:
            try:
                self._waiting.put_nowait(alarm)
            except queue.Full:
                log.warning("too many alarms wait for the webhook or the e-mail server")

    @property
    def is_open(self) -> bool:
        """Whether there is still somebody to tell people."""
        return self._thread.is_alive()

    def close(self, timeout_s: float = 2.0) -> None:
        """Tell what waits, for so long at most."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _tell_all(self) -> None:
        while (alarm := self._waiting.get()) is not None:
            try:
                self._tell(alarm)
            except (OSError, smtplib.SMTPException, urllib.error.URLError) as error:
                log.warning("nobody could be told of an alarm", kind=alarm.kind, error=type(error).__name__)

    def _tell(self, alarm: AlarmRecord) -> None:
        if self._settings.webhook_url:
            body = {
                "kind": alarm.kind,
                "text": self._clean(alarm.text),
                "about": self._clean(alarm.about),
                "raised": alarm.raised.isoformat(),
            }
            request = urllib.request.Request(  # noqa: S310 (the configuration allows http and https only)
                self._settings.webhook_url,
                data=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                method="POST",
            )
            with urllib.request.urlopen(request, timeout=self._settings.timeout_s):  # noqa: S310
                pass
        if self._settings.email_host:
            message = EmailMessage()
            message["Subject"] = f"dicomnode: {alarm.kind}"
            message["From"] = self._settings.email_from
            message["To"] = ", ".join(self._settings.email_to)
            message.set_content(
                f"{self._clean(alarm.text)}\n\nRaised {alarm.raised:%Y-%m-%d %H:%M:%S %Z}. See `dicomnode status`.\n"
            )
            with smtplib.SMTP(
                self._settings.email_host, self._settings.email_port, timeout=self._settings.timeout_s
            ) as server:
                server.send_message(message)
