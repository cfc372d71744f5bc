"""The life of the node: put together, started, watched, drained and stopped."""

import fcntl
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

import structlog

from dicomnode import scp, scu
from dicomnode.adoption import adopt
from dicomnode.alarms import AlarmBell
from dicomnode.approvals import Approvals, CaseFolder
from dicomnode.assurance import Assurance, Calling
from dicomnode.audit.auditor import AuditQueue
from dicomnode.audit.message import Event, Kind, Party, Role
from dicomnode.audit.syslog import Forwarder
from dicomnode.children import build_contourer, build_filer, child_environment
from dicomnode.commitment_scp import CommitmentScp
from dicomnode.config import Configuration
from dicomnode.contour_watch import ContourWatch, draw_in_child
from dicomnode.disk import DiskGuard
from dicomnode.errors import AlreadyRunning, LedgerUnavailable, NodeError
from dicomnode.feeding import Feeding
from dicomnode.fetching import CtFetcher
from dicomnode.going_back import go_back
from dicomnode.handover import Handover
from dicomnode.jobs import Jobs
from dicomnode.log import Pseudonyms, Scrub
from dicomnode.metrics import Latencies, MetricsPage, NodeCollector
from dicomnode.nights import Nights, Outside
from dicomnode.node import (
    Books,
    case_store,
    certificate_files,
    open_intake,
    open_key,
    repository_of,
    timeouts_of,
    watermarks_of,
)
from dicomnode.notify import notify, passed_sockets, watchdog_interval_s
from dicomnode.peers import Peer
from dicomnode.pixel_decoder import PixelDecoder
from dicomnode.registrar import Registrar
from dicomnode.schedule import Appointment, Schedule, constancy_test, purge_by_rules
from dicomnode.scp import Receiver, SecurePort
from dicomnode.scu import SendOutcome
from dicomnode.shadowing import Shadowing
from dicomnode.spool import Spool, make_directory
from dicomnode.swapping import tell_changes
from dicomnode.tls.certificates import Certificates, CertificateWatch
from dicomnode.trash import Trash
from dicomnode.visits import Visits
from dicomnode.watch import Watch
from dicomnode.workflows import DurableEngine
from segmentation.review import ReviewLimits

log = structlog.get_logger(__name__)

TURN_S = 1.0  # between two looks at what went quiet; adds at most so much to the quiet time
RECONCILE_EVERY = timedelta(seconds=30)
LOCK_ATTEMPTS, LOCK_WAIT_S = 5, 0.1
DRAIN_S = 60.0  # for work that is under way when the daemon is told to stop
ADOPTION_S = 600.0  # for the rows of files that have none
ASSOCIATIONS_S = 3.0  # of these for associations: what is not acknowledged then is sent again by its peer


def hold_data_folder(data_dir: Path) -> TextIO:
    """Return the lock of a data folder: a second daemon would do the first one's work again.

    Raises:
        AlreadyRunning: if another process has it.
    """
    lock = (data_dir / "lock").open("w")
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_WAIT_S)  # `status` holds it for the blink of an eye, to see whether a daemon runs
        else:
            return lock
    lock.close()
    raise AlreadyRunning(f"another daemon works on {data_dir}")


class Daemon:
    """A running node.

    Args:
        configuration: of the node.
        drain_s: how long running work may take to end when it stops.

    Raises:
        NodeError: if it cannot start, in the operator's words.
    """

    def __init__(self, configuration: Configuration, *, drain_s: float = DRAIN_S) -> None:
        self._configuration = configuration
        self._drain_s = drain_s
        self._stop = threading.Event()
        tls = configuration.tls
        self._certificates = Certificates(certificate_files(tls)) if tls.is_on else None
        data_dir = configuration.node.data_dir
        try:
            make_directory(data_dir)
            self._lock = hold_data_folder(data_dir)
        except OSError as error:
            raise NodeError(f"the data folder {data_dir} cannot be used: {error.strerror}") from error
        pseudonyms = Pseudonyms(open_key(configuration))
        self._bell = AlarmBell(configuration.alarms, Scrub(pseudonyms).clean)
        self._books = Books.open(configuration, create=True, on_alarm=self._bell.ring)
        self._audit = AuditQueue(self._books.auditor, partial(self._raise_calmly, "audit"))
        self._visits = Visits(configuration.node.ae_title, self._audit.tell)
        self._forwarder = self._build_forwarder()
        for remark in self._books.examiner.structures.remarks():
            log.warning("a ROI name is the site's own", remark=remark)
        self._feeding = Feeding()
        self._registrar = Registrar(self._books.ledger, Spool(data_dir).digest_of)
        self._pixels = PixelDecoder()
        self._contourer = build_contourer(configuration)
        self._shadowing = self._build_shadowing()
        self._jobs = self._build_jobs()
        self._watch = Watch(
            self._books.ledger,
            self._books.examiner,
            is_fed=lambda uid: self._feeding.is_fed(uid) or self._registrar.has_waiting(uid),
            is_under_way=self._books.queue.is_under_way,
            quiet=timedelta(seconds=configuration.receiving.quiet_s),
            pseudonyms=self._books.pseudonyms,
        )
        self._disk = DiskGuard(data_dir, watermarks_of(configuration.receiving), self._books.ledger.raise_alarm)
        self._certificate_watch: CertificateWatch | None = None
        if self._certificates is not None:
            self._certificate_watch = CertificateWatch(
                self._certificates, self._books.ledger.raise_alarm, tls.alarm_days
            )
        self._metrics = MetricsPage(
            configuration.metrics,
            NodeCollector(self._books, self._visits, self._certificates.ends if self._certificates else dict),
            Latencies(self._books),
        )
        self._commitment = CommitmentScp(configuration.peers, self._books.ledger.note_commitment_request)
        self._filer = build_filer(configuration)
        self._fetcher = CtFetcher(self._books, settle=partial(self._registrar.settle, ADOPTION_S))
        self._approvals = self._build_approvals()
        self._nights = self._build_nights()
        self._engine = DurableEngine(
            self._books.engine,
            self._jobs,
            self._build_assurance(),
            self._approvals,
            self._nights,
            shadows=self._shadowing,
        )
        self._receiver: Receiver | None = None
        self._schedule = Schedule(
            Appointment("constancy", configuration.checking.daily_at, self._test_constancy),
            Appointment(
                "purge", configuration.retention.daily_at, partial(purge_by_rules, self._books, self._audit.tell)
            ),
            Appointment("contours", configuration.watching.daily_at, self._look_at_contours),
            Appointment("night", configuration.nights.daily_at, self._begin_night),
        )

    def _build_jobs(self) -> Jobs:
        configuration = self._configuration
        tls = self._certificates.calling if self._certificates else None
        timeouts = timeouts_of(configuration.delivering, tls)

        def send(peer: Peer, path: Path) -> SendOutcome:
            return scu.send(peer, [path], configuration.node.ae_title, timeouts)

        return Jobs(
            self._books.ledger,
            self._books.examiner,
            self._contourer,
            Handover(send, configuration.node.ae_title, self._audit.tell),
            peers=configuration.peers,
            delivering=configuration.delivering,
            device=configuration.contouring.device,
            engine=configuration.contouring.engine,
            review=ReviewLimits(configuration.contouring.hold_below_dsc, configuration.contouring.hold_implausible),
            data_dir=configuration.node.data_dir,
            pseudonyms=self._books.pseudonyms,
            after_delivery=self._shadowing.orders_after,
        )

    def _build_shadowing(self) -> Shadowing:
        return Shadowing(
            self._books.ledger,
            self._books.examiner,
            self._contourer,
            device=self._configuration.contouring.device,
            engine=self._configuration.contouring.engine,
            data_dir=self._configuration.node.data_dir,
            pseudonyms=self._books.pseudonyms,
        )

    def _build_assurance(self) -> Assurance:
        configuration, delivering = self._configuration, self._configuration.delivering
        tls = self._certificates.calling if self._certificates else None
        assurance = Assurance(
            self._books.ledger,
            configuration.peers,
            Calling(configuration.node.ae_title, timeouts_of(delivering, tls), delivering, self._audit.tell),
            configuration.node.data_dir,
            find_instance=self._registrar.find_instance,
            tell_here=self._commitment.tell_here,
        )
        self._commitment.report_to(assurance)
        return assurance

    def _build_approvals(self) -> Approvals:
        configuration, books = self._configuration, self._books
        folder = CaseFolder(
            configuration.node.data_dir,
            case_store(configuration).folder,
            books.examiner.structures,
            configuration.receiving.minimum_slices,
        )
        return Approvals(
            books.ledger,
            self._filer,
            self._fetcher,
            folder=folder,
            settings=configuration.adaptation,
            pseudonyms=books.pseudonyms,
            has_in_hand=books.queue.has_in_hand,
        )

    def _build_nights(self) -> Nights:
        queue, ledger = self._books.queue, self._books.ledger
        environment = child_environment(self._configuration)
        outside = Outside(
            queue.order, queue.is_clinical_waiting, ledger.raise_alarm, self._tell_of_changes, environment=environment
        )
        return Nights(self._configuration, outside)

    def _tell_of_changes(self) -> None:
        """Tell the audit what was done to the models in service by whoever could not: a night's run, who was killed."""
        try:
            tell_changes(self._books, tell=self._books.auditor.write)
        except (OSError, LedgerUnavailable) as error:
            log.warning("the audit is told of changes of the models later", reason=type(error).__name__)

    def _build_forwarder(self) -> Forwarder | None:
        repository = repository_of(self._configuration.audit)
        if repository is None:
            return None
        cursor = self._configuration.node.data_dir / "audit" / "sent"
        return Forwarder(self._books.trail, repository, cursor, partial(self._raise_calmly, "repository"))

    def _raise_calmly(self, kind: str, text: str) -> None:
        """Raise an alarm from a thread that must go on where the ledger is away too."""
        try:
            self._books.ledger.raise_alarm(kind, text, kind)
        except LedgerUnavailable as error:
            log.error("an alarm could not be kept", kind=kind, text=text, reason=str(error))  # noqa: TRY400

    def _tell_audit(self, kind: Kind) -> None:
        own = Party(self._configuration.node.ae_title, Role.APPLICATION, os.uname().nodename)
        self._audit.tell(Event(kind, datetime.now(UTC), (own,)))

    def start(self) -> None:
        """Make files and rows agree, take up interrupted work, and listen.

        Raises:
            NodeError: if the port cannot be bound.
        """
        configuration, receiving = self._configuration, self._configuration.receiving
        spool, intake = open_intake(
            configuration, self._registrar, self._feeding, self._pixels.digest, self._fetcher.fetched
        )
        Trash(configuration.node.data_dir).settle(self._books.ledger.known_paths())
        adopt(spool, self._books.ledger, intake)
        if not self._registrar.settle(ADOPTION_S):
            raise LedgerUnavailable("the rows of files that were found cannot be written")
        self._engine.start()
        tls, secure = configuration.tls, None
        if self._certificates is not None:
            secure = SecurePort(tls.port, tls.only, self._certificates.listening)
        self._receiver = scp.start(
            configuration.node,
            receiving,
            configuration.peers,
            intake,
            self._feeding,
            visits=self._visits,
            secure=secure,
            more=self._commitment.handlers(),
            listening=passed_sockets(),
        )
        self._schedule.start()
        self._metrics.start()
        self._tell_audit(Kind.APPLICATION_START)
        self._tell_of_changes()
        if self._forwarder is not None:
            self._forwarder.start()
        gc.collect()
        gc.freeze()  # what is here stays: the collector, which finds associations that are over, need not look at it
        ports = {"port": self._receiver.port, "tls_port": self._receiver.tls_port}
        log.info("the node is ready", ae_title=configuration.node.ae_title, **ports)
        notify("READY=1")

    def _test_constancy(self) -> None:
        constancy_test(self._configuration, self._contourer, self._books.ledger)

    def _look_at_contours(self) -> None:
        watch = ContourWatch(
            self._configuration,
            self._books.ledger.raise_alarm,
            self._bell.announce,
            draw_in_child,
            partial(go_back, self._books),
        )
        watch.step(datetime.now(UTC))
        self._tell_of_changes()

    def _begin_night(self) -> None:
        if name := self._nights.begin(datetime.now(UTC).astimezone()):
            log.info("a night of adaptation begins", run=name)

    def run(self) -> None:
        """Take turns until told to stop, then drain."""
        last_reconciled = datetime.min.replace(tzinfo=UTC)
        alive = _Heartbeat()
        while not self._stop.is_set():
            now = datetime.now(UTC)
            try:
                self._disk.step()
                if self._certificate_watch is not None:
                    self._certificate_watch.step(now)
                found = self._watch.step(now)
                if now - last_reconciled >= RECONCILE_EVERY or now < last_reconciled:
                    self._watch.reconcile(now)
                    self._approvals.reconcile()
                    self._begin_night()  # a machine that slept at the time makes up for it
                    last_reconciled = now
            except LedgerUnavailable as error:
                log.warning("the ledger cannot be used for the moment", reason=str(error))
                found = False
            alive.beat()
            if not found:
                self._stop.wait(TURN_S)
        self.stop()

    def stop(self) -> None:
        """Take nothing new, let what runs end for a while, and leave the rest to the next start."""
        notify("STOPPING=1")
        log.info("the node stops")
        deadline = time.monotonic() + self._drain_s
        self._schedule.stop()
        if self._receiver is not None:
            self._receiver.stop(grace_s=min(ASSOCIATIONS_S, self._drain_s / 2))
        self._registrar.close()
        self._nights.pause()
        # What is interrupted is not lost: the engine takes it up where it was.
        self._engine.stop(wait=timedelta(seconds=max(deadline - time.monotonic(), 0)))
        self._contourer.close()
        self._filer.close()
        self._nights.close()
        self._pixels.close()
        self._metrics.close()
        self._tell_audit(Kind.APPLICATION_STOP)
        self._audit.close()
        if self._forwarder is not None:
            self._forwarder.close()
        self._bell.close()
        self._books.close()
        self._lock.close()
        log.info("the node has stopped")

    def ask_to_stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Let `run` end; also a signal handler."""
        self._stop.set()

    def ask_to_reload(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Let `run` load the certificates anew; also a signal handler."""
        if self._certificate_watch is not None:
            self._certificate_watch.ask()

    @property
    def port(self) -> int:
        """The port that the node listens on."""
        if self._receiver is None:
            raise NodeError("the node does not listen yet")
        return self._receiver.port


class _Heartbeat:
    """Tells the service manager that the loop turns, as often as it wants to hear it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = watchdog_interval_s()
        self._clock = clock
        self._last = 0.0

    def beat(self) -> None:
        """Tell it, if it is time."""
        if self._every_s is not None and self._clock() - self._last >= self._every_s:
            notify("WATCHDOG=1")
            self._last = self._clock()


def run_until_signalled(configuration: Configuration) -> None:
    """Run a node until SIGTERM or SIGINT; SIGHUP loads its certificates anew.

    Raises:
        NodeError: if it cannot start.
    """
    daemon = Daemon(configuration)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, daemon.ask_to_stop)
    signal.signal(signal.SIGHUP, daemon.ask_to_reload)
    daemon.start()
    daemon.run()
    # A step that waits for a contouring process that was ended never returns, on purpose: its work is done again.
    os._exit(0)
