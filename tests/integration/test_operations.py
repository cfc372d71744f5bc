"""A running node as its operator sees it: the audit of a day, its chain, the metrics, and the purge."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from lxml import etree
from prometheus_client.parser import text_string_to_metric_families

from segmentation.phantom_series import write_series
from tests.support.instances import CANARY_ID, CANARY_NAME
from tests.support.node import Node, free_port, make_node, running
from tests.support.peer import receiving_peer
from tests.support.tiny import marked_series

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("operations")]

SCHEMA = etree.RelaxNG.from_rnc_string((Path(__file__).parents[1] / "support" / "audit_message.rnc").read_text())


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[Node]:
    """A series comes and goes back, a stranger calls, pixels are missing, the operator acts, the node stops."""
    folder = tmp_path_factory.mktemp("operations")
    more = {"metrics": {"port": free_port(), "textfile": str(folder / "node.prom"), "every_s": 0.2}}
    header = {"PatientName": CANARY_NAME, "PatientID": CANARY_ID}
    with receiving_peer() as tps:
        made = make_node(folder / "node", tps.peer, bundle_dir=bundle_dir, more=more)
        with running(made):
            series = marked_series(1, slices=20, header=header)
            uid = made.send_series(series)
            made.wait_for_end(uid)
            made.send(write_series(series[:1], folder / "stranger"), calling="STRANGER")
            del series[0].PixelData
            series[0].SOPInstanceUID = series[0].file_meta.MediaStorageSOPInstanceUID = f"{uid}.99"
            made.send(write_series(series[:1], folder / "pixels"))
            made.run("series", "show", uid, "--patient")
            made.run("series", "resend", uid)
            made.run("series", "release", uid)
            made.wait_for_end(uid)
            with urlopen(f"http://127.0.0.1:{more['metrics']['port']}/metrics", timeout=10) as answer:
                (folder / "port.prom").write_bytes(answer.read())
            time.sleep(1)  # a few writings of the file
            made.stop()
            yield made


def records(node: Node) -> list[etree._Element]:
    """Return the audit's messages."""
    lines = [line for file in sorted((node.data / "audit").glob("*.log")) for line in file.read_text().splitlines()]
    return [etree.fromstring(line.split(" ", 2)[2]) for line in lines]


def said(message: etree._Element) -> str:
    """Return what a message says in short."""
    event = message.find("EventIdentification")
    kind = event.find("EventTypeCode") if event.find("EventTypeCode") is not None else event.find("EventID")
    text = event.findtext("EventOutcomeDescription") or ""
    return f"{kind.get('originalText')} {event.get('EventOutcomeIndicator')} {text}".strip()


def test_the_audit_tells_the_day(node: Node) -> None:
    """What came, went, was refused and was done is there in its order, each once, as PS3.15 has it."""
    told = [re.sub(r"(show|resend|release) .*", r"\1", said(message)) for message in records(node)]

    assert all(SCHEMA.validate(message) for message in records(node)), SCHEMA.error_log
    assert told[0] == "Application Start 0"
    assert told[-1] == "Application Stop 0"
    assert sorted(told[1:-1]) == sorted(
        [
            "DICOM Instances Transferred 0",  # the series
            *["Begin Transferring DICOM Instances 0", "DICOM Instances Transferred 0"] * 2,
            "Node Authentication 4 association rejected: 'STRANGER' is no peer of this node",
            "Use of Restricted Function 4 instances refused: not understood: 1",
            "DICOM Instances Accessed 0 series show",
            "Login 0 series resend",
            "Login 4 series release",
        ]
    )


def test_the_audit_names_nobody(node: Node) -> None:
    """Patient and study have the pseudonyms of the log, the same in each message."""
    text = "".join(etree.tostring(message, encoding="unicode") for message in records(node))
    patients = {
        one.get("ParticipantObjectID")
        for message in records(node)
        for one in message.findall("ParticipantObjectIdentification")
        if one.get("ParticipantObjectTypeCode") == "1"
    }

    assert [word for word in (*CANARY_NAME.split("^"), CANARY_ID, "2.25.", "1.2.826") if word in text] == []
    assert len(patients) == 1


def test_the_chain_is_whole_until_somebody_touches_it(node: Node) -> None:
    """`audit verify` says so, and says where it was broken, with an exit code of its own."""
    [file] = (node.data / "audit").glob("*.log")
    whole = node.run("audit", "verify")
    before = file.read_text()
    file.write_text(before.replace("STRANGER", "NEIGHBOUR", 1))
    broken = node.run("audit", "verify")
    file.write_text(file.read_text().replace("NEIGHBOUR", "STRANGER", 1))

    assert (whole.returncode, "the chain is whole" in whole.stdout) == (0, True)
    assert (broken.returncode, "one was changed" in broken.stdout) == (3, True)
    assert node.run("audit", "verify").returncode == 0


@pytest.mark.parametrize("name", ["node.prom", "port.prom"])
def test_the_metrics_tell_the_day(node: Node, name: str) -> None:
    """The port and the file have the same counts, in a form that Prometheus' parser reads."""
    text = (node.folder.parent / name).read_text()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert samples["dicomnode_instances_received_total", "TPS"] == 20
    assert samples["dicomnode_instances_refused_total", "not understood"] == 1
    assert samples["dicomnode_associations_total", "rejected"] == 1
    assert samples["dicomnode_series", "sent"] == 1
    assert samples["dicomnode_delivery_seconds_count",] == 2
    assert samples["dicomnode_model_info", *next(k for k in samples if k[0] == "dicomnode_model_info")[1:]] == 1


def test_the_purge_says_what_it_would_do(node: Node) -> None:
    """On the day of its arrival nothing is too old, and the command says so for people and programs."""
    done, for_programs = node.run("purge", "--dry-run"), node.run("purge", "--json")

    assert (done.returncode, for_programs.returncode, for_programs.stdout) == (0, 0, "[]\n")


def test_a_forgotten_patient_is_in_no_byte(node: Node) -> None:
    """After `series forget --patient` neither name nor ID nor UID is anywhere in the data folder."""
    uid = node.status()["series"][0]["series_instance_uid"]
    looked = node.run("series", "forget", "1", "--patient", "--dry-run")
    done = node.run("series", "forget", "1", "--patient")

    known = [
        file.name
        for file in node.data.rglob("*")
        if file.is_file()
        and any(word.encode() in file.read_bytes() for word in (*CANARY_NAME.split("^"), CANARY_ID, uid))
    ]
    assert "would forget: 1 series, 20 instances" in looked.stdout
    assert (done.returncode, "forgotten: 1 series, 20 instances" in done.stdout) == (0, True), done.stderr
    assert known == []
    assert node.run("audit", "verify").returncode == 0
