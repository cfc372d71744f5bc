"""The daemon's side of adaptation, with a child process that does what a test wants."""

import sys
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from adaptation.runs import Runs
from dicomnode.config import Configuration, Node
from dicomnode.config import Nights as Settings
from dicomnode.errors import AlreadyRunning
from dicomnode.nights import FAILURES, Nights, Outside, held
from dicomnode.records import NightOrder

EVENING = datetime(2026, 3, 10, 21, 5, tzinfo=UTC)
FIRST = NightOrder("NODE", "2026-03-10", 1)
ENDS = "import json,sys,pathlib; r=pathlib.Path(sys.argv[1]).parents[1]; (r/'end.json').write_text(json.dumps({0}))"
DONE = ENDS.format({"at": "2026-03-10T23:00:00+00:00", "outcome": "done", "text": "refused; refused"})
WAITS = (
    "import json,sys,pathlib,time\n"
    "asked=json.loads(pathlib.Path(sys.argv[1]).read_text())\n"
    "while not pathlib.Path(asked['pause']).exists(): time.sleep(0.01)\n"
)


class World:
    """Remembers what a night asks of the rest of the node."""

    def __init__(self) -> None:
        self.orders: list[NightOrder] = []
        self.alarms: list[str] = []
        self.waiting = False

    def outside(self) -> Outside:
        return Outside(self.orders.append, lambda: self.waiting, lambda *words: self.alarms.append(words[1]))


@pytest.fixture
def world() -> World:
    return World()


def nights(folder: Path, world: World, program: str = DONE, **settings: Any) -> Nights:
    about = Settings(**{"adapt": True, "daily_at": time(21, 0), **settings})
    configuration = Configuration(node=Node(ae_title="NODE", data_dir=folder), nights=about)
    return Nights(configuration, world.outside(), (sys.executable, "-c", program))


def run_of(folder: Path, name: str = "2026-03-10") -> Any:
    return Runs(folder / "adaptation" / "runs").run(name)


def test_night_is_ordered_under_its_date(tmp_path: Path, world: World) -> None:
    """The order's name is the same whoever gives it, so that the engine takes it once."""
    for _ in range(2):
        nights(tmp_path, world).begin(EVENING)

    assert world.orders == [FIRST, FIRST]


@pytest.mark.parametrize("settings", [{"adapt": False}, {"daily_at": time(23, 0)}, {"late_h": 0.01}])
def test_night_that_is_not_wanted_or_not_due_is_not_ordered(tmp_path: Path, world: World, settings: Any) -> None:
    """Off, before its time, or too late."""
    assert nights(tmp_path, world, **settings).begin(EVENING) == ""
    assert world.orders == []


def test_night_that_has_begun_is_not_ordered_again(tmp_path: Path, world: World) -> None:
    """Where the clock is set back a day, and where it goes on from there to the same date again."""
    node = nights(tmp_path, world)
    for day in (0, 1):
        run_of(tmp_path, f"2026-03-{10 + day}").keep("end", {"at": EVENING.isoformat()})

    for now in (EVENING, EVENING + timedelta(days=1), EVENING, EVENING + timedelta(days=1)):
        node.begin(now)

    assert world.orders == []


def test_turn_that_ends_the_run_is_the_last(tmp_path: Path, world: World) -> None:
    """A refused candidate is no alarm."""
    assert nights(tmp_path, world).turn(FIRST) == "ended"
    assert world.orders == []
    assert world.alarms == []


def test_turn_that_does_not_end_the_run_orders_the_next(tmp_path: Path, world: World) -> None:
    """One at a time, so that clinical work comes between."""
    assert nights(tmp_path, world, "").turn(FIRST) == "goes on"
    assert world.orders == [NightOrder("NODE", "2026-03-10", 2)]


def test_turn_is_asked_to_give_way_to_a_series_that_waits(tmp_path: Path, world: World) -> None:
    """The child process sees a file, and ends with its step."""
    world.waiting = True

    assert nights(tmp_path, world, WAITS).turn(FIRST) == "goes on"


def test_turn_is_asked_to_end_when_the_daemon_stops(tmp_path: Path, world: World) -> None:
    """Its checkpoint is kept, and the next turn is in the database for the next start."""
    node = nights(tmp_path, world, WAITS)
    node.pause()

    assert node.turn(FIRST) == "goes on"
    assert world.orders[0].turn == 2


def test_process_that_only_fails_ends_the_run_with_an_alarm(tmp_path: Path, world: World) -> None:
    """Five times in a row; the model in service is not touched."""
    node = nights(tmp_path, world, "import sys; sys.exit(9)")
    outcomes = [node.turn(NightOrder("NODE", "2026-03-10", turn)) for turn in range(1, FAILURES + 1)]

    assert outcomes == ["goes on"] * (FAILURES - 1) + ["ended"]
    assert {order.delay_s for order in world.orders} == {60.0}
    assert run_of(tmp_path).read("end")["outcome"] == "stopped"
    assert world.alarms == ["the run 2026-03-10 was stopped: the adapting process ended unexpectedly (exit code 9)"]


def test_failure_that_passes_is_forgotten(tmp_path: Path, world: World) -> None:
    """A turn that went well counts from the beginning again."""
    nights(tmp_path, world, "import sys; sys.exit(9)").turn(FIRST)
    nights(tmp_path, world, "").turn(FIRST)

    assert not (run_of(tmp_path).folder / "failures").exists()


def test_process_of_a_daemon_that_died_is_waited_for(tmp_path: Path, world: World) -> None:
    """It ends with its step; that is no failure."""
    assert nights(tmp_path, world, "import sys; sys.exit(75)").turn(FIRST) == "another process is at it"
    assert world.orders == [NightOrder("NODE", "2026-03-10", 2, delay_s=60.0)]


def test_candidate_is_an_alarm(tmp_path: Path, world: World) -> None:
    """A person has to look at the dossier."""
    run_of(tmp_path).keep("register", {"digest": "ab" * 32, "what": "added"})
    done = ENDS.format({"at": "2026-03-10T23:00:00+00:00", "outcome": "done", "text": "passed; added"})

    nights(tmp_path, world, done).turn(FIRST)

    assert world.alarms == [
        "the run 2026-03-10 made a candidate: passed; added; `dicomnode adapt show 2026-03-10` says more"
    ]


def test_one_process_adapts(tmp_path: Path) -> None:
    """A second one is refused."""
    with held(tmp_path), pytest.raises(AlreadyRunning), held(tmp_path):
        pass
