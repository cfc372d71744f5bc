"""A node that is killed at every step of filing goes on after its next start: each approved set is one case."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adaptation.case_record import CaseRecord, Status
from adaptation.cases import CaseStore
from dicomnode.records import ApprovalState
from tests.support.approved import make_patient, storescu
from tests.support.node import free_port, make_node, tps
from tests.support.peers_of_others import need

pytestmark = [pytest.mark.peer, pytest.mark.slow]
PROGRAM = str(Path(__file__).parents[1] / "support" / "killable_node.py")
POINTS = ("file:before", "file:in", "file:done", "file:after")
KEEP_CT = (
    '[[rules]]\nname = "structure sets"\naction = "learn"\n[[rules]]\nname = "everything else"\naction = "ignore"\n'
)


@dataclass(frozen=True)
class Killed:
    """What became of the approvals whose filing was cut short, and what else there is.

    Args:
        states: of the approvals.
        cases: every revision of every case.
        steps: how often the filing of each began.
        remnants: of the case store.
    """

    states: list[ApprovalState]
    cases: tuple[CaseRecord, ...]
    steps: Counter[str]
    remnants: list[Path]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """Kill a node once at each point, each time at the set of another patient, and start it again."""
    need("plastimatch", "storescu", "dcmodify")
    folder = tmp_path_factory.mktemp("filing")
    steps = folder / "steps"
    node = make_node(folder / "node", tps(free_port()), rules=KEEP_CT)
    try:
        for number, point in enumerate(POINTS, start=1):
            patient = make_patient(folder / f"patient{number}", number)
            structure_set = patient.structure_set("approved")
            death = {"KILL_AT": point, "KILL_SERIES": str(number), "STEPS": str(steps)}
            node.start(PROGRAM, environment=death)
            # Else this death would interrupt what the last one left.
            node.wait_for(lambda ledger, n=number: len(ledger.approvals(ApprovalState.FILED)) == n - 1)
            storescu(node.port, *patient.slices)
            storescu(node.port, structure_set)
            node.wait_until_dead()
        node.start(PROGRAM, environment={"STEPS": str(steps)})
        node.wait_for(lambda ledger: len(ledger.approvals(ApprovalState.FILED)) == len(POINTS))
        node.wait_for(lambda _ledger: steps.read_text().count(f"file {len(POINTS)}\n") == 2)
        store = CaseStore(node.data / "adaptation" / "cases")
        with node.ledger() as ledger:
            states = [one.state for one in ledger.approvals()]
        hidden = [path for path in store.folder.rglob("*") if path.name.startswith(".") or path.suffix == ".part"]
        yield Killed(states, store.all_records(), Counter(steps.read_text().splitlines()), hidden)
    finally:
        node.kill()


def test_every_approved_set_is_one_case_whenever_the_node_is_killed(killed: Killed) -> None:
    """No case is lost, none is there twice, and all are admitted."""
    assert killed.states == [ApprovalState.FILED] * len(POINTS)
    assert [record.revision for record in killed.cases] == [1] * len(POINTS)
    assert {record.status for record in killed.cases} == {Status.ADMITTED}
    assert killed.remnants == []


@pytest.mark.parametrize("number", range(1, len(POINTS) + 1))
def test_only_what_was_cut_short_is_done_again(killed: Killed, number: int) -> None:
    """The filing that was cut short begins twice."""
    assert killed.steps[f"file {number}"] == 2
