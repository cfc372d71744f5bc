"""Peers that ask for different things of one series: their profile, and a segmentation where they may receive one."""

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RTStructureSetStorage, SegmentationStorage

from dicomnode.series import State
from tests.support.node import make_node, running
from tests.support.peer import ReceivingPeer, receiving_peer
from tests.support.peers_of_others import need
from tests.support.tiny import marked_series

TAKES = {
    RTStructureSetStorage: (ImplicitVRLittleEndian,),
    SegmentationStorage: (ExplicitVRLittleEndian,),
}
NAMES = '[organs.Parotid_L]\nroi_name = "Parotis li"\ncolour = [1, 2, 3]\n'
VARIANS_OWN = "Warning - Unrecognized defined term <"  # of a mapping resource that the validator does not know
RULE = '[[rules]]\nname = "all"\naction = "contour"\nbundle = "tiny"\nsend_to = ["ECLIPSE", "PACS"]\n'


def taken(peer: ReceivingPeer) -> dict[str, Dataset]:
    """Return what a peer got, by modality."""
    read = [dcmread(BytesIO(data), force=True) for _, _, data in peer.received]
    return {str(ds.Modality): ds for ds in read}


@pytest.mark.slow
def test_each_peer_gets_its_profile_with_the_sites_names_and_the_pacs_a_segmentation(
    tmp_path: Path, bundle_dir: Path
) -> None:
    """One series, three instances: the series is sent when all are, and every file on disk passes the validator."""
    need("dciodvfy")
    (tmp_path / "structures.toml").write_text(NAMES)
    more = {"contouring": {"structures_file": str(tmp_path / "structures.toml")}}
    with receiving_peer("ECLIPSE", accepts=TAKES) as eclipse, receiving_peer("PACS", accepts=TAKES) as pacs:
        peers = (
            replace(eclipse.peer, profile="eclipse"),
            replace(pacs.peer, may=("send_ct", "receive_results", "receive_segmentations")),
        )
        node = make_node(tmp_path / "node", *peers, bundle_dir=bundle_dir, rules=RULE, more=more)
        with running(node):
            uid = node.send_series(marked_series(1, slices=20), calling="PACS")
            states = node.wait_for_end(uid)
            results = node.series(uid)["results"]
        files = [str(node.data / result["path"]) for result in results]
        said = [
            subprocess.run(["dciodvfy", file], capture_output=True, text=True, check=False).stderr for file in files
        ]

    assert states[uid] is State.SENT
    assert [(result["modality"], result["profile"]) for result in results] == [
        ("RTSTRUCT", "eclipse"),
        ("RTSTRUCT", "clinical"),
        ("SEG", "clinical"),
    ]
    for_eclipse, for_pacs = taken(eclipse), taken(pacs)
    assert set(for_eclipse) == {"RTSTRUCT"}
    assert set(for_pacs) == {"RTSTRUCT", "SEG"}
    both = (for_eclipse["RTSTRUCT"], for_pacs["RTSTRUCT"])
    assert [[roi.ROIName for roi in ds.StructureSetROISequence] for ds in both] == [
        ["Brainstem", "Parotis li", "Parotid_R"]
    ] * 2
    schemes = [ds.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence[0].CodingSchemeDesignator for ds in both]
    assert schemes == ["FMA", "SCT"]
    assert [segment.SegmentLabel for segment in for_pacs["SEG"].SegmentSequence] == [
        "Brainstem",
        "Parotis li",
        "Parotid_R",
    ]
    complaints = [[line for line in text.splitlines() if line.startswith(("Error", "Warning"))] for text in said]
    assert complaints[1:] == [[], []]
    assert [line for line in complaints[0] if not line.startswith(VARIANS_OWN)] == []
