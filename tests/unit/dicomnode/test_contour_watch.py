"""The daily look at approved contours, on a folder of cases."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adaptation.limits import WatchLimits
from dicomnode.alarms import News
from dicomnode.cli import app
from dicomnode.config import Configuration, Node, Watching
from dicomnode.contour_watch import ContourWatch, cases_folder, draw_in_child, report_file
from tests.support.approvals import START, approvals, keep, steady
from tests.support.books import Clock, Orders, open_ledger

LOW = [*steady(100), *steady(5, mean=0.8)]
AFTER = START + timedelta(weeks=21, days=2)  # 4 June


class Told:
    """What the watch said and had drawn."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.drawn: list[str] = []

    def draw(self, _cases: Path, month: str, file: Path, _limits: WatchLimits) -> bool:
        self.drawn.append(month)
        file.write_text("a page")
        return True


def watch(folder: Path, told: Told, watching: Watching | None = None) -> ContourWatch:
    configuration = Configuration(node=Node(data_dir=folder), watching=watching or Watching())
    ledger = open_ledger(folder, Clock(), Orders())
    return ContourWatch(configuration, ledger.raise_alarm, told.news.append, told.draw)


def alarms(folder: Path) -> list[tuple[str, str, int]]:
    return [(one.kind, one.about, one.count) for one in open_ledger(folder, Clock(), Orders()).alarms()]


def test_a_concern_is_an_alarm_once(tmp_path: Path) -> None:
    """The same concern on the next day is counted up, and what may be done stands in the text."""
    keep(approvals(LOW), cases_folder(tmp_path))

    for day in (0, 1):
        watch(tmp_path, Told()).step(AFTER + timedelta(days=day))

    assert alarms(tmp_path) == [("drift", "Parotid_L", 2)]
    text = open_ledger(tmp_path, Clock(), Orders()).alarms()[0].text
    assert "physicians change more than before" in text
    assert "models rollback" in text


def test_a_steady_department_raises_nothing(tmp_path: Path) -> None:
    """Nor does a node that has no case yet."""
    watch(tmp_path, Told()).step(AFTER)
    keep(approvals(steady(105)), cases_folder(tmp_path))
    watch(tmp_path, Told()).step(AFTER)

    assert alarms(tmp_path) == []


def test_a_record_that_cannot_be_read_is_an_alarm(tmp_path: Path) -> None:
    """The watch does not go blind in silence."""
    keep(approvals(steady(1)), cases_folder(tmp_path))
    next(cases_folder(tmp_path).rglob("case.json")).write_text("{")

    watch(tmp_path, Told()).step(AFTER)

    assert [kind for kind, _, _ in alarms(tmp_path)] == ["watch"]


def test_the_report_of_a_month_is_made_once(tmp_path: Path) -> None:
    """On the first look after its end; people are told of it, and the next look makes none."""
    keep(approvals(LOW), cases_folder(tmp_path))
    told = Told()

    for day in range(3):
        watch(tmp_path, told).step(AFTER + timedelta(days=day))

    assert told.drawn == ["2025-05"]
    assert [(one.kind, one.page) for one in told.news] == [("report", report_file(tmp_path, "2025-05"))]


@pytest.mark.parametrize(
    ("watching", "now"), [(Watching(monthly_report=False), AFTER), (None, AFTER + timedelta(days=90))]
)
def test_no_report_is_made_of_nothing(tmp_path: Path, watching: Watching | None, now: object) -> None:
    """Where the site does not want one, or nothing came back in the month."""
    keep(approvals(LOW), cases_folder(tmp_path))
    told = Told()

    watch(tmp_path, told, watching).step(now)  # type: ignore[arg-type]

    assert told.drawn == []


def test_the_child_draws_the_page(tmp_path: Path) -> None:
    """By the site's limits; where it cannot, it says so and nothing is there."""
    keep(approvals(LOW), cases_folder(tmp_path))
    page = tmp_path / "page.html"

    assert draw_in_child(cases_folder(tmp_path), "2025-05", page, WatchLimits(baseline_least=30))
    assert "Approved contours of 2025-05" in page.read_text()
    assert not draw_in_child(cases_folder(tmp_path), "May", tmp_path / "none.html", WatchLimits())
    assert not (tmp_path / "none.html").exists()


def test_the_command_reports_a_month(tmp_path: Path) -> None:
    """As a page and as JSON; it ends with 3 because somebody must look at an organ."""
    keep(approvals(LOW), cases_folder(tmp_path))
    file = tmp_path / "dicomnode.toml"
    file.write_text(f'[node]\nhost = "127.0.0.1"\ndata_dir = "{tmp_path}"\n')
    page = tmp_path / "page.html"

    arguments = ["--config", str(file), "adapt", "report", "--month", "2025-06", "--out", str(page), "--json"]
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 3
    assert [one["kind"] for one in json.loads(result.stdout)["concerns"]] == ["drift"]
    assert page.exists()
