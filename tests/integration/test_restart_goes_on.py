"""To restart is to go on: the node is killed before, in and after each step of its work, and started again."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dicomnode.series import State
from tests.support.node import CONTOUR_S, Node, make_node, wait_until
from tests.support.peer import ReceivingPeer, receiving_peer
from tests.support.tiny import marked_series

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("restart")]

PROGRAM = str(Path(__file__).parents[1] / "support" / "killable_node.py")
POINTS = (
    "contour:before",
    "contour:in",
    "contour:after",
    "write:before",
    "write:in",
    "write:done",
    "write:after",
    "deliver:before",
    "deliver:in",
    "deliver:done",
    "deliver:after",
)
UNAVOIDABLE = "deliver:done"  # the TPS has it, and the node died before it could remember the answer


@dataclass(frozen=True)
class Killed:
    """What became of a series whose work was cut short.

    Args:
        state: of the series at the end.
        steps: how often each began.
        deliveries: SHA-256 of the data sets that the TPS took, by SOP Instance UID.
    """

    state: State
    steps: Counter[str]
    deliveries: dict[str, list[str]]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[dict[str, Killed]]:
    """Kill a node once at each point, each time at work on a series of its own; start it again with the next death."""
    folder = tmp_path_factory.mktemp("restart")
    steps = folder / "steps"
    series: dict[str, str] = {}
    with receiving_peer() as tps:
        node = make_node(folder, tps.peer, bundle_dir=bundle_dir, more={"receiving": {"quiet_s": 0.5}})
        try:
            for number, point in enumerate(POINTS, start=1):
                death = {"KILL_AT": point, "KILL_SERIES": str(number), "STEPS": str(steps)}
                node.start(PROGRAM, environment=death)
                node.wait_for_end(*series.values())  # else this death would interrupt what the last one left
                series[point] = node.send_series(marked_series(number, slices=20))
                node.wait_until_dead()
            node.start(PROGRAM, environment={"STEPS": str(steps)})
            states = node.wait_for_end(*series.values())
            # The ledger may know the end before the engine has looked once more.
            again = f"deliver {len(POINTS)}\n"
            wait_until(lambda: steps.read_text().count(again) == 2, CONTOUR_S, steps.read_text)
            yield _what_became(node, steps, tps, series, states)
        finally:
            node.kill()


def _what_became(
    node: Node, steps: Path, tps: ReceivingPeer, series: dict[str, str], states: dict[str, State]
) -> dict[str, Killed]:
    begun = Counter(steps.read_text().splitlines())
    found = {}
    with node.ledger() as ledger:
        for number, (point, uid) in enumerate(series.items(), start=1):
            results = {result.sop_instance_uid for result in ledger.results_of(number)}
            found[point] = Killed(
                states[uid],
                Counter({step: begun[f"{step} {number}"] for step in ("contour", "write", "deliver")}),
                {
                    result: [hashlib.sha256(data).hexdigest() for known, _, data in tps.received if known == result]
                    for result in results
                },
            )
    return found


@pytest.mark.parametrize("point", POINTS)
def test_every_series_is_delivered_whenever_the_node_is_killed(killed: dict[str, Killed], point: str) -> None:
    """The series whose work was cut short has one structure set, and the TPS has it."""
    assert killed[point].state is State.SENT
    assert len(killed[point].deliveries) == 1


@pytest.mark.parametrize("point", POINTS)
def test_only_the_killed_step_is_done_again(killed: dict[str, Killed], point: str) -> None:
    """The step that was cut short begins twice, the others once."""
    expected = Counter(("contour", "write", "deliver"))

    expected[point.partition(":")[0]] += 1

    assert killed[point].steps == expected


@pytest.mark.parametrize("point", [point for point in POINTS if point != UNAVOIDABLE])
def test_nothing_is_delivered_twice_where_that_can_be_avoided(killed: dict[str, Killed], point: str) -> None:
    """The TPS takes the structure set once."""
    (taken,) = killed[point].deliveries.values()

    assert len(taken) == 1


def test_what_must_be_delivered_twice_is_the_same_instance(killed: dict[str, Killed]) -> None:
    """A node that died before it could remember the answer sends the same UID with the same bytes."""
    (taken,) = killed[UNAVOIDABLE].deliveries.values()

    assert len(taken) == 2
    assert len(set(taken)) == 1
