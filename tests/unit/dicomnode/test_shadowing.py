"""The version in the shadow contours what was delivered, and nobody sees it."""

from pathlib import Path
from typing import Any

import pytest

from dicomnode.errors import ContouringError
from dicomnode.examination import Examiner
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.models import Models
from dicomnode.records import Holding, ShadowOrder
from dicomnode.routing import Rule
from dicomnode.series import content_digest
from dicomnode.shadowing import Seen, Shadowing, forget_in_shadow, seen_by
from dicomnode.structure_settings import StructureSettings
from segmentation.registry import Registry
from tests.support.books import NOON, SERIES, Clock, Orders, instance, new_result, open_ledger
from tests.support.small_bundle import write_small_bundle

PSEUDONYMS = Pseudonyms(b"key")
NAME = PSEUDONYMS.of(SERIES)


class Bench:
    """A series whose structure set was delivered, a version in the shadow, and answers that a test decides."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked, self.orders = folder, list[dict[str, Any]](), Orders()
        write_small_bundle(folder / "bundles" / "small", version="base")
        write_small_bundle(folder / "candidate", version="night-1")
        self.registry = Registry(folder / "models")
        self.digest = self.registry.add("small", folder / "candidate", origin="a night", by="night", at=NOON).digest
        self.ledger: Ledger = open_ledger(folder, Clock(), self.orders)
        received = instance(1, NOON)
        self.ledger.note_instance(received)
        record = self.ledger.complete(self.ledger.series_in()[0].id, content_digest([received.sha256]))
        self.result = self.ledger.note_result(
            new_result(record.id, record.generation, model_digest="ab" * 32, not_found=("Parotid_R",)), ["TPS"]
        )
        examiner = Examiner(
            self.ledger,
            data_dir=folder,
            rules=(Rule("planning CT", "contour", bundle="small"),),
            peers=(),
            structures=StructureSettings(),
            models=Models((folder / "bundles",), self.registry),
            minimum_slices=1,
            pseudonyms=PSEUDONYMS,
        )
        self.shadowing = Shadowing(
            self.ledger,
            examiner,
            self,  # type: ignore[arg-type]
            device="cpu",
            data_dir=folder,
            pseudonyms=PSEUDONYMS,
            clock=Clock(),
        )
        self.answer: dict[str, Any] | ContouringError = {"not_found": ["Parotid_L", "Parotid_R"], "notes": ["small"]}

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if isinstance(self.answer, ContouringError):
            raise self.answer
        Path(request["out"]).write_bytes(b"masks")
        return self.answer

    def begin(self) -> None:
        self.registry.set_shadow("small", self.digest, by="night", why="the gate wants it", at=NOON)

    def run(self) -> str:
        return self.shadowing.contour_in_shadow(self.result.series_id, self.result.generation, self.digest)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a bench."""
    return Bench(tmp_path)


def test_a_delivery_orders_nothing_where_nothing_is_in_the_shadow(bench: Bench) -> None:
    """A site without a candidate does no work for one."""
    assert bench.shadowing.orders_after(bench.result) == ()


def test_a_delivery_orders_the_shadow_in_its_own_transaction(bench: Bench) -> None:
    """What was delivered is contoured in the shadow, or was not delivered."""
    bench.begin()
    orders = bench.shadowing.orders_after(bench.result)
    [delivery] = bench.ledger.deliveries()

    bench.ledger.note_sent(delivery.id, 0, "", then=orders)

    assert bench.orders[-1] == ShadowOrder(bench.result.series_id, bench.result.generation, bench.digest)


def test_what_the_shadow_lost_is_kept_with_its_masks(bench: Bench) -> None:
    """An organ that was sent and that the candidate does not find is lost; one that neither found is not."""
    bench.begin()

    assert bench.run() == "done"
    assert seen_by(bench.folder, bench.digest) == [Seen(NOON, "ab" * 32, ("Parotid_L",), ("small",))]
    assert (bench.folder / "shadow" / NAME / f"{bench.digest}.npz").read_bytes() == b"masks"


def test_a_series_that_the_shadow_cannot_contour_is_kept_as_that(bench: Bench) -> None:
    """A candidate that fails on a patient is known by it; the series is as it was."""
    bench.begin()
    bench.answer = ContouringError("out of memory")

    assert bench.run() == "failed"
    assert seen_by(bench.folder, bench.digest)[0].fault == "out of memory"


def test_a_version_that_left_the_shadow_contours_nothing(bench: Bench) -> None:
    """Work that was ordered before is dropped."""
    assert bench.run() == "superseded"
    assert bench.asked == []


def test_nothing_remains_of_a_series_that_is_forgotten_while_the_shadow_contours(bench: Bench) -> None:
    """What the child process wrote behind the back of `forget` goes."""
    bench.begin()
    holding: Holding = bench.ledger.holding_of([SERIES])
    ask = bench.ask

    def forgotten_meanwhile(request: dict[str, Any]) -> dict[str, Any]:
        reply = ask(request)
        [delivery] = bench.ledger.deliveries()
        bench.ledger.note_sent(delivery.id, 0, "")
        assert bench.ledger.erase_holding(holding, set())
        return reply

    bench.ask = forgotten_meanwhile  # type: ignore[method-assign]

    assert bench.run() == "forgotten"
    assert list((bench.folder / "shadow").iterdir()) == []


def test_the_purge_takes_what_belongs_to_no_series(bench: Bench) -> None:
    """Masks go with their series, and with age."""
    bench.begin()
    bench.run()
    (bench.folder / "shadow" / "gone").mkdir()
    (bench.folder / "shadow" / "gone" / "x.npz").write_bytes(b"masks")

    forget_in_shadow(bench.folder, [NAME], None)

    assert [path.name for path in (bench.folder / "shadow").iterdir()] == [NAME]

    forget_in_shadow(bench.folder, [], None)

    assert list((bench.folder / "shadow").iterdir()) == []
