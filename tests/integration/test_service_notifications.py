"""What the service manager hears of a daemon, and the socket that it listens on for it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode import scu
from dicomnode.notify import passed_sockets
from dicomnode.scu import Timeouts
from tests.support.node import free_port, make_node, tps, wait_until

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


def is_called(port: int) -> bool:
    """Call somebody on this port; return whether there is anybody."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.peer
def test_a_socket_unit_listens_for_the_daemon(tmp_path: Path) -> None:
    """Whoever calls before the daemon runs waits until it does, and is answered."""
    activate = shutil.which("systemd-socket-activate") or pytest.skip("systemd-socket-activate is not installed")
    node = make_node(tmp_path / "node", tps(9), bundle="demo")
    command = [sys.executable, "-m", "dicomnode", "--config", str(node.configuration), "serve"]
    process = subprocess.Popen([activate, f"--listen=127.0.0.1:{node.port}", *command], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: scu.echo(node.own, "TPS", Timeouts(acse_s=WAIT_S)).ok, WAIT_S, lambda: "no answer")
        process.send_signal(signal.SIGTERM)

        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.peer
def test_a_socket_unit_on_another_port_is_refused(tmp_path: Path) -> None:
    """A port that the configuration does not have is said, and nothing is served on it."""
    activate = shutil.which("systemd-socket-activate") or pytest.skip("systemd-socket-activate is not installed")
    node, other = make_node(tmp_path / "node", tps(9), bundle="demo"), free_port()
    command = [sys.executable, "-m", "dicomnode", "--config", str(node.configuration), "serve"]
    process = subprocess.Popen([activate, f"--listen=127.0.0.1:{other}", *command], stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: is_called(other), WAIT_S, lambda: "nobody listens")
        _, said = process.communicate(timeout=WAIT_S)

        assert process.returncode == 1
        assert f"a socket unit listens on port {other}" in said
    finally:
        process.kill()
        process.wait()


def test_a_socket_for_another_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a parent was passed is not ours."""
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")

    assert passed_sockets() == []
