"""News on its way to people, alarms above all: by a log line, and a webhook or an e-mail where the site names one."""

import json
import queue
import smtplib
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import structlog

from dicomnode.config import Alarms
from dicomnode.records import AlarmRecord

log = structlog.get_logger(__name__)

WAITING = 1000  # alarms that nobody could be told of yet; more are in `status` and the log all the same


@dataclass(frozen=True)
class News:
    """What people are told.

    Args:
        kind: a short stable word.
        text: a sentence, without patient identity.
        about: what it is about, as a pseudonym.
        raised: when.
        page: an HTML file that an e-mail has with it, likewise without identity; None without one.
    """

    kind: str
    text: str
    about: str
    raised: datetime
    page: Path | None = None


class AlarmBell:
    """Tells people of alarms, each once, and of other news, without making anybody wait.

    Args:
        settings: who is told.
        clean: makes a text fit to leave the node: with pseudonyms for UIDs, as the log has them.
    """

    def __init__(self, settings: Alarms, clean: Callable[[object], object] = str) -> None:
        self._settings = settings
        self._clean = clean
        self._waiting: queue.Queue[News | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._tell_all, name="alarms", daemon=True)
        self._thread.start()

    def ring(self, alarm: AlarmRecord) -> None:
        """Log an alarm and tell people of it; one that is only counted up is not told again."""
        log.error("alarm", kind=alarm.kind, text=alarm.text, about=alarm.about, count=alarm.count)
        if alarm.count == 1:
            self._put(News(alarm.kind, alarm.text, alarm.about, alarm.raised))

    def announce(self, news: News) -> None:
        """Log news that are no alarm, and tell people of them."""
        log.info("news", kind=news.kind, text=news.text)
        self._put(news)

    def _put(self, news: News) -> None:
        try:
            self._waiting.put_nowait(news)
        except queue.Full:
            log.warning("too much waits for the webhook or the e-mail server")

    @property
    def is_open(self) -> bool:
        """Whether there is still somebody to tell people."""
        return self._thread.is_alive()

    def close(self, timeout_s: float = 2.0) -> None:
        """Tell what waits, for so long at most."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _tell_all(self) -> None:
        while (news := self._waiting.get()) is not None:
            for tell in (self._post, self._mail):
                try:
                    tell(news)
                except (OSError, smtplib.SMTPException, urllib.error.URLError) as error:
                    log.warning("nobody could be told", kind=news.kind, error=type(error).__name__)

    def _post(self, news: News) -> None:
        if self._settings.webhook_url:
            body = {
                "kind": news.kind,
                "text": self._clean(news.text),
                "about": self._clean(news.about),
                "raised": news.raised.isoformat(),
            }
            request = urllib.request.Request(  # noqa: S310 (the configuration allows http and https only)
                self._settings.webhook_url,
                data=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                method="POST",
            )
            with urllib.request.urlopen(request, timeout=self._settings.timeout_s):  # noqa: S310
                pass

    def _mail(self, news: News) -> None:
        if self._settings.email_host:
            message = EmailMessage()
            message["Subject"] = f"dicomnode: {news.kind}"
            message["From"] = self._settings.email_from
            message["To"] = ", ".join(self._settings.email_to)
            message.set_content(
                f"{self._clean(news.text)}\n\nRaised {news.raised:%Y-%m-%d %H:%M:%S %Z}. See `dicomnode status`.\n"
            )
            if news.page is not None:
                message.add_attachment(news.page.read_bytes(), maintype="text", subtype="html", filename=news.page.name)
            with smtplib.SMTP(
                self._settings.email_host, self._settings.email_port, timeout=self._settings.timeout_s
            ) as server:
                server.send_message(message)
