"""A canary patient is sent in good and bad messages, and no log at any level shows who it is."""

import io
import logging
import subprocess
import threading
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from dicomnode.adoption import adopt
from dicomnode.config import Receiving
from dicomnode.dimse import ACCEPTED, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.instance_file import InstanceFile, file_head
from dicomnode.log import Pseudonyms, set_logging_up
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.scu import echo, send
from tests.support.instances import (
    CANARY_BIRTH_DATE,
    CANARY_ID,
    CANARY_NAME,
    JPEG_LS,
    SERIES,
    STUDY,
    ct_instance,
    instance_file,
    structure_set,
)
from tests.support.peer import receiving_peer
from tests.support.receiver import RunningReceiver, running_receiver

IMPATIENT = Receiving(dimse_timeout_s=2.0, network_timeout_s=2.0)
CANARIES = (*CANARY_NAME.split("^"), CANARY_ID, CANARY_BIRTH_DATE, SERIES, STUDY)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Write everything that this process logs at DEBUG into a text."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, threading.excepthook
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        set_logging_up("json", "DEBUG", Pseudonyms(b"k" * 32), stream)
        yield stream
        logging.captureWarnings(capture=False)
    root.handlers, threading.excepthook = handlers, hook
    root.setLevel(level)
    structlog.reset_defaults()


def bad_files() -> list[InstanceFile]:
    """Return what good and bad senders send."""
    good = instance_file(ct_instance())
    return [
        good,
        good,
        instance_file(ct_instance(), JPEG_LS),
        instance_file(ct_instance(SliceThickness="5")),
        instance_file(structure_set()),
        instance_file(ct_instance(2, Rows=None)),
        instance_file(ct_instance(3, PatientBirthDate=f"{CANARY_BIRTH_DATE}X", PatientID=CANARY_ID * 9)),
        instance_file(ct_instance(4, SeriesInstanceUID=CANARY_NAME)),
        instance_file(ct_instance(5), IMPLICIT_VR_LE),
        InstanceFile(good.sop_class_uid, f"{SERIES}.6", EXPLICIT_VR_LE, "", "", "", good.data),
        InstanceFile(good.sop_class_uid, f"{SERIES}.7", EXPLICIT_VR_LE, "", "", "", good.data[:-3]),
        InstanceFile(good.sop_class_uid, f"{SERIES}.8", EXPLICIT_VR_LE, "", "", "", CANARY_NAME.encode() * 20),
        InstanceFile(good.sop_class_uid, f"{SERIES}.9", EXPLICIT_VR_LE, "", "", "", b""),
    ]


def send_raw(node: RunningReceiver, file: InstanceFile) -> None:
    """Send bytes as they are, whatever is wrong with them."""
    ae = AE(ae_title="TPS")
    ae.dimse_timeout = 2
    for sop_class, syntaxes in ACCEPTED.items():
        for syntax in syntaxes:
            ae.add_requested_context(sop_class, syntax)
    association = ae.associate("127.0.0.1", node.receiver.port, ae_title="DICOMNODE")
    context = next(
        each
        for each in association.accepted_contexts
        if (each.abstract_syntax, each.transfer_syntax[0]) == (file.sop_class_uid, file.transfer_syntax_uid)
    )
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = file.sop_class_uid, file.sop_instance_uid
    request.DataSet = BytesIO(file.data)
    raw = association.dul.socket.socket
    _converse(association, request, context.context_id)
    association.abort()
    raw.close()


def _converse(association: Association, request: C_STORE, context_id: int) -> None:
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, context_id)
    association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()


def test_no_log_shows_the_canary(written: io.StringIO, tmp_path: Path) -> None:
    """Received, refused, in conflict, adopted, sent, refused by the TPS: not one name, ID, date or UID in any line."""
    with (
        running_receiver(tmp_path, receiving=IMPATIENT) as node,
        receiving_peer(status=0xC000, comment=CANARY_NAME) as tps,
    ):
        for file in bad_files():
            send_raw(node, file)
        (tmp_path / "instances" / "ab").mkdir()
        (tmp_path / "instances" / "ab" / "cd.dcm").write_bytes(CANARY_NAME.encode() * 50)
        adopt(node.spool, node.ledger, node.intake)
        result = tmp_path / "result.dcm"
        result.write_bytes(file_head(instance_file(structure_set())) + instance_file(structure_set()).data)
        send(tps.peer, [result], "DICOMNODE", Timeouts())
        echo(Peer("NOBODY", "127.0.0.1", 9), "DICOMNODE", Timeouts(1, 1, 1, 1))

    text = written.getvalue()
    assert [canary for canary in CANARIES if canary in text] == []
    assert "instance refused" in text
    assert "instance kept" in text
    assert "a file that is not whole is deleted" in text


def test_no_file_name_shows_the_canary(tmp_path: Path) -> None:
    """Names in the data folder are digests."""
    with running_receiver(tmp_path, receiving=IMPATIENT) as node:
        for file in bad_files():
            send_raw(node, file)
    names = subprocess.run(["find", tmp_path], capture_output=True, text=True, check=True).stdout

    assert [canary for canary in CANARIES if canary in names] == []


def test_the_canary_is_in_what_was_sent() -> None:
    """The test would find what it looks for."""
    ds: Dataset = ct_instance()

    assert (ds.PatientName, ds.PatientID, ds.PatientBirthDate) == (CANARY_NAME, CANARY_ID, CANARY_BIRTH_DATE)
    assert CANARY_NAME.encode() in instance_file(ds).data
