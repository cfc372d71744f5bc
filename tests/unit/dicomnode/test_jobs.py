"""What each step of the durable work does."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dicomnode.config import Delivering
from dicomnode.errors import ContouringError
from dicomnode.examination import Examiner
from dicomnode.identity import structure_set_uid
from dicomnode.jobs import Jobs
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.models import Models
from dicomnode.peers import Peer
from dicomnode.records import DeliveryOrder, DeliveryState, SeriesRecord
from dicomnode.routing import Rule
from dicomnode.scu import SendOutcome
from dicomnode.series import State, content_digest
from dicomnode.structure_settings import StructureSettings, writing_settings
from segmentation.registry import Registry
from tests.support.books import NOON, SERIES, Clock, Orders, instance, new_result, open_ledger
from tests.support.small_bundle import write_small_bundle

PEER = Peer("TPS", "127.0.0.1", 104, may=("send_ct", "receive_results"))
DONE = {
    "outcome": "done",
    "not_found": ["Parotid_R"],
    "notes": ["Parotid_R was not found.", "Expected DSC: Brainstem 0.81."],
    "expected_dice": {"Brainstem": 0.81},
    "implausible": ["Brainstem"],
    "summary": "Implausible: Brainstem. Expected DSC: Brainstem 0.81.",
    "engine": "torch 2.13.0, bfloat16",
    "seconds": {"network": 2.0},
}


class Answers:
    """In place of the contouring process: remembers what it was asked and answers what it was told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any] | ContouringError] = []

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, ContouringError):
            raise answer
        return answer


class Bench:
    """Jobs with a ledger, and with answers and outcomes that a test decides."""

    def __init__(self, folder: Path, blind_share: float = 0.0) -> None:
        write_small_bundle(folder / "bundles" / "small")
        self.clock, self.orders, self.contourer = Clock(), Orders(), Answers()
        self.ledger: Ledger = open_ledger(folder, self.clock, self.orders)
        self.outcomes: list[SendOutcome] = []
        self.sent: list[tuple[str, str]] = []
        self.digest = ""
        pseudonyms = Pseudonyms(b"key")
        examiner = Examiner(
            self.ledger,
            data_dir=folder,
            rules=(Rule("planning CT", "contour", bundle="small"),),
            peers=(PEER,),
            structures=StructureSettings(),
            models=Models((folder / "bundles",), Registry(folder / "models")),
            minimum_slices=1,
            pseudonyms=pseudonyms,
            blind_share=blind_share,
        )
        self.digest = examiner.model_named("small").digest
        self.jobs = Jobs(
            self.ledger,
            examiner,
            self.contourer,  # type: ignore[arg-type]
            self._send,
            peers=(PEER,),
            delivering=Delivering(first_retry_s=10, longest_retry_s=60, give_up_after_h=1),
            device="cpu",
            data_dir=folder,
            pseudonyms=pseudonyms,
            clock=self.clock,
        )

    def _send(self, peer: Peer, path: Path) -> SendOutcome:
        self.sent.append((peer.ae_title, path.name))
        return self.outcomes.pop(0)

    def whole_series(self) -> SeriesRecord:
        """Receive a series and take it to be whole."""
        self.ledger.note_instance(instance(1, NOON))
        return self.complete()

    def complete(self) -> SeriesRecord:
        """Take the series to be whole as it is now."""
        record = self.ledger.series_in()[0]
        return self.ledger.complete(record.id, self.content, patient="ab" * 32)

    @property
    def content(self) -> str:
        """The digest of what the series consists of now."""
        return content_digest(one.sha256 for one in self.ledger.instances_of(SERIES))

    def delivery(self) -> int:
        """Put a structure set on its way."""
        record = self.whole_series()
        self.ledger.note_result(new_result(record.id, record.generation), ["TPS"])
        return 1


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def refused(status: int | None, *, transient: bool) -> SendOutcome:
    return SendOutcome(status, "no", transient=transient, sent=0)


ACCEPTED = SendOutcome(0x0000, "", transient=False, sent=1)


def test_contouring_names_model_and_slices(bench: Bench) -> None:
    """The process is told which files, which model and where to put the organs."""
    record = bench.whole_series()
    bench.contourer.answers = [DONE]

    contoured = bench.jobs.contour(record.id, 1)

    [request] = bench.contourer.asked
    assert (request["ask"], request["bundle_digest"], request["insist"]) == ("contour", bench.digest, False)
    assert request["paths"][0].endswith(f"instances/{SERIES}/1.dcm")
    assert request["review"] == {"below_dsc": 0.0, "implausible": False}
    assert (contoured["outcome"], contoured["content"]) == ("done", bench.content)


def test_an_obsolete_generation_is_not_contoured(bench: Bench) -> None:
    """A late slice came: the work of the older generation ends without a word."""
    record = bench.whole_series()
    bench.ledger.note_instance(instance(2, NOON))
    bench.complete()

    assert bench.jobs.contour(record.id, 1) == {"outcome": "superseded"}
    assert bench.contourer.asked == []


def test_what_came_while_the_order_waited_is_not_contoured_under_the_old_name(bench: Bench) -> None:
    """The slice has opened the series again: it will be a generation of its own."""
    record = bench.whole_series()
    bench.ledger.note_instance(instance(2, NOON))

    assert bench.jobs.contour(record.id, 1) == {"outcome": "superseded"}


def test_a_refused_series_is_held_with_the_reasons(bench: Bench) -> None:
    """As where no head and neck is in it."""
    record = bench.whole_series()
    bench.contourer.answers = [ContouringError("refused", reasons=["no head and neck is in it"])]

    outcome = bench.jobs.contour(record.id, 1)

    assert outcome == {"outcome": "held"}
    assert bench.ledger.series(record.id).reasons == ("no head and neck is in it",)
    assert bench.ledger.alarms()[0].kind == "held"


def test_a_failure_is_set_aside_with_an_alarm(bench: Bench) -> None:
    """The series fails, and says why."""
    record = bench.whole_series()
    bench.contourer.answers = [ContouringError("the process died")]

    outcome = bench.jobs.contour(record.id, 1)
    bench.jobs.set_aside(record.id, 1, outcome["text"])

    assert bench.ledger.series(record.id).state is State.FAILED
    assert "the process died" in bench.ledger.alarms()[0].text


def write(bench: Bench, record: SeriesRecord) -> dict[str, Any]:
    bench.contourer.answers = [
        DONE,
        {"outcome": "done", "volumes_cm3": {"Brainstem": 27.0}, "seconds": {"verify": 0.1}},
    ]
    contoured = bench.jobs.contour(record.id, record.generation)
    bench.jobs.write(record.id, record.generation, contoured)
    identity: dict[str, Any] = bench.contourer.asked[-1]["outputs"][0]["identity"]
    return identity


def test_the_structure_set_is_identified_by_content_model_and_settings(bench: Bench) -> None:
    """UID, label, description and model travel to the process, and are remembered."""
    record = bench.whole_series()

    identity = write(bench, record)

    [result] = bench.ledger.results_of(record.id)
    assert identity["sop_instance_uid"] == structure_set_uid(
        bench.content, bench.digest, writing_settings("clinical", StructureSettings())
    )
    assert "UNREVIEWED" in identity["description"]
    assert identity["description"].endswith(
        "Implausible: Brainstem. Expected DSC: Brainstem 0.81. Computed by torch 2.13.0, bfloat16."
    )
    assert result.notes[-1] == "Expected DSC: Brainstem 0.81."
    assert "Not found: Parotid_R" in identity["description"]
    assert (result.sop_instance_uid, result.label) == (identity["sop_instance_uid"], identity["label"])
    assert result.seconds == {"network": 2.0, "verify": 0.1}


def test_a_write_that_was_done_is_not_done_again(bench: Bench) -> None:
    """A daemon killed behind the row finds it, and needs the organs no more."""
    record = bench.whole_series()
    write(bench, record)
    asked = len(bench.contourer.asked)
    contoured = {"outcome": "done", "content": bench.content, "model": {"digest": bench.digest}}

    outcome = bench.jobs.write(record.id, record.generation, contoured)

    assert outcome == {"outcome": "done"}
    assert len(bench.contourer.asked) == asked


def test_what_does_not_prove_right_is_held_and_not_sent(bench: Bench) -> None:
    """A voxel that differs or a rule that breaks is a reason for a person to look, and nothing leaves the node."""
    record = bench.whole_series()
    bench.contourer.answers = [DONE, ContouringError("refused", reasons=["Lens_L: 1 voxels differ"])]
    contoured = bench.jobs.contour(record.id, 1)

    outcome = bench.jobs.write(record.id, 1, contoured)

    after = bench.ledger.series(record.id)
    assert outcome == {"outcome": "held"}
    assert (after.state, after.reasons) == (State.HELD, ("Lens_L: 1 voxels differ",))
    assert bench.ledger.deliveries() == []
    assert bench.ledger.alarms()[0].kind == "held"


def test_the_result_goes_back_to_the_sender_by_default(bench: Bench) -> None:
    """A rule that names nobody means whoever sent the CT."""
    write(bench, bench.whole_series())

    assert [delivery.peer for delivery in bench.ledger.deliveries()] == ["TPS"]
    assert isinstance(bench.orders[-1], DeliveryOrder)


def test_what_is_contoured_blind_is_written_and_sent_to_nobody(tmp_path: Path) -> None:
    """The structure set is on disk, the series says so, and somebody is told that no contours will come."""
    bench = Bench(tmp_path, blind_share=1.0)

    write(bench, bench.whole_series())

    [record], [result] = bench.ledger.series_in(), bench.ledger.results_of(1)
    [alarm] = bench.ledger.alarms()
    assert record.state is State.BLIND
    assert "contoured blind" in record.reasons[0]
    assert result.generation == record.generation
    assert bench.ledger.deliveries() == []
    assert not any(isinstance(order, DeliveryOrder) for order in bench.orders)
    assert (alarm.kind, alarm.count) == ("blind", 1)
    assert "no contours will come" in alarm.text


def test_what_was_blind_and_is_released_is_the_same_structure_set_sent(tmp_path: Path) -> None:
    """One row, of which the delivery says when it ceased to be blind."""
    bench = Bench(tmp_path, blind_share=1.0)
    first = write(bench, bench.whole_series())

    second = write(bench, bench.ledger.complete(1, bench.content, released=True))

    [result] = bench.ledger.results_of(1)
    assert second == first
    assert [delivery.result_id for delivery in bench.ledger.deliveries()] == [result.id]
    assert bench.ledger.series(1).state is State.CONTOURED


def test_a_later_structure_set_says_what_it_supersedes(bench: Bench) -> None:
    """In its label and in its description."""
    record = bench.whole_series()
    first = write(bench, record)
    bench.ledger.note_instance(instance(2, bench.clock.forward(600)))
    second = write(bench, bench.complete())

    assert second["label"].startswith("AI_v2_")
    assert f"Supersedes {first['label']}" in second["description"]


def test_the_same_work_again_has_the_same_name_and_time(bench: Bench) -> None:
    """So that the same instance is the same bytes."""
    record = bench.whole_series()
    first = write(bench, record)
    bench.clock.forward(3600)

    second = write(bench, bench.complete())

    assert second == first


def test_a_delivery_that_is_taken_is_sent(bench: Bench) -> None:
    """The status stands in the row, and the series is sent."""
    delivery = bench.delivery()
    bench.outcomes = [SendOutcome(0xB000, "coerced", transient=False, sent=1)]

    bench.jobs.deliver(delivery, 1)

    assert (bench.ledger.delivery(1).state, bench.ledger.delivery(1).status) == (DeliveryState.SENT, 0xB000)
    assert bench.ledger.series_in()[0].state is State.SENT


def test_waits_double_up_to_the_longest(bench: Bench) -> None:
    """Ten, twenty, forty, sixty, sixty seconds, give or take a tenth."""
    bench.delivery()
    bench.outcomes = [refused(None, transient=True)] * 5

    for attempt in range(1, 6):
        bench.jobs.deliver(1, attempt)

    waits = [order.delay_s for order in bench.orders[2:] if isinstance(order, DeliveryOrder)]
    assert waits == [pytest.approx(expected, rel=0.11) for expected in (10, 20, 40, 60, 60)]


def test_a_peer_that_refuses_for_good_is_asked_three_times(bench: Bench) -> None:
    """Then the delivery is set aside, with an alarm that names no comment of the peer's."""
    bench.delivery()
    bench.outcomes = [refused(0xC000, transient=False)] * 3

    for attempt in (1, 2, 3):
        bench.jobs.deliver(1, attempt)

    [alarm] = bench.ledger.alarms()
    assert bench.ledger.delivery(1).state is DeliveryState.DEAD
    assert (alarm.kind, alarm.about) == ("undelivered", "deliver-1")
    assert "status C000" in alarm.text


def test_a_peer_that_is_away_too_long_is_given_up(bench: Bench) -> None:
    """After the time that the configuration gives it."""
    bench.delivery()
    bench.outcomes = [refused(None, transient=True)] * 2

    bench.jobs.deliver(1, 1)
    bench.clock.forward(timedelta(hours=1, seconds=1).total_seconds())
    bench.jobs.deliver(1, 2)

    assert bench.ledger.delivery(1).state is DeliveryState.DEAD


def test_an_attempt_that_was_made_is_not_made_again(bench: Bench) -> None:
    """A workflow that is recovered after its row was written sends nothing."""
    bench.delivery()
    bench.outcomes = [ACCEPTED]
    bench.jobs.deliver(1, 1)

    assert bench.jobs.deliver(1, 1) == "nothing to do"
    assert len(bench.sent) == 1


def test_a_peer_that_is_no_longer_configured_is_given_up(bench: Bench) -> None:
    """With a sentence that says so."""
    record = bench.whole_series()
    bench.ledger.note_result(new_result(record.id, 1), ["GONE"])

    bench.jobs.deliver(1, 1)

    assert bench.ledger.delivery(1).detail == "GONE is no peer of the configuration"
