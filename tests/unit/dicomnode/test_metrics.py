"""The metrics are text that Prometheus reads, say what is, and name no patient."""

import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dicomnode.audit.message import Event
from dicomnode.config import Configuration, Metrics, Node
from dicomnode.errors import NodeError, NotUnderstood
from dicomnode.metrics import Latencies, MetricsPage, NodeCollector
from dicomnode.node import Books
from dicomnode.visits import Visits
from tests.support.books import instance, new_result
from tests.support.instances import CANARY_ID, CANARY_NAME, SERIES, STUDY
from tests.support.node import free_port

NOW = datetime.now(UTC)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books.open(Configuration(node=Node(data_dir=tmp_path / "data")), create=True)
    yield books
    books.close()


@pytest.fixture
def visits() -> Visits:
    told: list[Event] = []
    return Visits("DICOMNODE", told.append)


def page(books: Books, visits: Visits, settings: Metrics | None = None) -> MetricsPage:
    """Return the metrics of a node."""
    expiries = {"receiver": NOW + timedelta(days=30.5)}
    collector = NodeCollector(books, visits, lambda: expiries, lambda: NOW + timedelta(minutes=1))
    return MetricsPage(settings or Metrics(), collector, Latencies(books, lambda: NOW - timedelta(hours=1)))


def read(made: MetricsPage, folder: Path) -> dict[str, float]:
    """Return every sample by its name and labels, as Prometheus' own parser reads them."""
    made.write(folder / "node.prom")
    families = list(text_string_to_metric_families((folder / "node.prom").read_text()))
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {
        f"{sample.name}{''.join(f' {label}' for label in sample.labels.values())}": sample.value
        for family in families
        for sample in family.samples
    }


def test_what_is_counted_is_said(books: Books, visits: Visits, tmp_path: Path) -> None:
    """Associations, refusals, series, deliveries, alarms, disk, models and certificates have their samples."""
    visits.accepted("a", "TPS", "192.0.2.7")
    visits.rejected("X", "192.0.2.9", "it is no peer")
    visits.refused_one("a", NotUnderstood("cut off"))
    books.ledger.note_instance(instance(1, NOW))
    [record] = books.ledger.series_in()
    books.ledger.raise_alarm("disk", "it fills", "disk")

    found = read(page(books, visits), tmp_path)

    expected = {
        "dicomnode_associations_open": 1,
        "dicomnode_associations_total rejected": 1,
        "dicomnode_instances_refused_total not understood": 1,
        "dicomnode_instances_refused_total no space": 0,
        "dicomnode_series receiving": 1,
        "dicomnode_series sent": 0,
        "dicomnode_queue_age_seconds": 60,
        "dicomnode_alarms_open disk": 1,
        "dicomnode_certificate_days receiver": 30.5 - 1 / 1440,
        "dicomnode_ledger_up": 1,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["dicomnode_disk_size_bytes"] > found["dicomnode_disk_free_bytes"] > 0
    assert [
        value for name, value in found.items() if name.startswith("dicomnode_model_info") and "starter" in name
    ] == [1]
    assert record.state == "receiving"


def test_how_long_deliveries_took(books: Books, visits: Visits, tmp_path: Path) -> None:
    """Each success is counted once, however often the metrics are read."""
    books.ledger.note_instance(instance(1, NOW))
    [record] = books.ledger.series_in()
    books.ledger.complete(record.id, "digest")
    result = books.ledger.note_result(new_result(record.id, 1), ["TPS", "PACS"])
    made = page(books, visits)
    counts = []
    for delivery in books.ledger.deliveries(result_id=result.id):
        books.ledger.note_sent(delivery.id, 0, "")
        counts.append([read(made, tmp_path)["dicomnode_delivery_seconds_count"] for _ in range(2)])

    assert counts == [[1, 1], [2, 2]]
    assert read(made, tmp_path)["dicomnode_delivery_seconds_bucket 10.0"] == 2


def test_nothing_of_a_data_set_is_a_label(books: Books, visits: Visits, tmp_path: Path) -> None:
    """Who is who and which series is which stays out."""
    books.ledger.note_instance(instance(1, NOW, series=SERIES, study_instance_uid=STUDY))
    visits.rejected(CANARY_ID, CANARY_NAME, SERIES)

    made = page(books, visits)
    made.write(tmp_path / "node.prom")

    text = (tmp_path / "node.prom").read_text()
    assert [word for word in (*CANARY_NAME.split("^"), CANARY_ID, SERIES, STUDY) if word in text] == []


def test_a_ledger_that_is_away_takes_only_its_own_metrics_with_it(visits: Visits, tmp_path: Path) -> None:
    """The counters and the disk are still there, and the ledger is said to be down."""
    books = Books.open(Configuration(node=Node(data_dir=tmp_path / "data")), create=True)
    books.engine.dispose()
    (tmp_path / "data" / "dicomnode.sqlite").unlink()
    (tmp_path / "data" / "dicomnode.sqlite").mkdir()

    found = read(page(books, visits), tmp_path)

    assert (found["dicomnode_ledger_up"], found["dicomnode_associations_open"]) == (0, 0)
    assert "dicomnode_series sent" not in found


def test_prometheus_reads_them_on_loopback(books: Books, visits: Visits) -> None:
    """The port answers on 127.0.0.1, and is free again when the node has stopped."""
    port = free_port()
    for _ in range(2):
        made = page(books, visits, Metrics(port=port))
        made.start()
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        made.close()

        assert "dicomnode_associations_open 0.0" in text


def test_a_port_that_is_taken_is_said(books: Books, visits: Visits) -> None:
    """The operator reads which key is wrong."""
    port = free_port()
    first, second = (page(books, visits, Metrics(port=port)) for _ in range(2))
    first.start()

    with pytest.raises(NodeError, match=f"metrics.port {port}"):
        second.start()
    first.close()


def test_the_file_is_written_again_and_again(books: Books, visits: Visits, tmp_path: Path) -> None:
    """Everybody on the machine can read it, and it follows what happens."""
    file = tmp_path / "node.prom"
    made = page(books, visits, Metrics(textfile=str(file), every_s=0.05))
    made.start()
    visits.accepted("a", "TPS", "192.0.2.7")
    deadline = time.monotonic() + 20
    while not file.exists() or "dicomnode_associations_open 1.0" not in file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    made.close()

    assert stat.S_IMODE(file.stat().st_mode) == 0o644
