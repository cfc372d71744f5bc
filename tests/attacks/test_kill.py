"""Power cuts: the node is killed at every step between a C-STORE request and its answer, and keeps its promises."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.instances import ct_instance, encode
from tests.support.kill_loop import Tally, kill_loop
from tests.support.killable_receiver import STEPS
from tests.support.node import wait_until
from tests.support.siege import Siege, besieged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROUNDS = (*STEPS * 3, "", "")


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Tally:
    """Kill a node at each step three times, and twice at some other time."""
    return kill_loop(tmp_path_factory.mktemp("killed") / "node").run(ROUNDS)


def test_it_was_killed_at_every_step_with_promises_open(tally: Tally) -> None:
    """Row 26: there were enough deaths, and enough instances that had been answered with Success."""
    assert tally.rounds == len(ROUNDS) >= 25
    assert len(tally.promised) > 100


def test_nothing_acknowledged_is_lost_and_nothing_partial_is_kept(tally: Tally) -> None:
    """Row 26: every promised instance is there byte by byte; every file is whole and has a row, every row a file."""
    assert tally.faults == {}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Return the system calls of one C-STORE in the order in which they were over, sends as they began."""
    folder = tmp_path_factory.mktemp("traced")
    with besieged(folder / "node") as siege:
        yield calls_of_one_store(siege, folder / "calls")


def calls_of_one_store(siege: Siege, trace: Path) -> list[str]:
    """Store an instance of a new series while strace looks."""
    calls = "trace=fsync,fdatasync,syncfs,rename,renameat,renameat2,sendto,sendmsg,write"
    options = ["-f", "-y", "-s", "16", "-e", calls, "-o", str(trace), "-p", str(siege.process.pid)]
    with subprocess.Popen(["strace", *options], stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        assert "attached" in strace.stderr.readline()
        ds = ct_instance(series="1.2.826.0.1.3680043.8.498.99")
        with siege.inside() as peer:
            assert peer.store(ds.SOPInstanceUID, encode(ds)) == 0x0000
            wait_until(lambda: "\\4\\0" in trace.read_text(), 10.0, trace.read_text)
        strace.terminate()
    return in_order(trace.read_text().splitlines())


def in_order(lines: list[str]) -> list[str]:
    """Return the calls with their arguments: a call that another thread interrupted stands where it was over."""
    begun: dict[str, str] = {}
    found = []
    for line in lines:
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.startswith(("sendto(", "sendmsg(")):
            found.append(call)
        elif call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif call.startswith("<... "):
            found.append(begun.pop(thread, "") + call)
        else:
            found.append(call)
    return found


def first(calls: list[str], expression: str) -> int:
    """Return where the first such call stands."""
    return next((number for number, call in enumerate(calls) if re.match(expression, call)), len(calls))


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_file_name_and_folder_are_on_disk_before_the_answer(traced: list[str]) -> None:
    """The order of the promise: file synced, name given, folder and its parent synced, and only then 0x0000."""
    synced = first(traced, r"(fsync|fdatasync|syncfs)\(\d+<[^>]*(/incoming/[^>]*\.part|/instances/[0-9a-f]+/[^>]*)>")
    renamed = first(traced, r"rename\w*\(.*\.part.*\.dcm")
    folder_synced = first(traced, r"(fsync|fdatasync|syncfs)\(\d+<[^>]*/instances/[0-9a-f]{64}>")
    parent_synced = first(traced, r"(fsync|fdatasync|syncfs)\(\d+<[^>]*/instances>")
    answered = max(number for number, call in enumerate(traced) if re.match(r"send\w+\(\d+<[^>]*>, \"\\4\\0", call))

    assert max(synced, renamed) < folder_synced < answered, traced
    assert max(synced, renamed, parent_synced) < answered, traced
