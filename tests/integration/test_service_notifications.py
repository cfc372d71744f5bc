"""What the service manager hears of a daemon: that it is ready, that it lives, that it stops."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIGURATION = """
[node]
host = "127.0.0.1"
port = 0
data_dir = "{data_dir}"

[receiving]
minimum_free_mib = 0
minimum_free_percent = 0
"""
WATCHDOG_US = 4_000_000
WAIT_S = 30.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(WAIT_S)
        yield channel


@pytest.fixture
def daemon(tmp_path: Path, manager: socket.socket) -> Iterator[subprocess.Popen[str]]:
    """A node of its own process, on a port that the system chooses."""
    file = tmp_path / "dicomnode.toml"
    file.write_text(CONFIGURATION.format(data_dir=tmp_path / "data"), encoding="utf-8")
    told = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": str(WATCHDOG_US)}
    command = (sys.executable, "-m", "dicomnode", "--config", str(file), "serve")
    process = subprocess.Popen(command, env={**os.environ, **told}, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def heard_until(manager: socket.socket, last: str) -> list[str]:
    """Return what is said, up to and with `last`."""
    heard = [manager.recv(4096).decode()]
    while heard[-1] != last:
        heard.append(manager.recv(4096).decode())
    return heard


def test_a_daemon_says_that_it_is_ready_lives_and_stops(manager: socket.socket, daemon: subprocess.Popen[str]) -> None:
    """READY comes first, the watchdog is fed in time, STOPPING follows SIGTERM, and the end is clean."""
    assert manager.recv(4096) == b"READY=1"
    manager.settimeout(WATCHDOG_US / 1e6)
    assert [manager.recv(4096), manager.recv(4096)] == [b"WATCHDOG=1"] * 2
    manager.settimeout(WAIT_S)

    daemon.send_signal(signal.SIGTERM)

    assert heard_until(manager, "STOPPING=1")[-1] == "STOPPING=1"
    assert daemon.wait(WAIT_S) == 0


def test_a_second_daemon_on_the_same_folder_is_refused(
    manager: socket.socket, daemon: subprocess.Popen[str], tmp_path: Path
) -> None:
    """It ends with exit code 1 and a sentence, and the first goes on."""
    assert manager.recv(4096) == b"READY=1"

    second = subprocess.run(
        (sys.executable, "-m", "dicomnode", "--config", str(tmp_path / "dicomnode.toml"), "serve"),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )

    assert second.returncode == 1
    assert "another daemon works on" in second.stderr
    assert daemon.poll() is None
