"""A series that a real archive has is found there and fetched into the node, whichever way the archive can."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dicomnode.audit.message import Event, Kind, Outcome
from dicomnode.collection import Collection
from dicomnode.errors import PeerFailure
from dicomnode.fetch import FetchOutcome, Retrieval, fetch_series
from dicomnode.instance_file import file_head
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.query import Inquiry
from dicomnode.scu import send
from dicomnode.visits import Visits
from tests.support.instances import CANARY_ID, CANARY_NAME, SERIES, STUDY, ct_instance, instance_file
from tests.support.node import LOOPBACK, Node, free_port, make_node, running, wait_until
from tests.support.peers_of_others import dcmqrscp, need, orthanc
from tests.support.receiver import ReceivingParts, receiving_parts

pytestmark = pytest.mark.peer

COUNT = 12
FILES = [instance_file(ct_instance(number)) for number in range(1, COUNT + 1)]
IGNORE_CT = '[[rules]]\nname = "kept"\naction = "ignore"\n'
RIGHTS = ("send_ct", "send_approvals", "receive_results", "answer_queries")


@contextmanager
def archive_of(maker: str, folder: Path, node_port: int) -> Iterator[Peer]:
    """Run an archive that has the series."""
    if maker == "orthanc":
        need("Orthanc")
        with orthanc(folder, node_port, "ARCHIVE") as running_one:
            yield filled(running_one.peer, folder)
    else:
        need("dcmqrscp")
        with dcmqrscp(folder, node_port) as peer:
            yield filled(peer, folder)


def filled(archive: Peer, folder: Path) -> Peer:
    """Send the series to the archive; return it with the right to be asked."""
    (folder / "series").mkdir()
    paths = [folder / "series" / f"{number}.dcm" for number, _ in enumerate(FILES)]
    for path, file in zip(paths, FILES, strict=True):
        path.write_bytes(file_head(file) + file.data)
    assert send(archive, paths, "DICOMNODE", Timeouts()).ok
    return replace(archive, may=RIGHTS)


@pytest.fixture(scope="module", params=["orthanc", "dcmqrscp"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Return an archive that has the series; the port of the node that it knows is nobody's."""
    with archive_of(request.param, tmp_path_factory.mktemp("world") / "archive", free_port()) as peer:
        yield peer


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[ReceivingParts]:
    """Return what takes instances."""
    (tmp_path / "node").mkdir()
    with receiving_parts(tmp_path / "node") as made:
        yield made


def fetch_into(parts: ReceivingParts, archive: Peer, series: str = SERIES, **how: object) -> FetchOutcome:
    """Fetch the series by C-GET."""
    collection = Collection(parts.intake, parts.feeding, Visits("DICOMNODE", lambda _event: None))
    with collection.open_for(archive) as store:
        plain = Retrieval("DICOMNODE", Timeouts(), longest_s=60.0, longest_data=1 << 24, store=store)
        return fetch_series(archive, STUDY, series, replace(plain, **how))


def test_an_archive_is_asked_what_it_has(archive: Peer) -> None:
    """The series of a study, and whether one instance is there."""
    told: list[Event] = []
    inquiry = Inquiry("DICOMNODE", Timeouts(), told.append)
    [found] = inquiry.find_series(archive, STUDY)
    uid = FILES[0].sop_instance_uid

    assert (found.series_instance_uid, found.modality) == (SERIES, "CT")
    assert inquiry.has_instance(archive, (STUDY, SERIES, uid))
    assert not inquiry.has_instance(archive, (STUDY, SERIES, f"{uid}.1"))
    assert [(event.kind, event.outcome, event.query.level) for event in told if event.query] == [
        (Kind.QUERY, Outcome.SUCCESS, level) for level in ("SERIES", "IMAGE", "IMAGE")
    ]


def test_a_query_that_nobody_answers_is_audited_too() -> None:
    """That it was tried is told, with how it ended."""
    told: list[Event] = []
    nobody = Peer("ARCHIVE", LOOPBACK, free_port(), may=RIGHTS)

    with pytest.raises(PeerFailure):
        Inquiry("DICOMNODE", Timeouts(), told.append).find_series(nobody, STUDY)

    assert [(event.kind, event.outcome) for event in told] == [(Kind.QUERY, Outcome.MINOR_FAILURE)]


def test_a_get_brings_the_series_into_the_intake(archive: Peer, parts: ReceivingParts) -> None:
    """Every byte and every row is there as if the archive had sent it by itself."""
    outcome = fetch_into(parts, archive)
    rows = parts.ledger.instances_of(SERIES)

    assert (outcome.by, outcome.ok, outcome.completed, outcome.failed) == ("C-GET", True, COUNT, 0), outcome
    assert sorted(row.sop_instance_uid for row in rows) == sorted(file.sop_instance_uid for file in FILES)
    assert {row.calling_ae_title for row in rows} == {"ARCHIVE"}
    assert all(parts.spool.has(row.path) for row in rows)
    assert not parts.feeding.is_fed(SERIES)


def test_a_move_to_where_nobody_listens_fails(archive: Peer, parts: ReceivingParts) -> None:
    """The archive says so, instance by instance or with its final status."""
    outcome = fetch_into(parts, archive, by_move=True)

    assert (outcome.by, outcome.ok, outcome.completed) == ("C-MOVE", False, 0)
    assert outcome.status not in {0x0000, None}


def test_what_is_not_taken_is_counted(archive: Peer, parts: ReceivingParts) -> None:
    """An archive that may be asked and may not send CT is told so, instance by instance; nothing is kept."""
    outcome = fetch_into(parts, replace(archive, may=("answer_queries",)))

    assert not outcome.ok
    assert outcome.failed == COUNT
    assert parts.ledger.instances_of(SERIES) == []


def test_a_series_that_is_not_there_is_no_success(archive: Peer, parts: ReceivingParts) -> None:
    """Nothing came, and the outcome says so in words."""
    outcome = fetch_into(parts, archive, series=f"{SERIES}.77")

    assert (outcome.ok, outcome.completed) == (False, 0)
    assert outcome.comment


def test_a_cancelled_retrieval_ends(archive: Peer, parts: ReceivingParts) -> None:
    """The archive is told to stop; it stops, or has already sent everything."""
    stop = threading.Event()
    stop.set()
    outcome = fetch_into(parts, archive, is_cancelled=stop.is_set)

    assert outcome.status is not None
    assert outcome.completed + outcome.remaining + outcome.failed <= COUNT


@pytest.fixture(params=["orthanc", "dcmqrscp"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    """Return a running node that may ask an archive, which knows it."""
    port = free_port()
    with (
        archive_of(request.param, tmp_path / "archive", port) as peer,
        running(make_node(tmp_path / "node", peer, rules=IGNORE_CT, port=port)) as node,
    ):
        yield node


def test_the_operator_finds_and_fetches(world: Node) -> None:
    """By C-MOVE to the running node, and by C-GET what is there already; no identity is printed or logged."""
    asked = world.run("query", "ARCHIVE", "--study", STUDY, "--json")
    moved = world.run("fetch", "ARCHIVE", "--study", STUDY, "--series", SERIES, "--move")
    got = world.run("fetch", "ARCHIVE", "--study", STUDY, "--series", SERIES)

    assert [one["series_instance_uid"] for one in json.loads(asked.stdout)] == [SERIES], asked.stderr
    assert moved.stdout == f"C-MOVE: {COUNT} instances came, 0 did not\n", moved.stderr + world.log[-2000:]
    assert got.stdout == f"C-GET: {COUNT} instances came, 0 did not\n", got.stderr
    with world.ledger() as ledger:
        assert all(ledger.find_instance(file.sop_instance_uid) for file in FILES)
    told = "\n".join([*(one.stdout + one.stderr for one in (asked, moved, got)), world.log])
    assert [word for word in (CANARY_NAME, CANARY_ID) if word in told] == []


def test_the_audit_says_what_was_asked_for_and_what_came(world: Node) -> None:
    """A query; the beginning of each retrieval, and what it brought or that it failed; no identity in any."""
    world.run("query", "ARCHIVE", "--study", STUDY)
    world.run("fetch", "ARCHIVE", "--study", STUDY, "--series", SERIES, "--move")
    world.run("fetch", "ARCHIVE", "--study", STUDY, "--series", SERIES)
    world.run("fetch", "ARCHIVE", "--study", STUDY, "--series", f"{SERIES}.77")
    wait_until(
        lambda: [kind for kind, *_ in world.audit_events()].count(RECEIVED[0]) == 3,
        30,
        lambda: str(world.audit_events()),
    )

    told = [event for event in world.audit_events() if event[0] in {QUERY[0], BEGIN[0], RECEIVED[0]}]
    by_move = (*RECEIVED[:2], "ARCHIVE")  # the association on which it came was the archive's
    assert sorted(told) == sorted([QUERY, *[BEGIN] * 3, by_move, RECEIVED, (RECEIVED[0], "4", "DICOMNODE")])
    text = "".join(path.read_text() for path in (world.data / "audit").glob("audit-*.log"))
    assert [word for word in (STUDY, SERIES, CANARY_NAME, CANARY_ID) if word in text] == []


QUERY, BEGIN, RECEIVED = (
    ("Query", "0", "DICOMNODE"),
    ("Begin Transferring DICOM Instances", "0", "DICOMNODE"),
    ("DICOM Instances Transferred", "0", "DICOMNODE"),
)
"""What happened, how it ended, and who asked for it."""


def test_a_peer_without_the_right_is_not_asked(tmp_path: Path) -> None:
    """The operator is told which right is missing."""
    with running(make_node(tmp_path / "node", Peer("ARCHIVE", "127.0.0.1", 104), rules=IGNORE_CT)) as node:
        done = node.run("query", "ARCHIVE", "--study", STUDY)

    assert done.returncode == 1
    assert "ARCHIVE has no right answer_queries" in done.stderr
