"""Patients over DICOM: the CT is sent and contoured, then the physicians' contours come, approved, from plastimatch.

What admission sets aside of the patients to learn from stays aside: nobody admits it. Who is the gate is the
experiment's choice, so that a patient of the gate whom admission sets aside is admitted by a person.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread

from adaptation.case_record import CaseRecord, Status
from adaptation.cases import CaseStore
from adaptation.labelled_ct import Case
from adaptation.partition import Part
from dicomnode.ledger import Ledger
from dicomnode.peers import Peer
from dicomnode.records import ApprovalState
from segmentation.phantom import Phantom
from segmentation.phantom_series import build_series, write_series
from segmentation.volume import Volume
from tests.support.approved import storescu, written_by_plastimatch
from tests.support.node import Node, make_node

RULES = (
    '[[rules]]\nname = "structure sets"\naction = "learn"\n'
    '[[rules]]\nname = "planning CT"\naction = "contour"\nbundle = "{model}"\n'
)
CT_RANGE_HU = (-1024, 3071)  # 12 bits stored
PATIENCE_S = 900.0  # of a busy machine, for one patient
# Newcomers are the gate's until it is full, and learnt from then on: the experiment decides who is who by the order.
PARTS = {"train": 1e-9, "tune": 1e-9, "gate_full": 17}


def node_of(folder: Path, bundles: Path, model: str, peer: Peer) -> Node:
    """Return the experiment's node, not started; its one peer sends everything and takes the results."""
    more: Mapping[str, Mapping[str, object]] = {
        "receiving": {"quiet_s": 1.0},
        "adaptation": {"fetch_after_s": 0.1},
        "adaptation.parts": PARTS,
    }
    return make_node(folder, peer, bundle_dir=bundles, rules=RULES.format(model=model), more=more)


def store_of(node: Node) -> CaseStore:
    """Return the node's case store."""
    return CaseStore(node.data / "adaptation" / "cases")


def path_of(case: Case, out: Path) -> Path:
    """Return the file that says what became of a patient who came."""
    return out / f"{case.name.replace('/', '-')}.json"


def arrive(node: Node, cases: Iterable[Case], out: Path) -> list[dict[str, Any]]:
    """Have patients come to a running node, one after the other; return what became of each, which is kept."""
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for case in cases:
        path = path_of(case, out)
        if not path.exists():
            path.write_text(json.dumps(_arrived(node, case, out / "dicom"), indent=1))
            print(f"{case.name}: {json.loads(path.read_text())['status']}", flush=True)
        found.append(json.loads(path.read_text()))
    return found


def _arrived(node: Node, case: Case, work: Path) -> dict[str, Any]:
    """Send one patient, wait, and say what became of it and why."""
    labelled = case.load()
    folder = work / case.name.replace("/", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    hu = np.clip(labelled.volume.hu, *CT_RANGE_HU).astype(np.int16)
    seed = 1000 + int("".join(letter for letter in case.name if letter.isdigit()))
    datasets = build_series(
        Phantom(Volume(hu, labelled.volume.grid), labelled.masks), seed=seed, patient_id=f"LOOP-{seed}"
    )
    for dataset in datasets:
        dataset.Manufacturer, dataset.ManufacturerModelName = "OpenKBP", "arrays"
    slices = write_series(datasets, folder / "ct")
    drawn = {organ: mask for organ, mask in labelled.masks.items() if mask.any()}
    structure_set = written_by_plastimatch(folder / "set", folder / "ct", drawn, labelled.volume.grid)
    storescu(node.port, *slices)
    state = node.wait_for_end(str(datasets[0].SeriesInstanceUID), seconds=PATIENCE_S)
    storescu(node.port, structure_set)
    record = _case_of(node, structure_set)
    kept = store_of(node).load(record)
    came = {
        "case": case.name,
        "name": record.name,
        "part": record.part.value,
        "series": str(next(iter(state.values()))),
        "status": record.status.value,
        "reasons": list(record.reasons),
        "origins": {organ: one.origin.value for organ, one in record.structures.items()},
        "dsc_to_ours": {organ: round(one.edit.dice, 4) for organ, one in record.structures.items() if one.edit},
        "voxels_alike": {organ: bool(np.array_equal(kept.masks[organ], drawn[organ])) for organ in kept.masks},
    }
    if record.status is Status.SET_ASIDE and record.part is Part.GATE:
        done = node.run(
            "adapt", "case", "admit", record.name, "--why", "a patient of the experiment's gate, drawn so by its centre"
        )
        came["admitted_by_hand"] = done.returncode == 0
    shutil.rmtree(folder)
    return came


def _case_of(node: Node, structure_set: Path) -> CaseRecord:
    uid = str(dcmread(structure_set, stop_before_pixels=True).SOPInstanceUID)
    names: list[str] = []

    def there(ledger: Ledger) -> bool:
        ends = (ApprovalState.FILED, ApprovalState.NOT_TAKEN, ApprovalState.FAILED)
        names[:] = [one.case_name for one in ledger.approvals(*ends) if one.sop_instance_uid == uid]
        return bool(names)

    node.wait_for(there, PATIENCE_S)
    return store_of(node).record(names[0])
