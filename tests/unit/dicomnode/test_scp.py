"""Who may come in, and which status each instance gets."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from structlog.testing import capture_logs

from dicomnode.config import Receiving
from dicomnode.dimse import ACCEPTED, EXPLICIT_VR_LE, VERIFICATION
from dicomnode.instance_file import InstanceFile, parse_file
from dicomnode.peers import Peer
from dicomnode.routing import CT_IMAGE_STORAGE
from tests.support.instances import COMPRESSED, SERIES, ct_instance, instance_file, structure_set
from tests.support.receiver import RunningReceiver, running_receiver

CT = instance_file(ct_instance())
IMPATIENT = Receiving(acse_timeout_s=1.0, dimse_timeout_s=1.0, network_timeout_s=1.0, maximum_associations=3)


CLIENT_SOCKETS: list[socket.socket] = []


@pytest.fixture(autouse=True)
def closed_sockets() -> Iterator[None]:
    """Close what pynetdicom leaves open on the calling side when a connection was reset."""
    yield
    while CLIENT_SOCKETS:
        CLIENT_SOCKETS.pop().close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningReceiver]:
    with running_receiver(tmp_path, receiving=IMPATIENT) as running:
        yield running


def associate(
    node: RunningReceiver,
    calling: str = "TPS",
    called: str = "DICOMNODE",
    contexts: dict[str, tuple[str, ...]] | None = None,
) -> Association:
    ae = AE(ae_title=calling)
    for sop_class, syntaxes in (contexts or ACCEPTED).items():
        for syntax in syntaxes:
            ae.add_requested_context(sop_class, syntax)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
    remember = (evt.EVT_CONN_OPEN, lambda event: CLIENT_SOCKETS.append(event.assoc.dul.socket.socket))
    return ae.associate("127.0.0.1", node.receiver.port, ae_title=called, evt_handlers=[remember])


def store(association: Association, file: InstanceFile) -> Dataset:
    """Send the bytes as they are; pynetdicom's own way would refuse to send what is wrong."""
    context = next(
        each
        for each in association.accepted_contexts
        if (each.abstract_syntax, each.transfer_syntax[0]) == (file.sop_class_uid, file.transfer_syntax_uid)
    )
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = file.sop_class_uid, file.sop_instance_uid
    request.DataSet = BytesIO(file.data)
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.001)
    association.dimse.send_msg(request, context.context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return association._check_received_status(answer)


def wait_until(holds: Callable[[], bool], longest_s: float = 8.0) -> bool:
    deadline = time.monotonic() + longest_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


@pytest.mark.parametrize(
    ("calling", "called", "code", "said"),
    [
        ("TPS", "SOMEONE", (1, 1, 7), "it called 'SOMEONE', this node is DICOMNODE"),
        ("UNKNOWN", "DICOMNODE", (1, 1, 3), "'UNKNOWN' is no peer of this node"),
        ("STRANGER", "DICOMNODE", (1, 1, 3), "STRANGER may not come from this address"),
    ],
)
def test_who_is_not_known_is_rejected_and_the_log_says_why(
    node: RunningReceiver, calling: str, called: str, code: tuple[int, int, int], said: str
) -> None:
    """Called and calling AE title and the address must all be right."""
    with capture_logs() as logs:
        association = associate(node, calling, called)
        rejection = association.acceptor.primitive
        wait_until(lambda: bool(logs))

    assert association.is_rejected
    assert (rejection.result, rejection.result_source, rejection.diagnostic) == code
    assert (logs[0]["event"], logs[0]["address"], logs[0]["reason"]) == ("association rejected", "127.0.0.1", said)


class Unfathomable(Peer):
    """A peer on which the door trips."""

    def comes_from(self, address: str) -> bool:
        """Fail in a way that nobody thought of."""
        raise RuntimeError(address)


def test_who_cannot_be_examined_stays_outside(tmp_path: Path) -> None:
    """The library would let in whoever its handler fails on."""
    peer = Unfathomable("TPS", "127.0.0.1", 11113, may=("send_ct",))
    with running_receiver(tmp_path, receiving=IMPATIENT, peers=(peer,)) as node:
        association = associate(node)

    assert association.is_rejected


def test_a_peer_that_may_do_nothing_else_may_echo(node: RunningReceiver) -> None:
    """Verification needs no right."""
    association = associate(node, "SCANNER")

    status = association.send_c_echo()
    association.release()

    assert status.Status == 0x0000


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, *COMPRESSED])
def test_bytes_are_written_as_received(node: RunningReceiver, syntax: str) -> None:
    """Success means a file that holds exactly what was sent."""
    file = instance_file(ct_instance(), syntax)
    association = associate(node)

    status = store(association, file)
    association.release()

    (path,) = node.spool.paths()
    assert status.Status == 0x0000
    assert parse_file(node.spool.read(path)) == file


@pytest.mark.parametrize(
    ("file", "status", "comment"),
    [
        (instance_file(ct_instance(Rows=None)), 0xC000, "Rows is missing or zero"),
        (instance_file(ct_instance(SeriesInstanceUID=None)), 0xC000, "Series Instance UID is missing or no UID"),
        (
            InstanceFile(*(CT.sop_class_uid, "1.2.3.4", EXPLICIT_VR_LE, "", "", ""), CT.data),
            0xA900,
            "the data set's SOP Instance UID is not the command's",
        ),
        (instance_file(structure_set()), 0x0124, "SCANNER has no right send_approvals"),
    ],
)
def test_a_refusal_has_its_status_and_a_comment(
    node: RunningReceiver, file: InstanceFile, status: int, comment: str
) -> None:
    """The sender is told what is wrong, in the words of the log."""
    association = associate(node, "SCANNER")

    answer = store(association, file)
    association.release()

    assert (answer.Status, answer.ErrorComment) == (status, comment)


def test_other_content_under_a_known_uid_is_c000_with_a_comment(node: RunningReceiver) -> None:
    """The first stays, and the association goes on."""
    association = associate(node)
    first = store(association, CT)

    second = store(association, instance_file(ct_instance(SliceThickness="5")))
    third = store(association, CT)
    association.release()

    assert [answer.Status for answer in (first, second, third)] == [0x0000, 0xC000, 0x0000]
    assert second.ErrorComment == "this UID is known with other content; kept apart"


def test_a_full_disk_is_a700_and_the_association_goes_on(tmp_path: Path) -> None:
    """Below the watermark each instance is refused for want of resources."""
    with running_receiver(tmp_path, minimum_free_percent=99.999) as node:
        association = associate(node)
        answers = [store(association, CT).Status for _ in range(2)]
        association.release()

    assert answers == [0xA700, 0xA700]


def test_what_is_not_negotiated_is_named_with_who_asked(node: RunningReceiver) -> None:
    """Lossy, deflated and foreign contexts are not accepted, and the log says which peer asked for what."""
    asked = {
        VERIFICATION: (EXPLICIT_VR_LE,),
        CT_IMAGE_STORAGE: ("1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.1.99"),
        "1.2.840.10008.5.1.4.1.1.4": (EXPLICIT_VR_LE,),
    }
    with capture_logs() as logs:
        association = associate(node, contexts=asked)
        accepted = [str(each.abstract_syntax) for each in association.accepted_contexts]
        association.release()

    (refused,) = [each for each in logs if each["event"] == "presentation contexts not accepted"]
    assert accepted == [VERIFICATION]
    assert (refused["peer"], refused["address"]) == ("TPS", "127.0.0.1")
    assert set(refused["asked"]) == {
        "CT Image Storage in JPEG 2000 Image Compression",
        "CT Image Storage in JPEG Extended (Process 2 and 4)",
        "CT Image Storage in Deflated Explicit VR Little Endian",
        "MR Image Storage in Explicit VR Little Endian",
    }


def test_of_a_hundred_foreign_classes_the_log_names_a_few_and_the_ct_first(node: RunningReceiver) -> None:
    """An archive offers all that it knows each time that it calls, which must not hide what matters."""
    foreign = {f"1.2.840.113619.4.{number}": (EXPLICIT_VR_LE,) for number in range(100)}
    with capture_logs() as logs:
        association = associate(
            node, contexts={**foreign, CT_IMAGE_STORAGE: ("1.2.840.10008.1.2.4.91",), VERIFICATION: (EXPLICIT_VR_LE,)}
        )
        association.release()

    (refused,) = [each for each in logs if each["event"] == "presentation contexts not accepted"]
    assert refused["asked"][0] == "CT Image Storage in JPEG 2000 Image Compression"
    assert len(refused["asked"]) == 9
    assert refused["asked"][-1] == "and 93 more"


@pytest.mark.parametrize("end", ["release", "abort", "vanish"])
def test_a_series_is_fed_until_its_association_is_over(node: RunningReceiver, end: str) -> None:
    """However an association ends, it no longer holds its series open."""
    association = associate(node)
    store(association, CT)
    fed_before = node.feeding.is_fed(SERIES)

    if end == "vanish":
        association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
    else:
        getattr(association, end)()

    assert fed_before
    assert wait_until(lambda: not node.feeding.is_fed(SERIES))


def test_a_silent_association_is_ended_and_feeds_no_more(node: RunningReceiver) -> None:
    """A peer that stays connected and says nothing holds its series open only up to the network timeout."""
    association = associate(node)
    store(association, CT)

    assert wait_until(lambda: not node.feeding.is_fed(SERIES))
    assert wait_until(lambda: node.receiver.open_associations == 0)
    association.abort()


@pytest.mark.parametrize(
    "beginning", [b"", b"\x01\x00\x00", b"\x01\x00\x00\x00\x00\xcd\x00\x01", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_a_connection_that_never_asks_is_cut(node: RunningReceiver, beginning: bytes) -> None:
    """Nothing, half a header, half a request, another protocol: each ends by itself, and was never an association."""
    with socket.create_connection(("127.0.0.1", node.receiver.port)) as connection:
        connection.settimeout(8.0)
        connection.sendall(beginning)
        associations = node.receiver.open_associations

        with suppress(ConnectionResetError):
            while connection.recv(100):
                pass

    assert associations == 0
    assert wait_until(lambda: node.receiver.open_connections == 0)


def test_half_an_instance_ends_the_association(node: RunningReceiver) -> None:
    """A peer that stops in the middle of a PDU is cut, and nothing of it is kept."""
    association = associate(node)
    association.dul.socket.socket.sendall(struct.pack(">BBI", 4, 0, 1000) + b"half")

    assert wait_until(lambda: node.receiver.open_associations == 0)
    assert list(node.spool.paths()) == []
    association.abort()


def test_too_many_associations_are_rejected_for_now(node: RunningReceiver) -> None:
    """The one above the limit is told to come later, and the log says so."""
    open_ones = [associate(node, contexts={VERIFICATION: (EXPLICIT_VR_LE,)}) for _ in range(3)]

    with capture_logs() as logs:
        one_more = associate(node, contexts={VERIFICATION: (EXPLICIT_VR_LE,)})
        wait_until(lambda: bool(logs))
    for association in open_ones:
        association.release()

    assert one_more.is_rejected
    assert (logs[0]["reason"], logs[0]["code"]) == ("too many", "2/3/2")


def test_stopping_lets_a_running_association_finish(tmp_path: Path) -> None:
    """No new association is taken, and the open one still sends its slice."""
    with running_receiver(tmp_path) as node:
        association = associate(node)
        stopping = threading.Thread(target=node.receiver.stop, kwargs={"grace_s": 10.0})
        stopping.start()
        assert wait_until(lambda: not _listens(node.receiver.port))

        status = store(association, CT)
        association.release()
        stopping.join(timeout=5.0)

        assert status.Status == 0x0000
        assert not stopping.is_alive()


def test_stopping_does_not_wait_for_ever(tmp_path: Path) -> None:
    """An association that does not end is aborted when its time is up."""
    with running_receiver(tmp_path) as node:
        association = associate(node)
        began = time.monotonic()

        node.receiver.stop(grace_s=0.2)

        assert time.monotonic() - began < 3.0
        assert wait_until(lambda: association.is_aborted)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
