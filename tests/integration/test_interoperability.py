"""Implementations that no one here wrote and the node understand each other: a short set of what the command tries.

`python -m benchmarks.interoperability` asks every question, in every transfer syntax, and prints the table.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicomnode.instance_file import file_head
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.peers import Peer
from dicomnode.scu import echo, send
from tests.support.conformance import written
from tests.support.foreign.dcmjs import dcmjs
from tests.support.foreign.encounter import (
    IMPLEMENTATIONS,
    QUESTIONS,
    SECURE_QUESTIONS,
    SPEAK_TLS,
    Meeting,
    meetings,
)
from tests.support.foreign.implementation import Call, Place, ask, kept_of
from tests.support.foreign.pixelmed import pixelmed
from tests.support.instances import ct_instance, instance_file
from tests.support.node import AE_TITLE, LOOPBACK
from tests.support.peers_of_others import need, storescp
from tests.support.receiver import running_receiver

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]
LEFT_TO_THE_COMMAND = ("implicit", "process 14", "first-order", "RLE")  # of the transfer syntaxes, and tried elsewhere
SHORT = [name for name in QUESTIONS if not any(word in name for word in LEFT_TO_THE_COMMAND)]


def test_what_the_statement_says_was_run_is_all_that_can_be_asked() -> None:
    """A new question, or another name for one, wants the table of its annex B written anew."""
    rows = re.findall(r"^\| ([^|]*) \|", written("interoperability"), re.MULTILINE)

    command = "python -m benchmarks.interoperability --write docs/conformance.md"
    assert rows[1:] == [*QUESTIONS, *SECURE_QUESTIONS], f"run {command}"


@pytest.fixture(
    scope="module", params=[pytest.param(title, marks=pytest.mark.xdist_group(title)) for title in IMPLEMENTATIONS]
)
def meeting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path
) -> Iterator[Meeting]:
    """Run a node and one implementation; beside one that has no SCP another that has."""
    title: str = request.param
    titles = dict.fromkeys((title, "DCMTK")) if title == "GDCM" else (title,)
    with meetings(tmp_path_factory.mktemp(title), bundle_dir, tuple(titles)) as met:
        yield met[0]


@pytest.mark.parametrize("name", SHORT)
def test_they_understand_each_other(meeting: Meeting, name: str) -> None:
    """What the Standard says came out, at the node and at the foreign program."""
    outcome = QUESTIONS[name](meeting)

    assert outcome.ok, f"{outcome.words}\n{outcome.heard[-2000:]}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[dict[str, Meeting]]:
    """Run a node and all that speak TLS."""
    with meetings(tmp_path_factory.mktemp("tls"), bundle_dir, SPEAK_TLS, secure=True) as met:
        yield {one.ae_title: one for one in met}


@pytest.mark.xdist_group("TLS")
@pytest.mark.parametrize("title", SPEAK_TLS)
@pytest.mark.parametrize("name", SECURE_QUESTIONS)
def test_they_understand_each_other_over_tls(secured: dict[str, Meeting], name: str, title: str) -> None:
    """With certificates on both sides."""
    outcome = SECURE_QUESTIONS[name](secured[title])

    assert outcome.ok, f"{outcome.words}\n{outcome.heard[-2000:]}"


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """Run a receiver; return the call that it takes."""
    with running_receiver(tmp_path_factory.mktemp("node")) as running:
        yield Call(Peer(AE_TITLE, LOOPBACK, running.receiver.port), "TPS")


@pytest.mark.xdist_group("DCMTK")
@pytest.mark.parametrize(
    "options",
    [("-ppc", "128"), ("-pts", "38"), ("-pdu", "4096"), ("-pdu", "28672"), ("--repeat", "300"), ("--abort",)],
    ids=" ".join,
)
def test_echoscu_is_answered_however_it_asks(call: Call, options: tuple[str, ...]) -> None:
    """128 contexts, 38 transfer syntaxes a context, small PDUs, 300 requests, an abort at the end."""
    need("echoscu")
    addressed = ("-aet", call.calling, "-aec", call.node.ae_title, call.node.host, str(call.node.port))

    answer = ask(["echoscu", *options, *addressed])

    assert answer.ok, answer.words


@pytest.mark.xdist_group("PIXELMED")
def test_pixelmed_is_answered_for_a_user(call: Call, tmp_path: Path) -> None:
    """It negotiates the identity of a user with a passcode, which the node does not look at."""
    with pixelmed(Place(tmp_path, "TPS", call.node.port)) as running:
        answer = running.echo_as(call, "physicist", "word")

    assert answer.ok, answer.words


@pytest.mark.xdist_group("DCMJS")
@pytest.mark.parametrize(
    "options",
    [
        {"asyncOps": {"maxAsyncOpsInvoked": 8, "maxAsyncOpsPerformed": 8}},
        {"userIdentity": {"type": 2, "positiveResponseRequested": True, "primaryField": "a", "secondaryField": "b"}},
    ],
    ids=["asynchronous operations", "user identity"],
)
def test_dcmjs_is_answered_whatever_else_it_negotiates(call: Call, tmp_path: Path, options: dict[str, object]) -> None:
    """The node grants neither, and answers."""
    with dcmjs(Place(tmp_path, "TPS", call.node.port)) as running:
        answer = replace(running, options=options).echo(call)

    assert answer.ok, answer.words


@pytest.mark.xdist_group("DCMTK")
@pytest.mark.parametrize("longest", [4096, 28672])
def test_storescp_gets_no_pdu_that_is_longer_than_it_takes(tmp_path: Path, longest: int) -> None:
    """It would abort, and what it keeps is what was sent."""
    need("storescp")
    file = instance_file(ct_instance(rows=128, columns=128))
    path = tmp_path / "slice.dcm"
    path.write_bytes(file_head(file) + file.data)
    with storescp(tmp_path / "got", "TPS", "+B", "-pdu", str(longest)) as scp:
        outcome = send(scp.peer, [path], AE_TITLE, Timeouts())
        (kept,) = kept_of(each.read_bytes() for each in scp.files().values()).values()

    assert outcome.ok, outcome.comment
    assert kept.data == file.data


@pytest.mark.xdist_group("DCMJS")
def test_dcmjs_is_called_by_ipv6(tmp_path: Path) -> None:
    """Its server listens on all addresses."""
    with dcmjs(Place(tmp_path, "TPS", 0)) as running:
        outcome = echo(replace(running.listens_as, host="::1"), AE_TITLE, Timeouts())

    assert outcome.ok, outcome.detail
