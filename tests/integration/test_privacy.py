"""A canary patient goes through everything, good and bad, at DEBUG: nothing but the DICOM files knows them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from segmentation.phantom_series import DATE, write_series
from tests.support.instances import structure_set
from tests.support.node import Node, make_node, running
from tests.support.peer import receiving_peer
from tests.support.series import tilted, with_header, with_one_changed
from tests.support.tiny import marked_series

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("privacy")]

NAME, IDENTITY, BIRTH_DATE = "Canarywood^Yellowbird", "CANARY-4711", "19031224"
WORDS = ("canarywo", "yellowbird", "canary-4711", BIRTH_DATE, "1903-12-24")
CANARY = {
    "PatientName": NAME,
    "PatientID": IDENTITY,
    "PatientBirthDate": BIRTH_DATE,
    "OtherPatientNames": NAME,
    "ReferringPhysicianName": NAME,
    "StudyDescription": f"plan of {NAME}",
    "AccessionNumber": IDENTITY,
    "PatientComments": f"{NAME} born {BIRTH_DATE}",
}
MAY_KNOW = ("instances/", "results/", "conflicts/", "incoming/")  # DICOM files
RULES = """
[[rules]]
name = "canaries that are quality assurance"
action = "ignore"
attributes = { StudyID = "^QA" }

[[rules]]
name = "structure sets"
action = "learn"

[[rules]]
name = "planning CT"
action = "contour"
bundle = "tiny"
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[Node]:
    """Send the canary in every way that there is, then let the operator look at it all."""
    folder = tmp_path_factory.mktemp("privacy")
    with receiving_peer(statuses=(0xA700, 0x0000, 0xC000)) as tps:
        made = make_node(
            folder / "node", tps.peer, bundle_dir=bundle_dir, rules=RULES, more={"logging": {"level": "DEBUG"}}
        )
        with running(made):
            good = marked_series(1, slices=20, header=CANARY)
            odd_uid, odd_paths = odd(folder / "odd")
            assert made.send(odd_paths).ok
            uids = [made.send_series(good), made.send_series(other(tilted(good, 9), 2)), odd_uid]
            send_what_is_refused(made, folder, good)
            made.wait_for_end(*uids)
            made.send([structure_set_file(folder)])
            made.send(write_series(other(good[:3], 3, StudyID="QA 1"), folder / "ignored"))
            made.run("series", "release", uids[1])
            made.run("jobs", "retry", "contour-1")
            made.run("check")
            made.stop()
            yield made


def other(series: list[Dataset], number: int, **header: object) -> list[Dataset]:
    """Return a series as another one of the canary's."""
    changed = [with_header(ds, {"SeriesInstanceUID": f"{ds.SeriesInstanceUID}{number}", **header}) for ds in series]
    for ds in changed:
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{ds.SOPInstanceUID}{number}"
    return changed


def odd(folder: Path) -> tuple[str, list[Path]]:
    """Return UID and files of a series of two patients, in whose dates stands a name, as no library likes it."""
    series = other(marked_series(1, slices=20, header=CANARY), 4, InstitutionName=NAME, ImageComments=NAME)
    paths = write_series(with_one_changed(series, 3, {"PatientID": f"{IDENTITY}-other"}), folder)
    for path in paths:
        path.write_bytes(path.read_bytes().replace(DATE.encode(), NAME[:8].encode()))
    return str(series[0].SeriesInstanceUID), paths


def send_what_is_refused(node: Node, folder: Path, good: list[Dataset]) -> None:
    """Send instances that are refused: other content, no pixels, another UID than announced, a wrong caller."""
    brighter = with_header(good[0], {"PixelData": b"\x01\x04" + good[0].PixelData[2:]})
    empty = with_header(other(good, 5)[0], {"PixelData": None})
    for number, ds in enumerate((brighter, empty)):
        node.send(write_series([ds], folder / f"refused{number}"))
    node.send(write_series([good[0]], folder / "stranger"), calling="CANARY-4712")


def structure_set_file(folder: Path) -> Path:
    """Return a structure set of the canary's, drawn by somebody."""
    ds = structure_set(PatientName=NAME, PatientID=IDENTITY, OperatorsName=NAME)
    path = folder / "structure_set.dcm"
    ds.ensure_file_meta()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.save_as(path, enforce_file_format=True)
    return path


def known_in(content: bytes) -> list[str]:
    """Return which of the canary's words are in there."""
    text = content.decode("latin-1").lower()
    return [word for word in WORDS if word in text]


def test_the_log_holds_no_patient_at_debug(node: Node) -> None:
    """The log of all that was sent has many lines, and none of the canary's words."""
    assert len(node.events) > 50
    assert known_in(node.log.encode()) == []


def test_no_file_name_holds_a_patient(node: Node) -> None:
    """Paths of everything that the node wrote are without the canary and without any UID."""
    names = "\n".join(str(path.relative_to(node.data)) for path in node.data.rglob("*"))

    assert known_in(names.encode()) == []
    assert "2.25." not in names


def test_nothing_but_dicom_files_holds_a_patient(node: Node) -> None:
    """The ledger, the engine's tables beside it and every other file of the node are without the canary."""
    others = [
        path
        for path in node.data.rglob("*")
        if path.is_file() and not str(path.relative_to(node.data)).startswith(MAY_KNOW)
    ]

    assert any(path.name == "dicomnode.sqlite" for path in others)
    assert {path.name: known for path in others if (known := known_in(path.read_bytes()))} == {}


def test_the_canary_was_really_there(node: Node) -> None:
    """The DICOM files have the canary: the other tests of this file looked for what there was to find."""
    kept = [path for path in node.data.rglob("*.dcm") if known_in(path.read_bytes())]

    assert len(kept) > 60
    assert any(path.parent.name == "results" for path in kept)
    assert any(path.parent.name == "conflicts" for path in kept)


def test_status_alarms_and_jobs_show_no_patient(node: Node) -> None:
    """What the operator sees without asking for the patient is without the canary."""
    shown = [node.run(*words) for words in (("status", "--json"), ("status",), ("alarms", "list"), ("jobs", "list"))]

    assert [one.returncode for one in shown] == [0, 0, 0, 0]
    assert [known_in((one.stdout + one.stderr).encode()) for one in shown] == [[], [], [], []]
    assert "held" in shown[0].stdout


def test_the_operator_who_asks_is_told_the_patient(node: Node) -> None:
    """`series show --patient` reads name and ID from the files."""
    done = node.run("series", "show", "1", "--patient")

    assert f"patient ID: {IDENTITY}" in done.stdout
    assert f"patient name: {NAME}" in done.stdout
