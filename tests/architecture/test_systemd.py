"""The unit and its companions are clean, hardened, and agree with the daemon."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from dicomnode.cli import app
from dicomnode.config import Configuration
from dicomnode.daemon import DRAIN_S
from dicomnode.terminal import CONFIGURATION_FILE

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "dicomnode.service"
PROGRAM = "/opt/dicomnode/bin/dicomnode"
WORST_EXPOSURE = "20"  # in tenths; a bare unit has 92
SECONDS = {"s": 1, "min": 60}


def values_of(key: str) -> list[str]:
    """Return what the unit sets a key to, line by line."""
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)


def seconds_of(key: str) -> int:
    """Return a time that the unit sets, in seconds."""
    number, unit = re.fullmatch(r"(\d+)(s|min)", values_of(key)[0]).groups()
    return int(number) * SECONDS[unit]


DROP_INS = ("", "gpu.conf", "port-104.conf", "socket.conf", "credentials.conf")


@pytest.fixture(params=DROP_INS, ids=[name.removesuffix(".conf") or "cpu" for name in DROP_INS])
def unit(request, tmp_path) -> Path:
    """The unit, as it is for a CPU or with one of its drop-ins, and with a program that every machine has."""
    here = tmp_path / "dicomnode.service"
    here.write_text(UNIT.read_text(encoding="utf-8").replace(f"ExecStart={PROGRAM}", "ExecStart=/bin/true"))
    if request.param:
        (tmp_path / "dicomnode.service.d").mkdir()
        shutil.copy(FOLDER / request.param, tmp_path / "dicomnode.service.d")
    shutil.copy(FOLDER / "dicomnode.socket", tmp_path)
    return here


def program(name: str) -> str:
    """Return where a program of systemd is; skip where it is not installed."""
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it said."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.peer
def test_the_unit_verifies_without_a_word(unit: Path) -> None:
    """systemd-analyze finds nothing to say about the unit, with either drop-in or without."""
    done = run(program("systemd-analyze"), "verify", unit)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.peer
def test_the_socket_unit_verifies_without_a_word(unit: Path) -> None:
    """systemd-analyze finds nothing to say about the socket unit beside the service."""
    done = run(program("systemd-analyze"), "verify", unit.parent / "dicomnode.socket")

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_drop_in_is_tried() -> None:
    """No file of the folder is left out above."""
    assert {file.name for file in FOLDER.glob("*.conf")} == set(DROP_INS) - {""}


@pytest.mark.peer
def test_the_unit_is_hardened(unit: Path) -> None:
    """The exposure that systemd-analyze computes stays below 2.0 of 10."""
    done = run(program("systemd-analyze"), "security", "--offline=yes", f"--threshold={WORST_EXPOSURE}", unit)

    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders to another user")
def test_the_user_and_the_folders_are_made(tmp_path: Path) -> None:
    """Both programs run on an empty root, and the folders have their modes."""
    (tmp_path / "etc").mkdir()

    users = run(program("systemd-sysusers"), f"--root={tmp_path}", FOLDER / "dicomnode.sysusers")
    folders = run(program("systemd-tmpfiles"), f"--root={tmp_path}", "--create", FOLDER / "dicomnode.tmpfiles")

    assert (users.returncode, folders.returncode) == (0, 0), users.stderr + folders.stderr
    assert "dicomnode:x:" in (tmp_path / "etc/passwd").read_text(encoding="utf-8")
    assert (tmp_path / "etc/dicomnode").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "var/lib/dicomnode").stat().st_mode & 0o777 == 0o700


def test_the_command_is_one_that_the_program_has() -> None:
    """ExecStart names the installed configuration and the command that runs the daemon."""
    [command] = values_of("ExecStart")

    assert command == f"{PROGRAM} --config {CONFIGURATION_FILE} serve"
    assert "serve" in get_command(app).commands


def test_the_unit_waits_longer_than_the_daemon_drains() -> None:
    """Nobody kills a daemon that still lets its work end."""
    assert seconds_of("TimeoutStopSec") > DRAIN_S


def test_the_data_folder_is_the_state_directory() -> None:
    """The default of the configuration is the folder that the unit makes and may write."""
    assert Configuration().node.data_dir == Path("/var/lib") / values_of("StateDirectory")[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("Restart", "on-failure"),
        ("KillMode", "mixed"),
        ("OOMPolicy", "continue"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
        ("StateDirectoryMode", "0700"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("MemoryDenyWriteExecute", "no"),
    ],
)
def test_the_unit_promises(key: str, value: str) -> None:
    """What operating.md says of the unit stands in it."""
    assert values_of(key) == [value]
