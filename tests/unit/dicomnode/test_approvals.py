"""What becomes of a structure set that came in to be learnt from, without a network and without an image."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dicomnode.approvals import Approvals, CaseFolder
from dicomnode.config import Adaptation
from dicomnode.errors import ContouringError
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.records import ApprovalOrder, ApprovalRecord, ApprovalState, Arrived, StructureSetSummary
from dicomnode.routing import RT_STRUCTURE_SET_STORAGE
from dicomnode.structure_settings import StructureSettings
from tests.support.books import SERIES, Clock, Orders, instance, new_result, open_ledger

SET = "1.2.9.1"
FACTS = {
    "is_approved": True,
    "reason": "",
    "identity": "ab" * 32,
    "studies": ["1.2.3"],
    "series": [SERIES],
    "images": [f"{SERIES}.1", f"{SERIES}.2"],
    "reviewed": "20260302101500",
}
FILED = {"case": "aa11bb22cc33-1", "status": "admitted", "reasons": [], "origins": {}}


@dataclass
class Filer:
    """Stands where the filing process would: it remembers what it was asked, and answers as it is told."""

    facts: dict[str, Any] = field(default_factory=lambda: dict(FACTS))
    filed: dict[str, Any] = field(default_factory=lambda: dict(FILED))
    asked: list[dict[str, Any]] = field(default_factory=list)
    error: ContouringError | None = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return self.facts if request["ask"] == "inspect" else self.filed

    @property
    def filings(self) -> list[dict[str, Any]]:
        return [request for request in self.asked if request["ask"] == "file"]


@dataclass
class World:
    """A ledger, a filer and what is fetched."""

    folder: Path
    ledger: Ledger
    clock: Clock
    orders: Orders
    filer: Filer = field(default_factory=Filer)
    fetched: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    brings_ct: bool = False
    in_hand: bool = True

    def approvals(self, **settings: Any) -> Approvals:
        return Approvals(
            self.ledger,
            self.filer,
            self.fetch,
            folder=CaseFolder(self.folder, self.folder / "cases", StructureSettings(), 20),
            settings=Adaptation(**settings),
            pseudonyms=Pseudonyms(b"k" * 32),
            has_in_hand=lambda _record: self.in_hand,
            clock=self.clock,
        )

    def fetch(self, studies: tuple[str, ...], series: str) -> str:
        self.fetched.append((studies, series))
        if self.brings_ct:
            self.ct_comes(action="learn")
        return "ARCHIVE sent nothing"

    def set_comes(self, uid: str = SET, action: str = "learn") -> None:
        row = instance(
            1,
            self.clock.now,
            series=f"{uid}.7",
            sop_instance_uid=uid,
            sop_class_uid=RT_STRUCTURE_SET_STORAGE,
            action=action,
            path=f"instances/{uid}.dcm",
        )
        self.ledger.note_arrivals([Arrived(row, StructureSetSummary("plan", "APPROVED", 5, SERIES))])

    def ct_comes(self, *numbers: int, action: str = "contour") -> None:
        for number in numbers or (1, 2):
            row = instance(number, self.clock.now, action=action)
            path = self.folder / row.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"slice")
            self.ledger.note_instance(row)

    def ct_is_whole(self) -> int:
        self.ct_comes()
        [record] = self.ledger.series_in()
        self.ledger.complete(record.id, "content")
        return record.id

    def file(self, **settings: Any) -> str:
        """Do what the newest order wants."""
        order = self.order
        return self.approvals(**settings).file(order.approval_id, order.attempt)

    @property
    def order(self) -> ApprovalOrder:
        return next(order for order in reversed(self.orders) if isinstance(order, ApprovalOrder))

    @property
    def record(self) -> ApprovalRecord:
        return self.ledger.approvals()[-1]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock, orders = Clock(), Orders()
    return World(tmp_path, open_ledger(tmp_path, clock, orders), clock, orders)


def test_a_set_to_learn_from_is_ordered_with_its_row(world: World) -> None:
    """The order is in the transaction of the row, so that none is forgotten."""
    world.set_comes()

    assert world.orders == [ApprovalOrder(world.record.id, 1, 0.0)]
    assert world.record.state is ApprovalState.PENDING


def test_an_ignored_set_is_nothing_to_learn_from(world: World) -> None:
    """What the rules ignore is no approval."""
    world.set_comes(action="ignore")

    assert world.ledger.approvals() == []


def test_a_set_whose_ct_is_whole_is_filed(world: World) -> None:
    """The filing process gets the files and pseudonyms, and no UID or Patient ID."""
    world.ct_is_whole()
    world.set_comes()

    said = world.file()

    [request] = world.filer.filings
    assert said == "admitted"
    assert (world.record.state, world.record.case_name) == (ApprovalState.FILED, "aa11bb22cc33-1")
    assert len(request["slices"]) == 2
    assert request["patient"] == world.record.patient
    assert SERIES not in (request["ct"], request["source"], request["patient"])


def test_the_same_patient_has_one_pseudonym_and_another_has_another(world: World) -> None:
    """A pseudonym is drawn once for an identity; nothing leads from it to the patient but the ledger's row."""
    first = world.ledger.pseudonym_of("one")

    assert world.ledger.pseudonym_of("one") == first == world.ledger.find_pseudonym("one")
    assert world.ledger.pseudonym_of("other") != first
    assert world.ledger.find_pseudonym("nobody") is None


def test_a_set_without_its_ct_waits_and_says_so(world: World) -> None:
    """Nothing is fetched at first, as the CT may just be on its way; the next look is ordered."""
    world.set_comes()

    assert world.file() == "waits"

    assert world.record.state is ApprovalState.WAITING
    assert world.record.reasons == ("its CT is not here",)
    assert world.record.next_attempt == world.clock.now + timedelta(seconds=60)
    assert world.order == ApprovalOrder(world.record.id, 2, 60.0)
    assert world.fetched == []


def test_a_ct_that_does_not_come_is_fetched(world: World) -> None:
    """At the second look it is asked for; what the peer brings is filed at once."""
    world.set_comes()
    world.file()
    world.brings_ct = True

    assert world.file() == "admitted"

    assert world.fetched == [(("1.2.3",), SERIES)]
    assert world.ledger.series_in() == []  # nothing is contoured


def test_what_nobody_has_is_looked_for_less_and_less_often(world: World) -> None:
    """The wait doubles up to the longest, and what peers said is kept with the reason."""
    world.set_comes()
    waits = []
    for _ in range(12):
        world.file(longest_retry_h=1.0)
        waits.append(world.order.delay_s)

    assert waits[:4] == [60.0, 120.0, 240.0, 480.0]
    assert max(waits) == 3600.0
    assert world.record.reasons == ("its CT is not here; ARCHIVE sent nothing",)


def test_a_ct_that_still_arrives_is_waited_for(world: World) -> None:
    """Nothing is fetched while slices come."""
    world.ct_comes(1)
    world.set_comes()
    world.file()

    assert world.file() == "waits"
    assert world.record.reasons == ("its CT is still arriving",)
    assert world.fetched == []


@pytest.mark.parametrize("end", ["complete", "hold"])
def test_a_whole_ct_wakes_what_waits_for_it(world: World, end: str) -> None:
    """Contoured or held, a whole CT has the sets that wait for it looked at in the same transaction."""
    world.set_comes()
    world.file()
    world.ct_comes()
    [record] = world.ledger.series_in()
    {"complete": lambda: world.ledger.complete(record.id, "c"), "hold": lambda: world.ledger.hold(record.id, ["x"])}[
        end
    ]()

    assert world.order == ApprovalOrder(world.record.id, 3, 0.0)
    assert world.file() == "admitted"


def test_an_order_that_was_overtaken_does_nothing(world: World) -> None:
    """Only the newest order holds; and what is done is not done again."""
    world.set_comes()
    world.file()
    world.ct_is_whole()
    approvals = world.approvals()

    assert approvals.file(world.record.id, 2) == "nothing to do"
    assert world.file() == "admitted"
    assert world.file() == "nothing to do"
    assert len(world.filer.filings) == 1


def test_a_slice_that_the_contours_refer_to_is_missing(world: World) -> None:
    """A CT that is here in part is not used."""
    world.ct_is_whole()
    world.filer.facts["images"] = [f"{SERIES}.1", f"{SERIES}.3"]
    world.set_comes()

    assert world.file() == "waits"
    assert world.record.reasons == ("1 of the slices that it refers to are not here",)


@pytest.mark.parametrize(
    ("facts", "settings", "reason"),
    [
        ({"is_approved": False, "reason": "it has no Approval Status"}, {}, "it has no Approval Status"),
        ({"series": [], "images": []}, {}, "it refers to no CT that is here, neither by image nor by series"),
        ({"series": ["1.2", "1.3"], "images": []}, {}, "it refers to 2 series and to no image"),
        ({}, {"collect": False}, "adaptation.collect is switched off"),
    ],
)
def test_what_is_not_taken_has_a_reason(
    world: World, facts: dict[str, Any], settings: dict[str, Any], reason: str
) -> None:
    """Nothing is learnt from it, and the operator reads why."""
    world.filer.facts |= facts
    world.set_comes()

    assert world.file(**settings) == "not taken"
    assert world.record.state is ApprovalState.NOT_TAKEN
    assert world.record.reasons[0].startswith(reason)


def test_our_own_set_that_came_back_is_not_learnt_from(world: World) -> None:
    """A model that learnt from itself would drift."""
    number = world.ct_is_whole()
    world.ledger.note_result(new_result(number, 1, SET), ["TPS"])
    world.set_comes()

    assert world.file() == "not taken"
    assert world.record.reasons == ("it is one of ours that came back unchanged",)


def test_an_older_review_does_not_replace_a_newer_one(world: World) -> None:
    """An archive that sends old sets takes nothing back."""
    world.ct_is_whole()
    world.set_comes()
    world.file()
    world.filer.facts["reviewed"] = "20250101"
    world.set_comes("1.2.9.2")

    assert world.file() == "not taken"
    assert world.record.reasons == ("a set that was reviewed later is filed of the same CT",)


def test_only_what_a_peer_had_before_was_edited(world: World) -> None:
    """A result that was delivered after the approval is none that the physician can have edited."""
    number = world.ct_is_whole()
    world.ledger.note_result(new_result(number, 1, "2.25.1"), ["TPS"])
    world.ledger.note_sent(world.ledger.deliveries()[0].id, 0, "")
    world.clock.forward(60)
    world.set_comes()
    world.clock.forward(60)
    world.ledger.note_result(new_result(number, 1, "2.25.2", path="results/late.dcm"), ["TPS"])
    world.ledger.note_sent(world.ledger.deliveries()[1].id, 0, "")

    world.file()

    [request] = world.filer.filings
    assert request["sent"] == [(str(world.folder / "results/one.dcm"), "ab" * 32)]


def contoured_blind(world: World) -> int:
    """Have a CT contoured blind twice; return the number of the series."""
    world.ct_comes()
    [record] = world.ledger.series_in()
    for number in (1, 2):
        world.ledger.complete(record.id, "content", patient="ab" * 32)
        new = new_result(record.id, number, f"2.25.{number}", path=f"results/{number}.dcm", created=world.clock.now)
        world.ledger.note_result(new, [])
        world.clock.forward(60)
    return record.id


def test_what_was_contoured_blind_goes_along_with_the_set(world: World) -> None:
    """What was contoured last; and none of it counts as sent."""
    contoured_blind(world)
    world.set_comes()

    world.file()

    [request] = world.filer.filings
    assert request["sent"] == []
    assert request["withheld"] == [(str(world.folder / "results/2.dcm"), "ab" * 32)]


@pytest.mark.parametrize("released", ["before", "after"])
def test_only_what_was_released_before_the_approval_was_seen(world: World, released: str) -> None:
    """A case is blind if nobody had any of our contours of the patient when the structure set came."""
    number = contoured_blind(world)
    if released == "after":
        world.set_comes()
        world.clock.forward(60)
    world.ledger.complete(number, "content", released=True)
    world.ledger.note_result(new_result(number, 3, "2.25.2", path="results/2.dcm"), ["TPS"])
    world.ledger.note_sent(world.ledger.deliveries()[0].id, 0, "")
    world.clock.forward(60)
    if released == "before":
        world.set_comes()

    world.file()

    [request] = world.filer.filings
    counts = {"sent": len(request["sent"]), "withheld": len(request["withheld"])}
    assert counts == ({"sent": 1, "withheld": 0} if released == "before" else {"sent": 0, "withheld": 1})


def test_what_cannot_be_read_is_an_alarm(world: World) -> None:
    """An approval that is lost must be seen."""
    world.filer.error = ContouringError("refused", reasons=["no ROI is in the CT's frame of reference"])
    world.set_comes()

    assert world.file() == "not taken"
    assert [alarm.kind for alarm in world.ledger.alarms()] == ["case"]


def test_what_was_set_aside_is_an_alarm_until_somebody_decides(world: World) -> None:
    """A person is asked, by the case's name."""
    world.filer.filed = {**FILED, "status": "set aside", "reasons": ["a gap"]}
    world.ct_is_whole()
    world.set_comes()

    world.file()

    [alarm] = world.ledger.alarms()
    assert (alarm.kind, alarm.about) == ("case", "aa11bb22cc33-1")
    assert alarm.text.endswith("was set aside: a gap")


def test_a_fault_of_the_nodes_is_no_verdict(world: World) -> None:
    """A filing process that dies twice leaves an approval that failed, and can be looked at again."""
    world.filer.error = ContouringError("it ended unexpectedly")
    world.set_comes()
    with pytest.raises(ContouringError):
        world.file()
    world.approvals().give_up(world.record.id, "it ended unexpectedly")

    assert world.record.state is ApprovalState.FAILED
    world.ledger.order_again(world.record.id)
    assert world.order.attempt == 2


@pytest.mark.parametrize(("in_hand", "state"), [(True, ApprovalState.LOOKING), (False, ApprovalState.FAILED)])
def test_what_the_engine_gave_up_has_an_end(world: World, *, in_hand: bool, state: ApprovalState) -> None:
    """A filing that ended the node again and again is not for ever on its way."""
    world.set_comes()
    world.ledger.note_looking(world.record.id)
    world.in_hand = in_hand

    world.approvals().reconcile()

    assert world.record.state is state


def test_a_pseudonym_is_not_forgotten_while_a_set_is_looked_at(world: World) -> None:
    """Its case would be filed behind the forgetting."""
    world.set_comes()
    world.ledger.note_looking(world.record.id)

    assert not world.ledger.forget_pseudonym("aa11bb22cc33")


def test_what_was_forgotten_is_not_filed_again(world: World) -> None:
    """The set that came again stays what it was: not taken."""
    world.ct_is_whole()
    world.set_comes()
    world.file()
    patient = world.record.patient

    assert world.ledger.forget_pseudonym(patient)
    world.ledger.note_repeat(SET, world.clock.forward(10))

    assert world.record.state is ApprovalState.NOT_TAKEN
    assert (world.record.patient, world.record.case_name) == ("", "")
    assert world.file() == "nothing to do"
    assert world.ledger.find_pseudonym(FACTS["identity"]) is None


def test_an_approval_that_is_gone_is_no_fault(world: World) -> None:
    """Its structure set was forgotten before its turn came."""
    assert world.approvals().file(77, 1) == "forgotten"


def test_a_set_that_came_before_this_release_is_learnt_from_when_it_comes_again(world: World) -> None:
    """There was no approval of it; now there is."""
    row = instance(1, world.clock.now, series="1.9", sop_class_uid=RT_STRUCTURE_SET_STORAGE, action="learn")
    world.ledger.note_instance(row)

    world.ledger.note_repeat(row.sop_instance_uid, world.clock.forward(10))

    assert world.record.sop_instance_uid == row.sop_instance_uid


def test_a_ct_that_was_fetched_to_learn_from_is_contoured_when_it_is_sent(world: World) -> None:
    """What comes by itself is wanted, whoever fetched it before."""
    world.ct_comes(action="learn")
    sent = instance(1, world.clock.forward(60), calling_ae_title="SCANNER")

    world.ledger.note_repeat(sent.sop_instance_uid, sent.received, sent)

    [record] = world.ledger.series_in()
    assert (record.series_instance_uid, record.calling_ae_title) == (SERIES, "SCANNER")


def test_what_was_fetched_to_learn_from_grows_old(world: World) -> None:
    """Only such images, and only those that are old."""
    world.ct_comes(1, action="learn")
    world.ct_comes(2)
    world.set_comes()

    old = world.ledger.old_fetched(world.clock.now + timedelta(days=1))

    assert [due.about for due in old] == [f"{SERIES}.1"]
    assert world.ledger.old_fetched(world.clock.now) == []


def test_a_structure_set_whose_content_is_another_now_is_looked_at_anew(world: World) -> None:
    """The operator accepted a conflict: the case is made of what holds."""
    world.ct_is_whole()
    world.set_comes()
    world.file()
    changed = instance(
        1,
        world.clock.now,
        sop_instance_uid=SET,
        sop_class_uid=RT_STRUCTURE_SET_STORAGE,
        action="learn",
        sha256="c" * 64,
    )
    number = world.ledger.note_conflict(changed)

    world.ledger.decide_conflict(number, "accepted", changed)

    assert world.file() == "admitted"
    first, second = (request["source"] for request in world.filer.filings)
    assert first != second
