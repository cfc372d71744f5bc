"""One received instance, from its bytes to the promise that they are kept; knows no sockets.

The order is the rule of `reliability.md` 5, the file is the promise: limits and rights, free space, whole and valid,
known already, written and synced, and only then Success.
"""

import hashlib
import threading
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from dicomnode.acceptance import Instance, identify, require_content, summarise_structure_set
from dicomnode.dimse import ACCEPTED, RIGHT_TO_SEND
from dicomnode.errors import ClassNotSupported, ConflictingContent, NotAuthorised, NotUnderstood
from dicomnode.feeding import Feeding
from dicomnode.instance_file import InstanceFile, parse_file
from dicomnode.peers import Peer
from dicomnode.records import ReceivedInstance, StructureSetSummary
from dicomnode.routing import (
    CT_IMAGE_STORAGE,
    RT_STRUCTURE_SET_STORAGE,
    TO_LEARN_FROM,
    Decision,
    InstanceFacts,
    Rule,
    decide,
    wanted_attributes,
)
from dicomnode.spool import MIB, Spool

log = structlog.get_logger(__name__)

IsSame = Callable[[InstanceFile, InstanceFile], bool]
"""Whether two files hold the same instance although their bytes differ."""

_LOCKS = 64  # two associations that send the same instance at once must take turns; different ones hardly ever meet


class Rows(Protocol):
    """Where the rows go: the registrar, which digests their files and writes them in groups into the ledger."""

    def find_instance(self, sop_instance_uid: str) -> ReceivedInstance | None:
        """Return the instance of this UID, if there is one."""

    def note_instance(self, instance: ReceivedInstance) -> None:
        """Remember a new instance."""

    def note_structure_set(self, instance: ReceivedInstance, summary: StructureSetSummary) -> None:
        """Remember an RT Structure Set that came in."""

    def note_repeat(self, sop_instance_uid: str, received: datetime, wanted: ReceivedInstance | None = None) -> None:
        """Remember that the same instance came again, and how if it is to be contoured now."""

    def note_conflict(self, instance: ReceivedInstance) -> int:
        """Remember an instance that is kept apart; return the number of the conflict."""

    def raise_alarm(self, kind: str, text: str, about: str = "") -> None:
        """Tell the operator."""


@dataclass(frozen=True)
class Arrival:
    """One C-STORE request.

    Args:
        file: what is to be kept.
        peer: who sends it.
        association_key: of the association that it came on.
    """

    file: InstanceFile
    peer: Peer
    association_key: str


class Intake:
    """Takes instances in.

    Args:
        spool: where the files go.
        ledger: where the rows go.
        rules: what an instance is for; the first that matches decides.
        feeding: is told which association feeds which series.
        is_same: judges two encodings of one instance.
        message_limit_mib: larger data sets are refused, in MiB.
        fetched: series that are being fetched only to be learnt from: they are not contoured.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        spool: Spool,
        ledger: Rows,
        rules: Sequence[Rule],
        feeding: Feeding,
        is_same: IsSame,
        *,
        message_limit_mib: float = 128,
        fetched: Container[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._rules = tuple(rules)
        self._wanted = wanted_attributes(rules)
        self._feeding = feeding
        self._is_same = is_same
        self._limit = message_limit_mib * MIB
        self._fetched = fetched
        self._now = clock
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def accept(self, arrival: Arrival) -> Instance:
        """Keep an instance and return it; when this returns, no power cut can undo it.

        Raises:
            Refusal: of the kind that says why the instance is not taken.
        """
        file = arrival.file
        _require_right(arrival)
        if len(file.data) > self._limit:
            raise NotUnderstood(f"the data set is larger than {self._limit / MIB:g} MiB")
        self._spool.require_space(len(file.data))
        instance = self.identify(file)
        require_content(instance, sop_class_uid=file.sop_class_uid, transfer_syntax_uid=file.transfer_syntax_uid)
        with self._locks[hash(file.sop_instance_uid) % _LOCKS]:
            self._feeding.begin(arrival.association_key, instance.series_instance_uid)
            known = self._known(file, instance)
            if known is None:
                self._keep(file, instance)
            else:
                self._take_again(known, file, instance)
        return instance

    def identify(self, file: InstanceFile) -> Instance:
        """Return the instance in a file if it is whole.

        Raises:
            NotUnderstood: it is not whole.
            DataSetMismatch: it is another than its command or its meta information says.
        """
        return identify(
            file.data,
            sop_class_uid=file.sop_class_uid,
            sop_instance_uid=file.sop_instance_uid,
            transfer_syntax_uid=file.transfer_syntax_uid,
        )

    def adopt(self, path: str) -> ReceivedInstance:
        """Give a whole file that has no row the row that it lost.

        Args:
            path: relative to the data folder.

        Raises:
            NotUnderstood, DataSetMismatch: the file is not whole, or not what its name says.
        """
        content = self._spool.read(path)
        file = parse_file(content)
        instance = self.identify(file)
        if self._spool.path_of(instance.series_instance_uid, file.sop_instance_uid) != path:
            raise NotUnderstood("the file's name is not its instance's")
        self._spool.sync(path)  # whoever wrote it may have died before that
        received = self._row(file, instance, path, len(content))
        self._note(received, instance)
        return received

    def _known(self, file: InstanceFile, instance: Instance) -> ReceivedInstance | None:
        """Return what is known of this instance; a file whose row was never written gets it now."""
        known = self._ledger.find_instance(file.sop_instance_uid)
        path = self._spool.path_of(instance.series_instance_uid, file.sop_instance_uid)
        if known is None and self._spool.has(path):
            return self.adopt(path)
        return known

    def _keep(self, file: InstanceFile, instance: Instance) -> None:
        path = self._spool.path_of(instance.series_instance_uid, file.sop_instance_uid)
        size = self._spool.keep(path, file)
        self._note(self._row(file, instance, path, size), instance)

    def _note(self, received: ReceivedInstance, instance: Instance) -> None:
        """Write the row of a file."""
        if received.sop_class_uid == RT_STRUCTURE_SET_STORAGE:
            self._ledger.note_structure_set(received, summarise_structure_set(instance.header))
        else:
            self._ledger.note_instance(received)
        log.debug(
            "instance kept",
            instance=received.sop_instance_uid,
            series=received.series_instance_uid,
            action=received.action,
        )

    def _take_again(self, known: ReceivedInstance, file: InstanceFile, instance: Instance) -> None:
        """Take an instance whose UID is known: the same again, or a conflict.

        Raises:
            ConflictingContent: it is not the same; it is kept apart.
        """
        sha256 = hashlib.sha256(file.data).hexdigest()
        if (known.sha256 or self._spool.digest_of(known.path)) == sha256:
            if not self._spool.has(known.path):  # lost on this disk, and the peer kindly sends it again
                self._spool.keep(known.path, file)
        elif not self._is_same(parse_file(self._spool.read(known.path)), file):
            self._keep_apart(file, instance, sha256)
            raise ConflictingContent("this UID is known with other content; kept apart")
        self._ledger.note_repeat(file.sop_instance_uid, self._now(), self._wanted_now(known, file, instance))

    def _wanted_now(self, known: ReceivedInstance, file: InstanceFile, instance: Instance) -> ReceivedInstance | None:
        """Return how a slice came that was fetched only to be learnt from, where it is to be contoured this time."""
        if known.action != "learn" or known.sop_class_uid != CT_IMAGE_STORAGE:
            return None
        now = self._row(file, instance, known.path, known.size, known.sha256)
        return now if now.action == "contour" else None

    def _keep_apart(self, file: InstanceFile, instance: Instance, sha256: str) -> None:
        """Keep an instance beside the one that it disagrees with, and tell the operator."""
        path = self._spool.conflict_path_of(file.sop_instance_uid, sha256)
        size = self._spool.keep(path, file)
        received = self._row(file, instance, path, size, sha256)
        number = self._ledger.note_conflict(received)
        text = f"{file.calling_ae_title} sent an instance with a known UID and other content; kept as conflict {number}"
        self._ledger.raise_alarm("conflict", text, about=file.sop_instance_uid)

    def _decide(self, file: InstanceFile, instance: Instance) -> Decision:
        facts = InstanceFacts(
            file.sop_class_uid,
            file.called_ae_title,
            file.calling_ae_title,
            {name: instance.header.text(name) for name in self._wanted},
        )
        if file.sop_class_uid == CT_IMAGE_STORAGE and instance.series_instance_uid in self._fetched:
            return TO_LEARN_FROM
        return decide(self._rules, facts)

    def _row(self, file: InstanceFile, instance: Instance, path: str, size: int, sha256: str = "") -> ReceivedInstance:
        decision = self._decide(file, instance)
        return ReceivedInstance(
            sop_instance_uid=file.sop_instance_uid,
            sop_class_uid=file.sop_class_uid,
            series_instance_uid=instance.series_instance_uid,
            study_instance_uid=instance.study_instance_uid,
            transfer_syntax_uid=file.transfer_syntax_uid,
            sha256=sha256,
            size=size,
            path=path,
            calling_ae_title=file.calling_ae_title,
            called_ae_title=file.called_ae_title,
            peer_address=file.peer_address,
            received=self._now(),
            action=decision.action,
            rule=decision.rule,
        )


def _require_right(arrival: Arrival) -> None:
    """Check that the class is ours in this syntax, and that the peer may send it.

    Raises:
        ClassNotSupported: it is not ours.
        NotAuthorised: the peer may not.
    """
    file = arrival.file
    right = RIGHT_TO_SEND.get(file.sop_class_uid)
    if right is None or file.transfer_syntax_uid not in ACCEPTED[file.sop_class_uid]:
        raise ClassNotSupported("this SOP class is not stored here in this transfer syntax")
    if not arrival.peer.allows(right):
        raise NotAuthorised(f"{arrival.peer.ae_title} has no right {right}")
