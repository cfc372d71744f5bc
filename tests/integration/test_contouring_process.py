"""The process that holds the model: hung, killed, out of memory, refused; and a daemon that holds no model."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicomnode.contourer import Contourer
from dicomnode.errors import ContouringError
from segmentation.bundle import bundle_digest, verify_bundle
from segmentation.phantom_series import write_series
from tests.support.node import make_node, running
from tests.support.peer import receiving_peer
from tests.support.tiny import marked_series

# A process that does at its first request what it was told, and answers every other one: each start leaves a line.
CHILD = """
import json, os, signal, sys, time
from pathlib import Path

starts, fault = Path(sys.argv[1]), sys.argv[2]
with starts.open("a") as file:
    file.write("started\\n")
first = len(starts.read_text().splitlines()) == 1
for line in sys.stdin:
    if fault == "refuses":
        reply = {"outcome": "refused", "reasons": ["it is a thorax"]}
    elif fault == "fails":
        reply = {"outcome": "failed", "text": "the slices cannot be read", "retry": False}
    elif first or fault.startswith("always"):
        if fault.endswith("hangs"):
            time.sleep(600)
        if fault.endswith("dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.endswith("stops in the middle"):
            os.write(1, b'{"outcome": "done", ')
            os._exit(1)
        reply = {"outcome": "failed", "text": "out of memory", "retry": True}
    else:
        reply = {"outcome": "done", "echo": json.loads(line)}
    print(json.dumps(reply), flush=True)
"""


def contourer(folder: Path, fault: str, *, timeout_s: float = 30.0) -> tuple[Contourer, Path]:
    """Return a contouring process with a fault, and the file that counts its starts."""
    starts = folder / "starts"
    return Contourer(timeout_s=timeout_s, command=(sys.executable, "-c", CHILD, str(starts), fault)), starts


@pytest.mark.parametrize("fault", ["hangs", "dies", "runs out of memory", "stops in the middle"])
def test_a_process_that_goes_wrong_once_is_replaced_and_asked_again(tmp_path: Path, fault: str) -> None:
    """A hang, a death, a lack of memory and half an answer cost a second try in a fresh process, and nothing else."""
    process, starts = contourer(tmp_path, fault, timeout_s=2.0 if fault == "hangs" else 30.0)

    reply = process.ask({"ask": "contour"})
    process.close()

    assert reply == {"outcome": "done", "echo": {"ask": "contour"}}
    assert starts.read_text() == "started\n" * 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("always hangs", "contouring did not end within 1 s"),
        ("always dies", "the contouring process ended unexpectedly (exit code -9)"),
        ("always out of memory", "out of memory"),
    ],
)
def test_a_process_that_goes_wrong_twice_is_given_up_with_words(tmp_path: Path, fault: str, words: str) -> None:
    """The second failure is the series' end, and says what happened."""
    process, starts = contourer(tmp_path, fault, timeout_s=1.0 if fault == "always hangs" else 30.0)

    with pytest.raises(ContouringError) as caught:
        process.ask({"ask": "contour"})
    process.close()

    assert str(caught.value) == words
    assert starts.read_text() == "started\n" * 2


def test_a_refused_series_is_not_tried_again(tmp_path: Path) -> None:
    """A refusal is an answer: the reasons come with it and the process stays."""
    process, starts = contourer(tmp_path, "refuses")

    with pytest.raises(ContouringError) as caught:
        process.ask({"ask": "contour"})
    process.close()

    assert caught.value.reasons == ("it is a thorax",)
    assert starts.read_text() == "started\n"


def test_a_failure_that_would_come_again_is_not_tried_again(tmp_path: Path) -> None:
    """What another process could not do better is said at once."""
    process, starts = contourer(tmp_path, "fails")

    with pytest.raises(ContouringError, match="the slices cannot be read"):
        process.ask({"ask": "contour"})
    process.close()

    assert starts.read_text() == "started\n"


def test_a_process_serves_one_request_after_the_other(tmp_path: Path) -> None:
    """The model is loaded once for many series."""
    process, starts = contourer(tmp_path, "none")
    process.ask({"ask": "contour"})  # the first answer is a lack of memory: a fresh process gives it

    replies = [process.ask({"ask": "contour", "series": number}) for number in range(3)]
    process.close()

    assert [reply["echo"]["series"] for reply in replies] == [0, 1, 2]
    assert starts.read_text() == "started\n" * 2


def test_the_real_process_runs_out_of_memory_and_says_so(tmp_path: Path) -> None:
    """With a limit that even the libraries break, the process ends and the request fails with words."""
    process = Contourer(timeout_s=120.0, memory_limit_bytes=1 << 20)

    with pytest.raises(ContouringError) as caught:
        process.ask({"ask": "contour", "paths": [], "bundle": str(tmp_path), "bundle_digest": "", "device": "cpu"})
    process.close()

    assert caught.value.reasons == ()


MEMORY_MIB = 768  # holds the libraries, the tiny model and a coarse CT; a CT of 360 MiB in HU does not fit beside them


@pytest.mark.slow
def test_a_model_that_runs_out_of_memory_is_replaced_and_serves_the_next_series(
    tmp_path: Path, bundle_dir: Path
) -> None:
    """A CT too large for the limit ends the process with the loaded model, twice; the next series finds a fresh one."""
    request = {"ask": "contour", "bundle": str(bundle_dir / "tiny"), "device": "cpu", "engine": "auto", "insist": False}
    request["bundle_digest"] = bundle_digest(verify_bundle(bundle_dir / "tiny"))
    small = {**request, "paths": marked_paths(tmp_path / "small", enlarged=1), "out": str(tmp_path / "small.npz")}
    large = {**request, "paths": marked_paths(tmp_path / "large", enlarged=32), "out": str(tmp_path / "large.npz")}
    process = Contourer(timeout_s=120.0, memory_limit_bytes=MEMORY_MIB << 20, environment={"OMP_NUM_THREADS": "1"})

    before = process.ask(small)
    with pytest.raises(ContouringError) as caught:
        process.ask(large)
    after = process.ask(small)
    process.close()

    assert "memory" in str(caught.value)
    assert before["organs"] == after["organs"] != []
    assert not (tmp_path / "large.npz").exists()


def marked_paths(folder: Path, *, enlarged: int) -> list[str]:
    """Write a marked CT of 20 slices, each row and column repeated so often, and return its files."""
    series = marked_series(1, slices=20)
    for ds in series:
        pixels: Any = np.repeat(np.repeat(ds.pixel_array, enlarged, axis=0), enlarged, axis=1)
        ds.Rows, ds.Columns = pixels.shape
        ds.PixelSpacing = [float(value) / enlarged for value in ds.PixelSpacing]
        ds.PixelData = pixels.tobytes()
    return [str(path) for path in write_series(series, folder)]


@pytest.mark.slow
def test_the_daemon_holds_no_torch(tmp_path: Path, bundle_dir: Path) -> None:
    """After a series was contoured, the daemon's own memory maps show neither torch nor OpenCV nor SciPy."""
    with receiving_peer() as tps:
        node = make_node(tmp_path / "node", tps.peer, bundle_dir=bundle_dir)
        with running(node):
            node.wait_for_end(node.send_series(marked_series(1, slices=20)))
            assert node.process is not None
            maps = Path(f"/proc/{node.process.pid}/maps").read_text()

    assert len(tps.received) == 1
    assert "/site-packages/numpy/" in maps
    assert [name for name in ("torch", "cv2", "scipy") if f"/site-packages/{name}/" in maps] == []


def test_a_series_whose_contouring_hangs_fails_with_an_alarm(tmp_path: Path, bundle_dir: Path) -> None:
    """A timeout shorter than any contouring ends the series as failed; `status` says why and the node lives."""
    with receiving_peer() as tps:
        more = {"contouring": {"timeout_s": 0.05}}
        node = make_node(tmp_path / "node", tps.peer, bundle_dir=bundle_dir, more=more)
        with running(node):
            uid = node.send_series(marked_series(1, slices=20))
            states = node.wait_for_end(uid)
            status = node.status()

    assert states[uid] == "failed"
    assert status["series"][0]["reasons"] == ["contouring did not end within 0.05 s"]
    assert [alarm["kind"] for alarm in status["alarms"]] == ["failed"]
    assert status["running"]
    assert json.dumps(status["alarms"]).count("contouring did not end") == 1
