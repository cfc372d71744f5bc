"""The main job on one machine: a node on loopback, a CT sent to it, and the structure set that comes back to a TPS."""

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import RTStructureSetStorage

from adaptation.metrics import dice
from dicomnode import scu
from dicomnode.config import Configuration, Node, Receiving, load_configuration
from dicomnode.errors import NodeError
from dicomnode.feeding import Feeding
from dicomnode.intake import Intake
from dicomnode.node import Books
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.pixel_decoder import PixelDecoder
from dicomnode.registrar import Registrar
from dicomnode.routing import Rule
from dicomnode.sameness import is_same
from dicomnode.scp import start
from dicomnode.spool import Spool
from dicomnode.structure_settings import NAMES_FILE, structure_settings
from dicomnode.visits import Visits
from segmentation.ct import CtSeries, read_ct_series
from segmentation.organ_mask import OrganMask
from segmentation.phantom import Phantom, build_phantom
from segmentation.phantom_series import build_series, write_series
from segmentation.picture import draw_contours
from segmentation.rtstruct_reader import read_structure_set
from segmentation.structures import Appearance

SEED = 4711  # a phantom that the model was not trained on
QUIET_S = 2.0
START_S = 60.0
CONTOUR_S = 900.0  # a machine that is busy with other work must not fail
LOOPBACK = "127.0.0.1"

Say = Callable[[str], None]


@dataclass(frozen=True)
class OrganRow:
    """One line of the table.

    Args:
        organ: TG-263 name.
        volume_cm3: as contoured, NaN if the organ is not in the structure set.
        true_cm3: of the phantom.
        dice: of the contours, read back from the file, with the truth.
    """

    organ: str
    volume_cm3: float
    true_cm3: float
    dice: float


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration left in its folder.

    Args:
        folder: where it lies.
        rows: of the table, an organ each.
        seconds: by stage.
        faults: sentences; none if all of it went as it must.
    """

    folder: Path
    rows: tuple[OrganRow, ...]
    seconds: dict[str, float]
    faults: tuple[str, ...]


def run_demo(out: Path, say: Say, names: Path | None = None) -> DemoResult:
    """Run the main job in a folder, which is emptied first if it is an earlier demonstration's.

    Args:
        out: receives the CT, the structure set, the picture, the table and the node's log.
        say: is told what happens.
        names: file with the site's names of the organs; else the installed one if it is there.

    Raises:
        NodeError: if something did not happen in time.
    """
    _prepare(out)
    started = time.monotonic()
    say("making a phantom: a head-and-neck CT with 12 organs that are known voxel by voxel")
    phantom = build_phantom(SEED)
    paths = write_series(build_series(phantom, seed=SEED), out / "ct")
    seconds = {"phantom": time.monotonic() - started}
    node, tps = _free_port(), _free_port()
    configuration = _write_configuration(out, node, tps, names)
    structures = structure_settings(names, NAMES_FILE)
    with _tps(out / "tps", configuration.peers[0]) as arrived, _node(out) as is_alive:
        say(f"a node listens on {LOOPBACK}:{node}, and a storage SCP that plays the TPS on {LOOPBACK}:{tps}")
        _wait_until(lambda: _answers(configuration), START_S, is_alive, "the node does not answer C-ECHO")
        begun = time.monotonic()
        _send(configuration, paths)
        seconds["send"] = time.monotonic() - begun
        say(f"{len(paths)} slices were sent by C-STORE in {seconds['send']:.1f} s")
        begun = time.monotonic()
        _wait_until(lambda: arrived() is not None, CONTOUR_S, is_alive, "no structure set came back")
        seconds["quiet, contour and deliver"] = time.monotonic() - begun
    received = arrived()
    if received is None:
        raise NodeError("no structure set came back")
    shutil.copyfile(received, out / "structure_set.dcm")
    say(f"the structure set came back {seconds['quiet, contour and deliver']:.1f} s after the last slice")
    return _evaluate(out, read_ct_series(paths), phantom, structures.appearances(), seconds)


def _prepare(out: Path) -> None:
    if (out / "dicomnode.toml").is_file():
        shutil.rmtree(out)
    if out.exists() and any(out.iterdir()):
        raise NodeError(f"{out} is not empty and no earlier demonstration's: name another folder")
    out.mkdir(parents=True, exist_ok=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _write_configuration(out: Path, node: int, tps: int, names: Path | None) -> Configuration:
    """Return the embedded defaults but for ports, folder and a rule that lets the phantom in."""
    path = out / "dicomnode.toml"
    path.write_text(
        f"""# The demonstration's node: the embedded defaults, and what a demonstration needs.
[node]
host = "{LOOPBACK}"
port = {node}
data_dir = {json.dumps(str((out / "node").resolve()))}

[receiving]
quiet_s = {QUIET_S}
minimum_free_mib = 256
minimum_free_percent = 0

[contouring]
structures_file = {json.dumps(str(names.resolve()) if names else "")}

[[peers]]
ae_title = "TPS"
host = "{LOOPBACK}"
port = {tps}
may = ["send_ct", "send_approvals", "receive_results"]

[[rules]]
name = "phantom"
action = "contour"
bundle = "demo"
send_to = ["TPS"]
"""
    )
    return load_configuration(path)


@contextmanager
def _tps(folder: Path, peer: Peer) -> Iterator[Callable[[], Path | None]]:
    """Run a storage SCP that takes structure sets, and yield what tells where the first one lies."""
    node = Node(ae_title=peer.ae_title, host=LOOPBACK, port=peer.port, data_dir=folder)
    sender = Peer("DICOMNODE", LOOPBACK, peer.port, may=("send_approvals",))
    books = Books.open(Configuration(node=node, peers=(sender,)), create=True)
    rules = (Rule("everything", "ignore"),)
    feeding = Feeding()
    pixels = PixelDecoder()
    spool = Spool(folder)
    registrar = Registrar(books.ledger, spool.digest_of)
    intake = Intake(spool, registrar, rules, feeding, partial(is_same, decode=pixels.digest))
    receiver = start(node, Receiving(), (sender,), intake, feeding, visits=Visits(peer.ae_title, books.auditor.write))

    def arrived() -> Path | None:
        for file in sorted((folder / "instances").glob("*/*.dcm")):
            if dcmread(file, specific_tags=["SOPClassUID"]).SOPClassUID == RTStructureSetStorage:
                return file
        return None

    try:
        yield arrived
    finally:
        receiver.stop(grace_s=2.0)
        pixels.close()
        registrar.close()
        books.close()


@contextmanager
def _node(out: Path) -> Iterator[Callable[[], bool]]:
    """Run a node as a process of its own, as a hospital would, and yield what tells whether it lives."""
    with (out / "node.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dicomnode", "--config", str(out / "dicomnode.toml"), "serve"],
            stderr=log,
            stdout=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            yield lambda: process.poll() is None
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(configuration: Configuration) -> bool:
    own = Peer(configuration.node.ae_title, LOOPBACK, configuration.node.port)
    return scu.echo(own, "TPS", Timeouts(connection_s=1.0)).ok


def _send(configuration: Configuration, paths: list[Path]) -> None:
    node = Peer(configuration.node.ae_title, LOOPBACK, configuration.node.port)
    outcome = scu.send(node, paths, "TPS", Timeouts())
    if not outcome.ok:
        raise NodeError(f"the CT could not be sent: {outcome.comment}")


def _wait_until(happened: Callable[[], bool], longest_s: float, is_alive: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + longest_s
    while not happened():
        if not is_alive():
            raise NodeError("the node ended; node.log in the folder says why")
        if time.monotonic() > deadline:
            raise NodeError(f"{otherwise} within {longest_s:g} s; node.log in the folder says more")
        time.sleep(0.2)


def _evaluate(
    out: Path, ct: CtSeries, phantom: Phantom, called: Mapping[str, Appearance], seconds: dict[str, float]
) -> DemoResult:
    structure_set = dcmread(out / "structure_set.dcm")
    by_name = read_structure_set(structure_set, ct.headers, ct.volume.grid).by_name
    drawn = {organ: by_name[shown.roi_name] for organ, shown in called.items() if shown.roi_name in by_name}
    voxel_cm3 = ct.volume.grid.voxel_cm3
    rows = tuple(_row(organ, drawn.get(organ), truth, voxel_cm3) for organ, truth in phantom.masks.items())
    begun = time.monotonic()
    draw_contours(ct, structure_set, out / "contours.png")
    seconds["picture"] = time.monotonic() - begun
    seconds |= _stages(out)
    with (out / "organs.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["organ", "volume_cm3", "true_cm3", "dice"])
        table.writerows([row.organ, f"{row.volume_cm3:.2f}", f"{row.true_cm3:.2f}", f"{row.dice:.3f}"] for row in rows)
    (out / "seconds.json").write_text(
        json.dumps({stage: round(value, 2) for stage, value in seconds.items()}, indent=2)
    )
    faults = [f"{row.organ} is not in the structure set" for row in rows if row.organ not in drawn]
    return DemoResult(out, rows, seconds, tuple(faults))


def _row(organ: str, drawn: OrganMask | None, truth: NDArray[np.bool_], voxel_cm3: float) -> OrganRow:
    true_cm3 = float(truth.sum()) * voxel_cm3
    if drawn is None:
        return OrganRow(organ, float("nan"), true_cm3, 0.0)
    mask = drawn.full()
    return OrganRow(organ, float(mask.sum()) * voxel_cm3, true_cm3, dice(truth, mask))


def _stages(out: Path) -> dict[str, float]:
    """Return how long the node took for each stage, as its ledger has it."""
    books = Books.open(load_configuration(out / "dicomnode.toml"))
    try:
        results = [result for record in books.ledger.series_in() for result in books.ledger.results_of(record.id)]
    finally:
        books.close()
    return {f"node: {stage}": value for result in results for stage, value in result.seconds.items()}
