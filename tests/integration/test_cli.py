"""Every command of the operator's, on a node with a history: sentences, exit codes, JSON, and no tracebacks."""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from dicomnode import __version__, cli
from dicomnode.config import load_configuration
from dicomnode.records import DeliveryState
from dicomnode.series import State
from segmentation.phantom_series import write_series
from tests.support.node import Node, free_port, make_node, running, tps
from tests.support.peer import receiving_peer
from tests.support.series import series_of, tilted, with_header, without_slice
from tests.support.tiny import PATIENT, marked_phantom, marked_series

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cli")]


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Node:
    """Let series 1 be sent, 2 held and 3 undelivered, a conflict wait and an image be ignored; then stop the node."""
    folder = tmp_path_factory.mktemp("cli")
    rules = """
[[rules]]
name = "quality assurance"
action = "ignore"
attributes = { StudyID = "^QA" }

[[rules]]
name = "planning CT"
action = "contour"
bundle = "tiny"
"""
    port = free_port()
    made = make_node(folder, tps(port), bundle_dir=bundle_dir, rules=rules)
    first = marked_series(1, slices=20)
    with running(made):
        with receiving_peer(port=port):
            uid = made.send_series(first)
            made.wait_for_end(uid)
        with receiving_peer(port=port, status=0xC000):
            made.wait_for_end(
                made.send_series(tilted(marked_series(2, slices=20), 9)), made.send_series(marked_series(3, slices=20))
            )
        other = with_header(first[4], {"PixelData": b"\x01\x04" + first[4].PixelData[2:]})
        made.send(write_series([other], folder / "conflict"))
        ignored = with_header(first[0], {"StudyID": "QA 7", "SOPInstanceUID": "1.2.3.4.5"})
        made.send(write_series([ignored], folder / "ignored"))
        made.stop()
    return made


@pytest.fixture
def run(node: Node, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command line in this process, as `dicomnode` on a wide terminal would."""

    def command(line: str, configuration: Path | None = None) -> Said:
        monkeypatch.setenv("COLUMNS", "300")
        monkeypatch.setattr(
            "sys.argv", ["dicomnode", "-c", str(configuration or node.configuration), *shlex.split(line)]
        )
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Said(code, printed.out, printed.err)

    return command


def test_version(run: Run) -> None:
    """The version is the package's."""
    assert run("version") == Said(0, f"{__version__}\n", "")


def test_status_is_json_that_a_monitor_can_read(run: Run) -> None:
    """Everything that needs a person is there, and times are ISO 8601."""
    status = run("status --json").json

    assert status["running"] is False
    assert status["states"] == {"sent": 1, "held": 1, "undelivered": 1}
    assert status["ignored"] == {"quality assurance": 1}
    assert [alarm["kind"] for alarm in status["alarms"]] == ["held", "undelivered", "conflict"]
    assert [job["state"] for job in status["jobs"]] == ["dead"]
    assert status["models"][0]["fault"] == ""


def test_status_is_readable(run: Run) -> None:
    """A person sees the same without reading JSON."""
    said = run("status")

    assert said.code == 0
    for words in ("the node is not running", "model tiny 1", "1 held, 1 sent, 1 undelivered", "tilted"):
        assert words in said.out


def test_series_are_listed_and_shown_by_any_name(run: Run) -> None:
    """Number, UID and pseudonym mean the same series."""
    listed = run("series list --json").json
    names = (str(listed[0]["id"]), listed[0]["series_instance_uid"], listed[0]["pseudonym"])

    shown = [run(f"series show {name} --json").json for name in names]

    assert shown[0] == shown[1] == shown[2]
    assert [one["state"] for one in listed] == ["sent", "held", "undelivered"]
    assert "state: sent" in run("series show 1").out
    assert listed[1]["pseudonym"] in run("series list").out


def test_a_patient_is_shown_to_who_asks(run: Run) -> None:
    """Name and ID are read from the files, in words and in JSON."""
    assert f"patient name: {PATIENT['PatientName']}" in run("series show 1 --patient").out
    assert run("series show 1 --patient --json").json["patient_id"] == "MADE-4711-1"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("series show 99", "there is no series 99"),
        ("series release 99", "there is no series 99"),
        ("series release 1", "the series is sent, not held or blind: there is nothing to release"),
        ("series release 2", "the series cannot be contoured: the gantry was tilted by 9.0 degrees"),
        ("series resend 2", "the series has no structure set yet"),
        ("series recontour 2", "the series is held: it cannot be contoured again now"),
        ("jobs show deliver-99", "there is no job deliver-99; `jobs list --all` shows them"),
        ("jobs retry nonsense", "there is no job nonsense; `jobs list --all` shows them"),
        ("jobs cancel deliver-1", "job 1 is sent: there is nothing to cancel"),
        ("jobs cancel contour-1", "the series is sent: there is no contouring to cancel"),
        ("alarms acknowledge 99", "there is no open alarm 99"),
        ("conflicts accept 99", "there is no open conflict 99"),
        ("conflicts reject 99", "there is no open conflict 99"),
        ("echo NOBODY", "no peer is called NOBODY; the configuration knows: TPS"),
        ("send NOBODY .", "no peer is called NOBODY; the configuration knows: TPS"),
        ("send TPS /nowhere", "there is no file or folder /nowhere"),
        ("segment /nowhere -o /nowhere/out.dcm --bundle tiny", "/nowhere is no folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(run: Run, line: str, sentence: str) -> None:
    """Exit code 1, one sentence on standard error, nothing else."""
    said = run(line)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"dicomnode: {sentence}")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "line", ["nonsense", "series", "series show", "jobs retry", "alarms acknowledge x", "status -x"]
)
def test_a_wrong_command_line_has_its_own_exit_code(run: Run, line: str) -> None:
    """Exit code 2 and the usage."""
    said = run(line)

    assert said.code == 2
    assert "Usage: dicomnode" in said.err + said.out


def test_jobs_are_listed_and_shown(run: Run) -> None:
    """What is over is listed only when asked for."""
    dead = run("jobs list --json").json
    everything = run("jobs list --all --json").json

    assert [job["state"] for job in dead] == ["dead"]
    assert {job["name"] for job in everything} >= {"contour-1", "contour-3", "deliver-1", dead[0]["name"]}
    assert run(f"jobs show {dead[0]['name']} --json").json == dead[0]
    assert "C000" in run(f"jobs show {dead[0]['name']}").out
    assert dead[0]["name"] in run("jobs list").out


def test_work_is_ordered_while_the_node_is_down_and_done_when_it_is_up(node: Node, run: Run) -> None:
    """resend, recontour and retry answer at once; a node that starts later does what they ordered."""
    dead = run("jobs list --json").json[0]["name"]

    said = [run("series resend 1"), run(f"jobs retry {dead}"), run("series recontour 1")]
    with receiving_peer(port=port_of_tps(node)) as peer, running(node):
        node.wait_for(
            lambda ledger: (
                {ledger.series(1).state, ledger.series(3).state} == {State.SENT}
                and not ledger.deliveries(DeliveryState.PENDING)
            )
        )

    assert [one.out for one in said] == [
        "series 1: its structure set will be sent again\n",
        f"{dead} is tried again\n",
        "series 1: it will be contoured again\n",
    ]
    assert len(set(peer.asked)) == 2


def test_alarms_are_listed_and_acknowledged(run: Run) -> None:
    """What was acknowledged is gone, here and in `status`."""
    number = run("status --json").json["alarms"][0]["id"]

    assert "held" in run("alarms list").out
    assert run(f"alarms acknowledge {number}") == Said(0, f"alarm {number} is acknowledged\n", "")
    assert number not in [alarm["id"] for alarm in run("status --json").json["alarms"]]
    assert run(f"alarms acknowledge {number}").code == 1


def test_conflicts_are_listed_and_rejected(run: Run) -> None:
    """What was rejected is gone."""
    (conflict,) = run("status --json").json["conflicts"]

    assert "TPS" in run("conflicts list").out
    assert run(f"conflicts reject {conflict['id']}").code == 0
    assert run("status --json").json["conflicts"] == []


def test_rules_are_explained(node: Node, run: Run, tmp_path: Path) -> None:
    """Each rule says why it matches or not; a file that is no DICOM is a failure of its own."""
    (tmp_path / "text").write_text("no DICOM")
    ct = next((node.folder / "conflict").glob("*.dcm"))

    said = run(f"rules test {ct} {tmp_path / 'text'}")

    assert said.code == 1
    assert f"{ct}: contour (planning CT)" in said.out
    assert "quality assurance: StudyID does not match ^QA" in said.out
    assert f"{tmp_path / 'text'}: is no DICOM file" in said.out


def test_peers_are_asked_and_sent_to(node: Node, run: Run) -> None:
    """Echo and send say what a peer does, there and away."""
    before = len(node.audit_events())
    away = run("echo")
    with receiving_peer(port=port_of_tps(node)) as peer:
        there = run("echo TPS")
        sent = run(f"send TPS {node.folder / 'conflict'}")
    with receiving_peer(port=port_of_tps(node), status=0xC000, comment="no such patient"):
        refused = run(f"send TPS {node.folder / 'conflict'}")

    assert (away.code, away.out.startswith("TPS: no association with TPS at 127.0.0.1:")) == (1, True)
    assert there == Said(0, "TPS: answers\n", "")
    assert (sent, len(peer.received)) == (Said(0, "TPS took 1 instances\n", ""), 1)
    assert refused == Said(1, "", "dicomnode: TPS: no such patient; 0 instances were taken\n")
    by_operator = [event[:2] for event in node.audit_events()[before:] if event[2] == "DICOMNODE"]
    assert by_operator == [
        ("Begin Transferring DICOM Instances", "0"),
        ("DICOM Instances Transferred", "0"),
        ("Begin Transferring DICOM Instances", "0"),
        ("DICOM Instances Transferred", "4"),
    ]


def test_a_folder_is_segmented_without_a_node(run: Run, tmp_path: Path) -> None:
    """A structure set is written, with volumes as a table or as JSON."""
    write_series(marked_series(5, slices=20), tmp_path / "ct")

    said = run(f"segment {tmp_path / 'ct'} -o {tmp_path / 'out.dcm'} --bundle tiny --device cpu --json")

    assert said.code == 0
    assert (tmp_path / "out.dcm").is_file()
    assert set(said.json["volumes_cm3"]) == {"Brainstem", "Parotid_L", "Parotid_R"}
    assert said.json["slices"] == 20


def test_a_folder_gives_the_same_files_again(run: Run, tmp_path: Path) -> None:
    """Structure set and segmentation are of the CT's time, unless another is given: then they are other instances."""
    write_series(marked_series(5, slices=20), tmp_path / "ct")
    for name, more in {"one": "", "again": "", "now": " --time now"}.items():
        out = tmp_path / name
        said = run(f"segment {tmp_path / 'ct'} -o {out}.dcm --seg {out}.seg --bundle tiny --device cpu{more}")
        assert said.code == 0
    one, now = dcmread(tmp_path / "one.dcm"), dcmread(tmp_path / "now.dcm")

    assert (tmp_path / "one.dcm").read_bytes() == (tmp_path / "again.dcm").read_bytes()
    assert (tmp_path / "one.seg").read_bytes() == (tmp_path / "again.seg").read_bytes()
    assert one.StructureSetDate == one.StudyDate != now.StructureSetDate
    assert one.SOPInstanceUID != now.SOPInstanceUID
    assert dcmread(tmp_path / "one.seg").SOPInstanceUID != dcmread(tmp_path / "now.seg").SOPInstanceUID


def test_a_folder_that_cannot_be_segmented_honestly_is_refused_unless_one_insists(run: Run, tmp_path: Path) -> None:
    """A missing slice is a reason that --insist passes over; two series in a folder are a question."""
    phantom = without_slice(marked_phantom(24), 11)
    write_series(series_of(phantom, patient_id="MADE-1"), tmp_path / "gap")
    write_series(marked_series(6, slices=20), tmp_path / "two" / "one")
    write_series(marked_series(7, slices=20), tmp_path / "two" / "other")

    refused = run(f"segment {tmp_path / 'gap'} -o {tmp_path / 'out.dcm'} --bundle tiny")
    insisted = run(f"segment {tmp_path / 'gap'} -o {tmp_path / 'out.dcm'} --bundle tiny --insist")
    several = run(f"segment {tmp_path / 'two'} -o {tmp_path / 'two.dcm'} --bundle tiny")

    assert refused.code == 1
    assert "1 slice seems to be missing" in refused.err
    assert (insisted.code, "Unreviewed." in insisted.out) == (0, True)
    assert (several.code, "there are 2 CT series in" in several.err) == (1, True)
    assert not (tmp_path / "two.dcm").exists()


def test_check_has_a_verdict_for_each_part(node: Node, run: Run) -> None:
    """All good is exit code 0, a peer that is away is 3; the golden case is kept first and compared then."""
    bad = run("check --json")
    with receiving_peer(port=port_of_tps(node)):
        good = run("check")

    assert {verdict["subject"] for verdict in bad.json} >= {
        *("configuration", "data folder", "disk", "database", "model tiny", "golden case tiny", "peer TPS")
    }
    assert (bad.code, good.code) == (3, 0)
    assert re.search(
        r"good golden case tiny: contoured on cpu by (torch|OpenVINO) \S+ \w+, lowest DSC 1.0000 with the kept one",
        good.out,
    )
    assert [verdict["subject"] for verdict in bad.json if not verdict["passed"]] == ["peer TPS"]


def test_every_fault_of_a_configuration_is_in_one_message(run: Run, tmp_path: Path) -> None:
    """Three faults are three lines; no command does anything with such a file."""
    (tmp_path / "bad.toml").write_text('[node]\nport = 70000\ncolour = "red"\n[receiving]\nquiet_s = -1\n')

    said = run("status", tmp_path / "bad.toml")

    assert said.code == 1
    for key in ("node.port", "node.colour: is no key of this configuration", "receiving.quiet_s"):
        assert key in said.err


@pytest.mark.parametrize("line", ["status", "series list", "jobs list", "alarms list", "conflicts list"])
def test_a_node_that_never_ran_is_said_so(run: Run, tmp_path: Path, line: str) -> None:
    """A command that only looks makes no data folder."""
    fresh = make_node(tmp_path / "fresh", tps(free_port()), bundle="starter")

    said = run(line, fresh.configuration)

    assert said == Said(
        1, "", f"dicomnode: there is no data folder {fresh.data}: the node has not run with this configuration\n"
    )


def test_a_missing_configuration_is_said_so(run: Run, tmp_path: Path) -> None:
    """The sentence names the file."""
    said = run("status", tmp_path / "none.toml")

    assert said == Said(1, "", f"dicomnode: {tmp_path / 'none.toml'}: cannot be read: No such file or directory\n")


def test_a_second_daemon_does_not_start(node: Node) -> None:
    """Two daemons on one data folder would do the same work twice."""
    with running(node):
        second = node.run("serve")

    assert second.returncode == 1
    assert second.stderr.endswith(f"dicomnode: another daemon works on {node.data}\n")
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_is_said_so(node: Node) -> None:
    """A daemon that cannot listen ends with a sentence."""
    with receiving_peer(port=node.port):
        done = node.run("serve")

    assert done.returncode == 1
    assert f"dicomnode: port {node.port} cannot be listened on: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_does_not_write_into_somebodys_folder(run: Run, tmp_path: Path) -> None:
    """A folder with other things in it is refused."""
    (tmp_path / "letter.txt").write_text("keep me")

    said = run(f"demo --out {tmp_path}")

    assert said == Said(
        1, "", f"dicomnode: {tmp_path} is not empty and no earlier demonstration's: name another folder\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def port_of_tps(node: Node) -> int:
    """Return where the node's TPS listens when it is there."""
    return load_configuration(node.configuration).peers[0].port
