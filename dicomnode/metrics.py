"""The node in numbers for Prometheus: on a loopback port, or in a file for node_exporter's textfile collector.

Labels are states, reasons and names of the configuration; nothing that comes out of a data set is one.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry, Histogram, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from dicomnode import __version__
from dicomnode.audit.syslog import sent_until
from dicomnode.config import Metrics
from dicomnode.disk import room_of
from dicomnode.errors import ConfigurationError, LedgerUnavailable, NodeError
from dicomnode.models import names_in_service
from dicomnode.node import Books
from dicomnode.series import State
from dicomnode.visits import Visits
from segmentation.errors import BundleError

log = structlog.get_logger(__name__)

LOOPBACK = "127.0.0.1"
LATENCY_BOUNDS_S = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)  # to the 24 h after which one is given up
WAITING = (State.RECEIVING, State.COMPLETE, State.CONTOURED)
SECONDS_PER_DAY = 86400.0

Name = TypeVar("Name", bound=str)

Expiries = Callable[[], Mapping[str, datetime]]
"""Tells of each certificate, by what it is for, when it ends."""


class NodeCollector(Collector):
    """Reads ledger, disk and counters when it is asked.

    Args:
        books: of the node.
        visits: what came since the start.
        expiries: of the certificates in use.
        clock: the present time in UTC.
    """

    def __init__(
        self,
        books: Books,
        visits: Visits,
        expiries: Expiries = dict,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._books = books
        self._visits = visits
        self._expiries = expiries
        self._now = clock

    def describe(self) -> list[Metric]:
        """Return nothing: the registry would otherwise read everything when it is put together."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; those of the ledger only where it can be asked."""
        yield InfoMetricFamily("dicomnode", "Release of the node.", value={"version": __version__})
        yield from self._of_visits()
        yield from self._of_disk()
        yield from self._of_models()
        yield from self._of_certificates()
        try:
            of_ledger = list(self._of_ledger())
        except LedgerUnavailable:
            of_ledger = []
        yield GaugeMetricFamily("dicomnode_ledger_up", "Whether the ledger can be asked.", value=bool(of_ledger))
        yield from of_ledger

    def _of_visits(self) -> Iterator[Metric]:
        visits = self._visits
        yield GaugeMetricFamily(
            "dicomnode_associations_open", "Associations that are open.", value=visits.open_associations
        )
        yield _counter("dicomnode_associations", "Associations since the start.", "outcome", visits.associations)
        text = "Instances that a peer was told are kept, since the start."
        yield _counter("dicomnode_instances_received", text, "peer", visits.received)
        yield _counter("dicomnode_instances_refused", "Instances refused since the start.", "reason", visits.refused)

    def _of_disk(self) -> Iterator[Metric]:
        try:
            room = room_of(self._books.configuration.node.data_dir)
        except OSError:
            return
        yield GaugeMetricFamily("dicomnode_disk_free_bytes", "Free space where the data folder is.", value=room.free)
        yield GaugeMetricFamily("dicomnode_disk_size_bytes", "Size of that file system.", value=room.total)

    def _of_models(self) -> Iterator[Metric]:
        found = GaugeMetricFamily(
            "dicomnode_model_info",
            "Models in service; 0 where one cannot be used.",
            labels=["model", "version", "digest"],
        )
        shadows = GaugeMetricFamily(
            "dicomnode_shadow_model_info",
            "Versions that contour unseen beside the model in service.",
            labels=["model", "version", "digest"],
        )
        for name in names_in_service(self._books.configuration):
            try:
                model, shadow = self._books.examiner.model_named(name), self._books.examiner.models.shadow_of(name)
            except (BundleError, ConfigurationError):
                found.add_metric([name, "", ""], 0)
            else:
                found.add_metric([name, model.manifest.version, model.digest[:12]], 1)
                if shadow:
                    shadows.add_metric([name, shadow.manifest.version, shadow.digest[:12]], 1)
        yield found
        yield shadows

    def _of_certificates(self) -> Iterator[Metric]:
        days = {name: (end - self._now()).total_seconds() / SECONDS_PER_DAY for name, end in self._expiries().items()}
        yield _gauge("dicomnode_certificate_days", "Days until a certificate ends.", "certificate", days)

    def _of_ledger(self) -> Iterator[Metric]:
        ledger = self._books.ledger
        yield _gauge("dicomnode_series", "Series by state.", "state", ledger.series_counts())
        oldest = ledger.oldest_arrival(WAITING)
        age = (self._now() - oldest).total_seconds() if oldest else 0.0
        text = "How long the series that waits longest for its structure set has been quiet; 0 if none waits."
        yield GaugeMetricFamily("dicomnode_queue_age_seconds", text, value=max(age, 0.0))
        yield _gauge("dicomnode_deliveries", "Deliveries by state.", "state", ledger.delivery_counts())
        yield _gauge(
            "dicomnode_alarms_open", "Alarms that nobody has acknowledged.", "kind", ledger.open_alarm_counts()
        )
        written, settings = self._books.trail.count(), self._books.configuration
        yield CounterMetricFamily("dicomnode_audit_records", "Audit records ever written.", value=written)
        if settings.audit.syslog_transport:
            waiting = written - sent_until(settings.node.data_dir / "audit" / "sent")
            yield GaugeMetricFamily("dicomnode_audit_waiting", "Audit records not sent yet.", value=max(waiting, 0))


class Latencies(Collector):
    """How long deliveries took, from their order to the peer's success: those that succeeded since the start.

    Args:
        books: of the node.
        clock: the present time in UTC.
    """

    def __init__(self, books: Books, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._books = books
        self._seen = clock()
        self._lock = threading.Lock()
        text = "From the order of a delivery to the peer's success."
        self._histogram = Histogram("dicomnode_delivery_seconds", text, buckets=LATENCY_BOUNDS_S, registry=None)

    def describe(self) -> list[Metric]:
        """Return nothing, as `NodeCollector`."""
        return []

    def collect(self) -> list[Metric]:
        """Count what succeeded since the last time, and return all."""
        with self._lock:
            try:
                sent = self._books.ledger.sent_after(self._seen)
            except LedgerUnavailable:
                sent = []
            for created, finished in sent:
                self._histogram.observe((finished - created).total_seconds())
                self._seen = max(self._seen, finished)
        return list(self._histogram.collect())


class MetricsPage:
    """Offers the metrics as the configuration wants them.

    Args:
        settings: of the configuration.
        collectors: of the metrics.
    """

    def __init__(self, settings: Metrics, *collectors: Collector) -> None:
        self._settings = settings
        self._registry = CollectorRegistry()
        for collector in collectors:
            self._registry.register(collector)
        self._stop = threading.Event()
        self._close_port: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._write_again_and_again, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to offer them.

        Raises:
            NodeError: if the port cannot be bound.
        """
        if self._settings.port:
            try:
                server, thread = start_http_server(self._settings.port, LOOPBACK, self._registry)
            except OSError as error:
                text = f"metrics.port {self._settings.port} cannot be listened on: {error.strerror}"
                raise NodeError(text) from error

            def close() -> None:
                server.shutdown()
                server.server_close()
                thread.join()

            self._close_port = close
        if self._settings.textfile:
            self._thread.start()

    def close(self) -> None:
        """Offer them no more; the file stays as it is."""
        self._close_port()
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def write(self, path: Path) -> None:
        """Write them once, readable for everybody on this machine.

        Raises:
            OSError: the folder cannot be written to.
        """
        write_to_textfile(str(path), self._registry)
        path.chmod(0o644)  # node_exporter runs as another user

    def _write_again_and_again(self) -> None:
        in_trouble = False
        while not self._stop.is_set():
            try:
                self.write(Path(self._settings.textfile))
            except OSError as error:
                if not in_trouble:
                    log.warning("the metrics cannot be written", reason=error.strerror)
                in_trouble = True
            else:
                in_trouble = False
            self._stop.wait(self._settings.every_s)


def _gauge(name: str, text: str, label: str, values: Mapping[Name, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def _counter(name: str, text: str, label: str, values: Mapping[Name, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
