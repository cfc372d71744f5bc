"""What a node and foreign implementations can do with each other: tried for real, one question after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE, RLE_LOSSLESS
from dicomnode.instance_file import InstanceFile, file_head
from dicomnode.outgoing.requestor import Timeouts
from dicomnode.scu import echo, send
from dicomnode.series import State
from dicomnode.tls.contexts import calling_context
from segmentation.phantom_series import write_series
from tests.support.authority import Authority, Issued
from tests.support.foreign.dcmjs import dcmjs
from tests.support.foreign.dcmtk import dcmtk
from tests.support.foreign.gdcm import gdcm
from tests.support.foreign.implementation import Answer, Call, Foreign, Kept, Place, Run, kept_of
from tests.support.foreign.orthanc import orthanc
from tests.support.foreign.pixelmed import pixelmed
from tests.support.instances import (
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_1,
    JPEG_LS,
    SERIES,
    ct_instance,
    instance_file,
)
from tests.support.node import AE_TITLE, LOOPBACK, Node, free_port, make_node, running
from tests.support.tiny import marked_series

IMPLEMENTATIONS: dict[str, Run] = {
    "DCMTK": dcmtk,
    "ORTHANC": orthanc,
    "GDCM": gdcm,
    "PIXELMED": pixelmed,
    "DCMJS": dcmjs,
}
"""AE title -> how it is run."""

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
SYNTAXES = {
    EXPLICIT_VR_LE: "explicit VR little endian",
    IMPLICIT_VR_LE: "implicit VR little endian",
    JPEG_LOSSLESS: "JPEG lossless, process 14",
    JPEG_LOSSLESS_1: "JPEG lossless, first-order prediction",
    JPEG_LS: "JPEG-LS lossless",
    JPEG_2000: "JPEG 2000 lossless",
    RLE_LOSSLESS: "RLE lossless",
}
NO_SCP = "it has no SCP"


@dataclass(frozen=True)
class Outcome:
    """What came of a question.

    Args:
        ok: whether it went as the Standard says.
        words: what came out, for the table.
        heard: what the foreign program said, for whoever looks for the reason.
    """

    ok: bool
    words: str
    heard: str = ""


@dataclass(frozen=True)
class Papers:
    """What TLS needs.

    Args:
        node: the node's certificate.
        foreign: that of the implementations.
        port: where the node listens for TLS.
    """

    node: Issued
    foreign: Issued
    port: int


@dataclass(frozen=True)
class Meeting:
    """A node and one implementation.

    Args:
        node: that runs.
        foreign: that runs.
        ae_title: of the implementation.
        folder: where files to send are written.
        papers: where they speak TLS.
    """

    node: Node
    foreign: Foreign
    ae_title: str
    folder: Path
    papers: Papers | None = None

    @property
    def call(self) -> Call:
        """The call that the node takes."""
        own = self.node.own
        return Call(replace(own, port=self.papers.port, tls=True) if self.papers else own, self.ae_title)

    @property
    def timeouts(self) -> Timeouts:
        """With which the node's own SCU calls."""
        papers = self.papers
        return Timeouts(tls=lambda: calling_context(papers.node.files)) if papers else Timeouts()

    def kept(self) -> Mapping[str, Kept]:
        """Return what the node keeps, by SOP Instance UID."""
        return kept_of(path.read_bytes() for path in (self.node.data / "instances").rglob("*.dcm"))

    def written(self, *files: InstanceFile) -> list[Path]:
        """Write instances as DICOM files of their own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = [self.folder / f"{file.sop_instance_uid}.dcm" for file in files]
        for path, file in zip(paths, files, strict=True):
            path.write_bytes(file_head(file) + file.data)
        return paths


Question = Callable[[Meeting], Outcome]


@contextmanager
def meetings(
    folder: Path, bundle_dir: Path, titles: Sequence[str] = tuple(IMPLEMENTATIONS), *, secure: bool = False
) -> Iterator[list[Meeting]]:
    """Run a node with implementations that it knows; what has no SCP gets its results at the first that has one."""
    folder.mkdir(parents=True, exist_ok=True)
    papers = _papers(folder / "papers") if secure else None
    port = free_port()
    with ExitStack() as stack:
        foreign = {}
        for title in titles:
            place = Place(folder / title, title, port, papers.foreign if papers else None)
            foreign[title] = stack.enter_context(IMPLEMENTATIONS[title](place))
        listening = [one.listens_as for one in foreign.values() if one.listens_as]
        peers = [replace(one.listens_as or listening[0], ae_title=title, tls=secure) for title, one in foreign.items()]
        more = {"tls": _tls_table(papers)} if papers else {}
        node = make_node(folder / "node", *peers, bundle_dir=bundle_dir, more=more, port=port)
        stack.enter_context(running(node))
        yield [Meeting(node, one, title, folder / "sent" / title, papers) for title, one in foreign.items()]


def _papers(folder: Path) -> Papers:
    authority = Authority.make(folder)
    node, foreign = (authority.issue(name, f"IP:{LOOPBACK}") for name in ("node", "foreign"))
    return Papers(node, foreign, free_port())


def _tls_table(papers: Papers) -> dict[str, object]:
    return {**{key: str(path) for key, path in papers.node.files.all.items()}, "port": papers.port}


def asks_for_echo(meeting: Meeting) -> Outcome:
    """It verifies that the node is there."""
    answer = meeting.foreign.echo(meeting.call)
    return Outcome(answer.ok, "yes" if answer.ok else "no", answer.words)


def answers_echo(meeting: Meeting) -> Outcome:
    """The node verifies that it is there."""
    peer = meeting.foreign.listens_as
    if peer is None:
        return Outcome(ok=True, words=NO_SCP)
    outcome = echo(replace(peer, tls=meeting.papers is not None), AE_TITLE, meeting.timeouts)
    return Outcome(outcome.ok, "yes" if outcome.ok else "no", outcome.detail)


def is_rejected(call_of: Callable[[Meeting], Call], meeting: Meeting) -> Outcome:
    """It calls by a wrong AE title, is rejected, and says so."""
    before = meeting.node.log.count("association rejected")
    answer = meeting.foreign.echo(call_of(meeting))
    ok = meeting.node.log.count("association rejected") > before and not answer.ok
    return Outcome(ok, "rejected" if ok else "no", answer.words)


def sends(syntax: str, meeting: Meeting) -> Outcome:
    """It sends slices in a transfer syntax; the node keeps them."""
    files = [instance_file(one, syntax) for one in _slices(meeting, "1", syntax)]
    answer = meeting.foreign.store(meeting.call, meeting.written(*files))
    return _compared(files, meeting.kept(), answer)


def gets(syntax: str, meeting: Meeting) -> Outcome:
    """The node sends it slices in a transfer syntax."""
    peer = meeting.foreign.listens_as
    if peer is None:
        return Outcome(ok=True, words=NO_SCP)
    files = [instance_file(one, syntax) for one in _slices(meeting, "2", syntax)]
    secured = replace(peer, tls=meeting.papers is not None)
    outcome = send(secured, meeting.written(*files), AE_TITLE, meeting.timeouts)
    if "takes nothing of what was offered" in outcome.comment:
        return Outcome(ok=True, words="its SCP does not take it", heard=outcome.comment)
    return _compared(files, meeting.foreign.kept(), Answer(outcome.ok, outcome.comment))


def offers_more(meeting: Meeting) -> Outcome:
    """It offers CT and MR on one association: the node takes the CT alone, and names what it does not accept."""
    first, second = _slices(meeting, "3")
    second.SOPClassUID = MR_IMAGE_STORAGE
    ct, mr = instance_file(first), instance_file(second)
    before = len(meeting.node.log)
    answer = meeting.foreign.store(meeting.call, meeting.written(ct, mr))
    kept, named = meeting.kept(), "presentation contexts not accepted" in meeting.node.log[before:]
    ok = ct.sop_instance_uid in kept and mr.sop_instance_uid not in kept and named
    return Outcome(ok, "the CT alone" if ok else "no", answer.words)


def comes_back(meeting: Meeting) -> Outcome:
    """It sends a whole CT, and its SCP gets the structure set, byte for byte where it keeps bytes."""
    series = marked_series(100 + list(IMPLEMENTATIONS).index(meeting.ae_title))
    answer = meeting.foreign.store(meeting.call, write_series(series, meeting.folder / "whole"))
    uid = str(series[0].SeriesInstanceUID)
    state = meeting.node.wait_for_end(uid)[uid]
    if state is not State.SENT:
        return Outcome(ok=False, words=str(state), heard=answer.words)
    if meeting.foreign.listens_as is None:
        return Outcome(ok=True, words="sent to another")
    with meeting.node.ledger() as ledger:
        (series_record,) = [one for one in ledger.series_in() if one.series_instance_uid == uid]
        (result,) = ledger.results_of(series_record.id)
    own = kept_of([(meeting.node.data / result.path).read_bytes()])
    return _judged(own, meeting.foreign.kept(), answer)


QUESTIONS: dict[str, Question] = {
    "C-ECHO to the node": asks_for_echo,
    "C-ECHO from the node": answers_echo,
    "calls as an AE title that the node does not know": partial(
        is_rejected, lambda meeting: replace(meeting.call, calling="STRANGER")
    ),
    "calls the node by another AE title": partial(
        is_rejected, lambda meeting: replace(meeting.call, node=replace(meeting.node.own, ae_title="NOBODY"))
    ),
    "offers CT and MR": offers_more,
    **{f"CT to the node, {name}": partial(sends, syntax) for syntax, name in SYNTAXES.items()},
    **{f"CT from the node, {name}": partial(gets, syntax) for syntax, name in SYNTAXES.items()},
    "whole CT to the node, structure set back": comes_back,
}
"""What is tried with each implementation, as the table names it."""


SECURE_QUESTIONS: dict[str, Question] = {
    "TLS: C-ECHO to the node": asks_for_echo,
    "TLS: C-ECHO from the node": answers_echo,
    "TLS: CT to the node, JPEG 2000 lossless": partial(sends, JPEG_2000),
    "TLS: CT from the node, JPEG 2000 lossless": partial(gets, JPEG_2000),
}
"""What is tried over TLS with those that speak it."""

SPEAK_TLS = ("DCMTK", "ORTHANC", "DCMJS")


def _slices(meeting: Meeting, what: str, syntax: str = EXPLICIT_VR_LE) -> list[Dataset]:
    """Return two slices of a series that nobody else sends."""
    place = list(IMPLEMENTATIONS).index(meeting.ae_title) + 1
    series = f"{SERIES}.{what}.{place}.{list(SYNTAXES).index(syntax) + 1}"
    return [ct_instance(number, series=series) for number in (1, 2)]


def _compared(files: Sequence[InstanceFile], kept: Mapping[str, Kept], answer: Answer) -> Outcome:
    return _judged({file.sop_instance_uid: Kept(file.transfer_syntax_uid, file.data) for file in files}, kept, answer)


def _judged(sent: Mapping[str, Kept], kept: Mapping[str, Kept], answer: Answer) -> Outcome:
    """Return whether what was sent is what is kept: its bytes, or its elements."""
    found = {uid: kept[uid] for uid in sent if uid in kept}
    if not answer.ok or found.keys() != sent.keys():
        return Outcome(ok=False, words=f"{len(found)} of {len(sent)}", heard=answer.words)
    if found == sent:
        return Outcome(ok=True, words="same bytes")
    syntaxes = {one.transfer_syntax_uid for one in found.values()}
    changed = "" if syntaxes == {one.transfer_syntax_uid for one in sent.values()} else f", {SYNTAXES[syntaxes.pop()]}"
    differing = {name for uid, one in found.items() for name in _differences(sent[uid], one)}
    if differing:
        return Outcome(ok=False, words=f"differs in {', '.join(sorted(differing))}", heard=answer.words)
    return Outcome(ok=True, words=f"same elements{changed}")


def _differences(sent: Kept, kept: Kept) -> set[str]:
    one, other = _parsed(sent), _parsed(kept)
    return {str(tag) for tag in {*one.keys(), *other.keys()} if one.get(tag) != other.get(tag)}


def _parsed(kept: Kept) -> Dataset:
    syntax = UID(kept.transfer_syntax_uid)
    return read_dataset(BytesIO(kept.data), syntax.is_implicit_VR, is_little_endian=True)
