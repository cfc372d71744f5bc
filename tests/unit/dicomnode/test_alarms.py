"""An alarm on its way to people, over real sockets."""

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dicomnode.alarms import AlarmBell, News
from dicomnode.config import Alarms
from dicomnode.log import Pseudonyms, Scrub
from dicomnode.records import AlarmRecord
from tests.support.books import NOON


def alarm(count: int = 1) -> AlarmRecord:
    return AlarmRecord(1, "held", "series 0123456789ab is held", "0123456789ab", NOON, count, None)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A web server that remembers what was posted to it."""
    posted: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/alarms", posted
        server.shutdown()
        thread.join()


@pytest.fixture
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """An SMTP server (RFC 5321) that remembers the messages."""
    messages: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline():
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    messages.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                if line.upper().startswith(b"QUIT"):
                    self.wfile.write(b"221 bye\r\n")
                    return
                self.wfile.write(b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1], messages
        server.shutdown()
        thread.join()


def test_an_alarm_is_posted_once(webhook: tuple[str, list[dict[str, object]]]) -> None:
    """One that is only counted up is not told again."""
    url, posted = webhook
    bell = AlarmBell(Alarms(webhook_url=url))

    bell.ring(alarm())
    bell.ring(alarm(count=2))
    bell.close(timeout_s=10)

    assert posted == [
        {"kind": "held", "text": "series 0123456789ab is held", "about": "0123456789ab", "raised": NOON.isoformat()}
    ]


def test_no_uid_leaves_the_node(webhook: tuple[str, list[dict[str, object]]]) -> None:
    """What is posted has the pseudonyms that the log has."""
    url, posted = webhook
    bell = AlarmBell(Alarms(webhook_url=url), Scrub(Pseudonyms(b"key")).clean)

    bell.ring(replace(alarm(), text="instance 1.2.3.4.5.6.7 again", about="1.2.3.4.5.6.7"))
    bell.close(timeout_s=10)

    name = Pseudonyms(b"key").of("1.2.3.4.5.6.7")
    assert (posted[0]["text"], posted[0]["about"]) == (f"instance {name} again", name)


def test_an_alarm_is_mailed(mail_server: tuple[int, list[str]]) -> None:
    """With its kind in the subject and its text in the body."""
    port, messages = mail_server
    settings = Alarms(
        email_host="127.0.0.1", email_port=port, email_from="node@hospital", email_to=("physics@hospital",)
    )
    bell = AlarmBell(settings)

    bell.ring(alarm())
    bell.close(timeout_s=10)

    assert "Subject: dicomnode: held" in messages[0]
    assert "series 0123456789ab is held" in messages[0]


def test_a_report_is_mailed_as_a_page(mail_server: tuple[int, list[str]], tmp_path: Path) -> None:
    """News that are no alarm have their page with them; a webhook that is away keeps no e-mail back."""
    port, messages = mail_server
    page = tmp_path / "2026-03.html"
    page.write_text("<!doctype html><p>contours</p>")
    settings = Alarms(
        webhook_url="http://127.0.0.1:1/gone",
        email_host="127.0.0.1",
        email_port=port,
        email_from="node@hospital",
        email_to=("physics@hospital",),
        timeout_s=1,
    )
    bell = AlarmBell(settings)

    bell.announce(News("report", "the report of 2026-03 is written", "2026-03", NOON, page))
    bell.close(timeout_s=10)

    assert "Subject: dicomnode: report" in messages[0]
    assert 'filename="2026-03.html"' in messages[0]


def test_a_webhook_that_is_away_stops_nothing() -> None:
    """The bell goes on, and whoever rings does not wait."""
    bell = AlarmBell(Alarms(webhook_url="http://127.0.0.1:1/gone", timeout_s=1))

    bell.ring(alarm())
    bell.ring(alarm())
    bell.close(timeout_s=10)

    assert not bell.is_open
