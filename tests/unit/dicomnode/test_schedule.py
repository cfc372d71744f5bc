"""The daily constancy test."""

import threading
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from dicomnode.config import Configuration, Contouring, Node
from dicomnode.contourer import Contourer
from dicomnode.errors import ContouringError
from dicomnode.routing import Rule
from dicomnode.schedule import Appointment, Schedule, constancy_test
from tests.support.books import Clock, Orders, open_ledger
from tests.support.small_bundle import write_small_bundle


class Golden(Contourer):
    """Answers as the contouring process would."""

    def __init__(self, answer: dict[str, Any] | ContouringError) -> None:
        super().__init__(timeout_s=1)
        self.answer = answer

    def ask(self, _request: dict[str, Any]) -> dict[str, Any]:
        if isinstance(self.answer, ContouringError):
            raise self.answer
        return {"device": "cpu", "is_first": False, "dice": {"Brainstem": 1.0}, "faults": [], **self.answer}


def configuration(folder: Path, bundle: str = "small") -> Configuration:
    write_small_bundle(folder / "bundles" / "small")
    return Configuration(
        node=Node(data_dir=folder),
        contouring=Contouring(bundle_dirs=(folder / "bundles",)),
        rules=(Rule("planning CT", "contour", bundle=bundle),),
    )


@pytest.mark.parametrize(
    ("answer", "alarms"),
    [
        ({}, []),
        (
            {"faults": ["Brainstem: DSC 0.5"]},
            ["model small does not draw the golden case as it did: Brainstem: DSC 0.5"],
        ),
        (ContouringError("it hangs"), ["the golden case of model small could not be tried: it hangs"]),
    ],
)
def test_only_what_differs_is_an_alarm(tmp_path: Path, answer: Any, alarms: list[str]) -> None:
    """A model that draws the golden case as before is silent."""
    ledger = open_ledger(tmp_path, Clock(), Orders())

    constancy_test(configuration(tmp_path), Golden(answer), ledger)

    assert [alarm.text for alarm in ledger.alarms()] == alarms


def test_a_model_that_is_gone_is_an_alarm(tmp_path: Path) -> None:
    """It would hold every series that comes."""
    ledger = open_ledger(tmp_path, Clock(), Orders())

    constancy_test(configuration(tmp_path, "gone"), Golden({}), ledger)

    assert "there is no model gone" in ledger.alarms()[0].text


def test_the_job_is_done_at_its_time() -> None:
    """A minute that has just begun is made up for, as after a short sleep of the machine."""
    fired = threading.Event()
    at = (datetime.now().astimezone() + timedelta(minutes=1)).time()
    schedule = Schedule(Appointment("one", time(at.hour, at.minute), fired.set))

    schedule.start()
    next_run = schedule.next_run("one")
    schedule.stop()

    assert next_run is not None
    assert (next_run.hour, next_run.minute) == (at.hour, at.minute)
