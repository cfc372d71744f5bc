"""What a series that went quiet needs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset

from dicomnode.errors import TransitionError
from dicomnode.examination import Dispatch, Examiner, Route
from dicomnode.identity import structure_set_uid
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.models import Models
from dicomnode.peers import Peer
from dicomnode.records import ContouringOrder, DeliveryOrder, SeriesRecord
from dicomnode.routing import Rule
from dicomnode.series import State
from dicomnode.structure_settings import StructureSettings, writing_settings
from segmentation.phantom_series import write_series
from segmentation.registry import Registry
from tests.support.books import Clock, Orders, instance, new_result, open_ledger
from tests.support.series import series_of, small_phantom
from tests.support.small_bundle import write_small_bundle

RULES = (Rule("planning CT", "contour", bundle="small", send_to=("TPS", "PACS")),)

PEERS = (
    Peer("TPS", "127.0.0.1", 104, may=("send_ct", "receive_results")),
    Peer("PACS", "127.0.0.1", 105, may=("receive_results",)),
)


class Room:
    """A ledger with a series in it, its files, and who examines it."""

    def __init__(
        self,
        folder: Path,
        peers: tuple[Peer, ...] = PEERS,
        structures: StructureSettings | None = None,
        blind_share: float = 0.0,
    ) -> None:
        self.folder, self.clock, self.orders = folder, Clock(), Orders()
        write_small_bundle(folder / "bundles" / "small")
        self.ledger: Ledger = open_ledger(folder, self.clock, self.orders)
        self.examiner = Examiner(
            self.ledger,
            data_dir=folder,
            rules=RULES,
            peers=peers,
            structures=structures or StructureSettings(),
            models=Models((folder / "bundles",), Registry(folder / "models")),
            minimum_slices=10,
            pseudonyms=Pseudonyms(b"key"),
            blind_share=blind_share,
        )

    def receive(self, datasets: list[Dataset], **changes: object) -> SeriesRecord:
        """Note slices as the intake would."""
        for number, path in enumerate(write_series(datasets, self.folder / "ct"), start=1):
            one = instance(number, self.clock(), path=str(path.relative_to(self.folder)))
            self.ledger.note_instance(replace(one, **changes))  # type: ignore[arg-type]
        return self.series

    def repeat(self, count: int) -> None:
        """Note that the first slices came again."""
        later = self.clock.forward(60)
        for one in sorted(self.ledger.instances_of(self.series.series_instance_uid), key=lambda i: i.sha256)[:count]:
            self.ledger.note_repeat(one.sop_instance_uid, later)

    @property
    def series(self) -> SeriesRecord:
        return self.ledger.series_in()[0]

    def examine(self) -> SeriesRecord:
        """Examine the series and return what became of it."""
        self.examiner.examine(self.series)
        return self.series


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture(scope="module")
def slices() -> Callable[[], list[Dataset]]:
    return lambda: list(series_of(small_phantom()))


def test_a_good_series_is_ordered_to_be_contoured(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """One order, for its first generation."""
    room.receive(slices())

    record = room.examine()

    assert (record.state, record.reasons) == (State.COMPLETE, ())
    assert room.orders == [ContouringOrder(record.id, 1)]


def test_a_series_with_a_missing_slice_is_held_with_an_alarm(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """The reason is in the row and in the alarm, and nothing is ordered."""
    datasets = slices()
    del datasets[10]
    room.receive(datasets)

    record = room.examine()

    assert record.state is State.HELD
    assert "missing" in record.reasons[0]
    assert record.reasons[0] in room.ledger.alarms()[0].text
    assert room.orders == []


def test_a_released_series_is_contoured_in_spite_of_it(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """The operator's word is kept with the series, also when it is sent again whole."""
    room.receive(slices()[:5])
    room.examine()

    room.examiner.release(room.series)
    room.repeat(5)
    record = room.examine()

    assert (record.state, record.released, record.generation) == (State.COMPLETE, True, 2)


def test_what_cannot_be_released_says_so(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """Slices of two patients stay held."""
    datasets = slices()
    datasets[3].PatientID = "ANOTHER"
    room.receive(datasets)
    room.examine()

    with pytest.raises(TransitionError, match="cannot be contoured"):
        room.examiner.release(room.series)


def test_only_a_held_series_can_be_released(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """There is nothing to release in another."""
    room.receive(slices())

    with pytest.raises(TransitionError, match="receiving, not held or blind"):
        room.examiner.release(room.series)


def test_a_few_repeated_slices_change_nothing(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """A sender that repeats what it was not sure of does not cause a second contouring."""
    room.receive(slices())
    room.examine()
    room.repeat(3)

    record = room.examine()

    assert (record.state, len(room.orders)) == (State.COMPLETE, 1)


def test_a_late_slice_is_a_new_generation(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """The structure set of the first is not the one of the second."""
    room.receive(slices()[:-1])
    room.examine()
    last = write_series(slices()[-1:], room.folder / "late")[0]
    room.ledger.note_instance(instance(99, room.clock.forward(60), path=str(last.relative_to(room.folder))))

    record = room.examine()

    assert (record.state, record.generation) == (State.COMPLETE, 2)


def contoured_before(room: Room) -> SeriesRecord:
    """Put a structure set of the model in service on disk, delivered."""
    record = room.series
    model = room.examiner.model_named("small")
    (room.folder / "one.dcm").write_bytes(b"a structure set")
    uid = structure_set_uid(record.content, model.digest, writing_settings("clinical", StructureSettings()))
    room.ledger.note_result(new_result(record.id, record.generation, uid, path="one.dcm"), ["TPS"])
    room.ledger.note_sent(1, 0, "")
    return room.series


def test_a_series_that_comes_again_whole_is_sent_again(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """To every peer of the route, and nothing is contoured."""
    room.receive(slices())
    room.examine()
    contoured_before(room)
    room.repeat(1000)

    record = room.examine()

    assert record.state is State.CONTOURED
    assert [type(order) for order in room.orders] == [ContouringOrder, DeliveryOrder, DeliveryOrder, DeliveryOrder]


def test_a_series_that_comes_again_is_contoured_anew_if_its_file_is_gone(
    room: Room, slices: Callable[[], list[Dataset]]
) -> None:
    """As it is if the model has changed, whose structure set would have another UID."""
    room.receive(slices())
    room.examine()
    contoured_before(room)
    (room.folder / "one.dcm").unlink()
    room.repeat(1000)

    assert room.examine().generation == 2


def test_slices_of_several_rules_are_held(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """Nobody can say where such a series should go."""
    room.receive(slices())
    room.ledger.note_instance(instance(500, room.clock(), rule="another", path="ct/CT.0001.dcm"))

    record = room.examine()

    assert record.state is State.HELD
    assert "matched 2 rules" in record.reasons[0]


def test_a_rule_that_is_gone_holds_the_series(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """The configuration changed while slices were on their way."""
    room.receive(slices(), rule="of yesterday")

    assert "no longer configured" in room.examine().reasons[0]


def test_a_file_that_is_gone_holds_the_series(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """A disk that lost a slice is a reason, not a crash."""
    room.receive(slices())
    next(iter((room.folder / "ct").iterdir())).unlink()

    assert "cannot be read" in room.examine().reasons[0]


def test_a_series_can_be_contoured_and_sent_again_on_request(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """In the operator's name."""
    room.receive(slices())
    room.examine()
    record = contoured_before(room)

    room.examiner.resend(record)
    room.examiner.recontour(room.series)

    assert room.series.generation == 2
    assert room.orders[-1] == ContouringOrder(record.id, 2)


def test_what_was_never_contoured_cannot_be_sent_again(room: Room, slices: Callable[[], list[Dataset]]) -> None:
    """Nor contoured again while it waits for the first time."""
    room.receive(slices())
    room.examine()

    with pytest.raises(TransitionError, match="no structure set"):
        room.examiner.resend(room.series)
    with pytest.raises(TransitionError, match="cannot be contoured again now"):
        room.examiner.recontour(room.series)


ROUTE = Route(RULES[0], ("TPS", "PACS", "RESEARCH", "ARCHIVE"))
OF_EACH_KIND = (
    Peer("TPS", "127.0.0.1", 104, may=("receive_results",), profile="eclipse"),
    Peer("PACS", "127.0.0.1", 105, may=("receive_results", "receive_segmentations"), profile="monaco"),
    Peer("RESEARCH", "127.0.0.1", 106, may=("receive_segmentations",)),
)


def test_each_peer_gets_its_profile_and_what_it_may_receive(tmp_path: Path) -> None:
    """Peers of one profile share a file; whom the configuration lost gets the clinical one, and the alarm says so."""
    room = Room(tmp_path, OF_EACH_KIND)

    assert room.examiner.dispatches_of(ROUTE) == (
        Dispatch("RTSTRUCT", "eclipse", ("TPS",)),
        Dispatch("RTSTRUCT", "clinical", ("PACS", "ARCHIVE")),
        Dispatch("SEG", "clinical", ("PACS", "RESEARCH")),
    )


def test_another_profile_name_or_colour_is_another_uid(tmp_path: Path) -> None:
    """The same UID must never stand for two different files."""
    plain = Room(tmp_path / "a", OF_EACH_KIND).examiner
    red = {"Parotid_L": {"colour": [255, 0, 0]}}
    coloured = Room(tmp_path / "b", OF_EACH_KIND, StructureSettings.model_validate({"organs": red})).examiner

    uids = [each.uid_of(kind, "c", "d") for each in (plain, coloured) for kind in each.dispatches_of(ROUTE)]

    assert len(set(uids)) == 6
    assert uids[:3] == [plain.uid_of(kind, "c", "d") for kind in plain.dispatches_of(ROUTE)]


def test_a_structure_set_is_not_sent_again_to_peers_that_get_another_profile_now(
    tmp_path: Path, slices: Callable[[], list[Dataset]]
) -> None:
    """What was made for one system is not another's: it is to be contoured again."""
    room = Room(tmp_path, (replace(PEERS[0], profile="eclipse"), replace(PEERS[1], profile="exact")))
    room.receive(slices())
    room.examine()
    record = contoured_before(room)

    with pytest.raises(TransitionError, match="another profile"):
        room.examiner.resend(record)


@pytest.fixture
def blind(tmp_path: Path, slices: Callable[[], list[Dataset]]) -> Room:
    """Return a room whose series was contoured blind, as every patient's is."""
    room = Room(tmp_path, blind_share=1.0)
    room.receive(slices())
    record = room.examine()
    model = room.examiner.model_named("small")
    (room.folder / "one.dcm").write_bytes(b"a structure set")
    uid = structure_set_uid(record.content, model.digest, writing_settings("clinical", StructureSettings()))
    room.ledger.note_result(new_result(record.id, record.generation, uid, path="one.dcm"), [])
    return room


def test_a_blind_series_that_comes_again_whole_stays_blind(blind: Room) -> None:
    """Who sends it again because no contours came gets none, and the operator, who decides, is told once more."""
    blind.repeat(1000)

    record = blind.examine()

    assert record.state is State.BLIND
    assert "contoured blind" in record.reasons[0]
    assert not any(isinstance(order, DeliveryOrder) for order in blind.orders)
    assert [alarm.kind for alarm in blind.ledger.alarms()] == ["blind"]


def test_a_blind_series_cannot_be_sent_by_resend(blind: Room) -> None:
    """Only a release, which is kept with the series, has it sent; nor while it arrives again or is contoured again."""
    with pytest.raises(TransitionError, match="contoured blind: `series release`"):
        blind.examiner.resend(blind.series)
    blind.repeat(1)
    with pytest.raises(TransitionError, match="contoured blind: `series release`"):
        blind.examiner.resend(blind.series)


def test_a_blind_series_that_is_released_is_contoured_to_be_sent(blind: Room) -> None:
    """From then on it is blind no more."""
    blind.examiner.release(blind.series)

    record = blind.series
    assert (record.state, record.released, record.generation, record.reasons) == (State.COMPLETE, True, 2, ())
    assert not blind.examiner.is_blind(record)


def test_a_blind_series_that_is_contoured_again_stays_blind(blind: Room) -> None:
    """A newer model is no reason to show the physician anything."""
    blind.examiner.recontour(blind.series)

    assert blind.examiner.is_blind(blind.series)


def test_a_patient_of_whom_contours_were_sent_is_blind_no_more(blind: Room) -> None:
    """A release of one series shows what the patient's others look like."""
    blind.examiner.release(blind.series)
    other = replace(blind.series, released=False)
    assert blind.examiner.is_blind(other)

    blind.ledger.note_result(new_result(other.id, 2, "2.25.7"), ["TPS"])

    assert not blind.examiner.is_blind(other)


def test_a_held_series_of_a_chosen_patient_is_sent_once_it_is_released(
    tmp_path: Path, slices: Callable[[], list[Dataset]]
) -> None:
    """The operator wants its contours; the patient is known from then on."""
    room = Room(tmp_path, blind_share=1.0)
    room.receive(slices()[:5])
    room.examine()

    room.examiner.release(room.series)

    assert room.series.patient
    assert not room.examiner.is_blind(room.series)
