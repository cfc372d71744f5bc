"""The engines that compute the network: alike, chosen by what is there, and silent."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from segmentation.errors import EngineError
from segmentation.network.compiled import TELEMETRY, Compiled
from segmentation.network.engine import engine_of, on_engine
from segmentation.network.folded import folded, ready
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant
from tests.support.small_bundle import SMALL

ROOT = Path(__file__).parents[4]
CPU = torch.device("cpu")
PAPER = Variant(width=4, blocks=(1, 2, 1, 1), multi_grid=(1,))
INSTALLED = find_spec("openvino") is not None
needs_openvino = pytest.mark.skipif(
    not INSTALLED and os.environ.get("CI") != "true", reason="OpenVINO is not installed; CI must have it"
)
# Compiles a network and runs it; tells whom it tried to reach, and what it left in its home.
WATCHED = """
import json, sys
reached = []
sys.addaudithook(lambda name, args: reached.append(f"{name} {args[-1]}")
    if name in ("socket.connect", "socket.getaddrinfo", "socket.sendto") else None)
import torch
from pathlib import Path
from segmentation.network.engine import on_engine
from segmentation.network.segmenter import Segmenter
from tests.support.small_bundle import SMALL
network = Segmenter(SMALL, 2).eval().requires_grad_(False)
quick = on_engine(network, 3, "openvino")
quick.network(torch.zeros(1, 3, 16, 16))
import time
time.sleep(1)
print(json.dumps([quick.engine, reached, [str(path) for path in Path.home().rglob("*")]]))
"""


def network_of(variant, routes=(), seed=3):
    torch.manual_seed(seed)
    return Segmenter(variant, 3, routes).eval().requires_grad_(requires_grad=False)


@needs_openvino
@pytest.mark.parametrize(("variant", "routes"), [(SMALL, ()), (SMALL, ((1,), (0, 2))), (PAPER, ())])
def test_compiled_network_says_what_the_network_says(variant, routes):
    """Both heads, and tails for single organs; for other numbers and sizes of slices than it was compiled with."""
    network = network_of(variant, routes)
    exact, short = (Compiled(folded(network), 3, numbers) for numbers in (torch.float32, torch.bfloat16))

    with torch.inference_mode():
        for shape in ((2, 3, 40, 56), (5, 3, 64, 48), (1, 3, 8, 16)):
            slices = torch.rand(shape)
            said = network(slices)
            assert torch.allclose(exact(slices), said, atol=1e-5, rtol=1e-4)
            assert (short(slices).sigmoid() - said.sigmoid()).abs().max() < 0.03


@needs_openvino
def test_each_network_is_compiled_for_itself():
    """A new version of a model does not get what was compiled of the one before."""
    one, other = (on_engine(network_of(SMALL, seed=seed), 3, "openvino").network for seed in (1, 2))
    slices = torch.rand(1, 3, 32, 32)

    assert not torch.allclose(one(slices), other(slices), atol=1e-3)


@needs_openvino
def test_openvino_tells_nobody(tmp_path):
    """Its own reports would leave the hospital, and a file in the home."""
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        env={**environment, "HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    engine, reached, left = json.loads(done.stdout.splitlines()[-1])

    assert engine.startswith("OpenVINO ")
    assert reached == []
    assert left == []


@needs_openvino
def test_automatic_choice_is_openvino_where_it_is_installed():
    """And it says so, with its version and its numbers."""
    chosen = on_engine(network_of(SMALL), 3)

    assert isinstance(chosen.network, Compiled)
    assert chosen.engine.startswith("OpenVINO 20")
    assert not chosen.fault


def test_torch_is_taken_where_it_is_asked_for():
    """Whatever else is installed."""
    network = network_of(SMALL)
    chosen = on_engine(network, 3, "torch")
    slices = torch.rand(1, 3, 16, 16).to(next(chosen.network.parameters()).dtype)

    assert torch.equal(chosen.network(slices), ready(network)(slices))
    assert chosen.engine.startswith(f"torch {torch.__version__}")


def test_torch_is_taken_where_nothing_else_is_installed(monkeypatch):
    """It is no fault that what is optional is not there; but what was asked for by name must be."""
    monkeypatch.setitem(sys.modules, "openvino", None)

    assert on_engine(network_of(SMALL), 3).engine.startswith("torch ")
    assert not on_engine(network_of(SMALL), 3).fault
    with pytest.raises(EngineError, match="OpenVINO does not load"):
        on_engine(network_of(SMALL), 3, "openvino")


def test_torch_takes_the_place_of_an_installation_that_is_broken(monkeypatch, tmp_path):
    """The series is contoured all the same, and the operator is told why it took longer."""
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text("raise ImportError('libopenvino.so: no such file')\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    chosen = on_engine(network_of(SMALL), 3)

    assert chosen.engine.startswith("torch ")
    assert chosen.fault == "OpenVINO does not load: libopenvino.so: no such file"
    with pytest.raises(EngineError, match="no such file"):
        on_engine(network_of(SMALL), 3, "openvino")


def test_graphics_card_is_torchs():
    """OpenVINO is for processors here."""
    assert engine_of("auto", torch.device("cuda")) == "torch"
    with pytest.raises(EngineError, match="the device is cuda"):
        engine_of("openvino", torch.device("cuda"))
    assert engine_of("openvino", CPU) == "openvino"


@needs_openvino
def test_reports_stay_out_of_the_process():
    """What would send them cannot be imported."""
    on_engine(network_of(SMALL), 3, "openvino")

    assert sys.modules[TELEMETRY] is None
