"""The durable work: contour, write and deliver, each step once, as DBOS runs them."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol
from uuid import uuid4

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions
from dbos._serialization import Serializer

from dicomnode.errors import NodeError
from dicomnode.records import (
    ApprovalOrder,
    ApprovalRecord,
    ContouringOrder,
    DeliveryOrder,
    NightOrder,
    Order,
    ProofOrder,
    SeriesRecord,
    ShadowOrder,
)

log = structlog.get_logger(__name__)

# Pinned by hand: with the default, a hash of the source, work in flight would wait for ever after an upgrade. A change
# of a workflow's steps goes through DBOS.patch.
WORKFLOW_VERSION = "wf-1"
APPLICATION = "dicomnode"
CONTOURING_RECOVERIES = 3  # a series that ends the daemon three times is set aside
DELIVERY_RECOVERIES = 50
FILING_RECOVERIES = 3
POLLING_S = 2.0  # each look at a queue costs some milliseconds, and an idle node should cost nothing
FILING_POLLING_S = 5.0  # nobody waits for a case
CLINICAL_PRIORITY = 10  # lower goes first, and what has none goes before all
SHADOW_PRIORITY = 100
NIGHT_PRIORITY = 1000
NIGHT_RECOVERIES = 10  # a turn goes on from its checkpoint: only one that ends the daemon again and again is given up
UNDER_WAY = frozenset({"ENQUEUED", "DELAYED", "PENDING"})

Values = dict[str, Any]


class Steps(Protocol):
    """What the workflows do; each is a plain function that a test calls without an engine."""

    def contour(self, series_id: int, generation: int) -> Values:
        """Draw the organs; return what `write` needs, or an outcome that ends the work."""

    def write(self, series_id: int, generation: int, contoured: Values) -> Values:
        """Write the structure set and order its deliveries."""

    def deliver(self, delivery_id: int, attempt: int) -> str:
        """Try once to hand a structure set over; a next try is ordered in the ledger."""

    def set_aside(self, series_id: int, generation: int, text: str) -> None:
        """Record that contouring failed."""


class Assurances(Protocol):
    """What the workflows do to be sure, and to make peers sure, that what was sent is kept."""

    def prove(self, delivery_id: int, attempt: int) -> str:
        """Ask a peer once whether it has kept what was delivered; a next time is ordered in the ledger."""

    def answer(self, request_id: int, attempt: int) -> str:
        """Tell a peer once what of its instances is kept; a next time is ordered in the ledger."""


class Learning(Protocol):
    """What the workflows do to learn from what physicians approved."""

    def file(self, approval_id: int, attempt: int) -> str:
        """Make a case of a structure set that came in, or say why not; a next time is ordered in the ledger."""

    def give_up(self, approval_id: int, text: str) -> None:
        """Record that no case could be made of it."""


class NightSteps(Protocol):
    """What the workflows do to adapt the model at night."""

    def turn(self, order: NightOrder) -> str:
        """Take a turn of a run, and order the next one unless the run has ended."""


class ShadowSteps(Protocol):
    """What the workflows do to see a candidate draw before it goes into service."""

    def contour_in_shadow(self, series_id: int, generation: int, digest: str) -> str:
        """Draw the organs of a delivered series by the version in the shadow, for nobody to see."""


class JsonSerializer(Serializer):
    """Keeps what the engine remembers as JSON: the default is pickle, which runs what it reads."""

    def serialize(self, data: Any) -> str:
        """Return the data as JSON; an exception as its text."""
        return json.dumps(data, default=lambda value: {"error": type(value).__name__, "text": str(value)})

    def deserialize(self, serialized_data: str) -> Any:
        """Return the data; what was an exception comes back as one."""
        value = json.loads(serialized_data)
        if isinstance(value, dict) and value.keys() == {"error", "text"}:
            return NodeError(value["text"])
        return value

    def name(self) -> str:
        """Return the name that the engine keeps beside each value."""
        return "dicomnode_json"


def create_engine_tables(engine: sa.Engine) -> None:
    """Bring the durable engine's own tables to its release's form, so that work can be ordered before it runs."""
    DBOS.migrate(_url_of(engine))


class WorkQueue:
    """Puts work into the durable engine within somebody's transaction; needs no running engine.

    Args:
        engine: of the database that the ledger is in.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._client = DBOSClient(
            system_database_engine=engine, serializer=JsonSerializer(), application_name=APPLICATION
        )

    def enqueue(self, connection: sa.Connection, order: Order) -> None:
        """Order a piece of work; the same order twice is one."""
        options, arguments = _work_of(order)
        self._client.enqueue_in_transaction(connection, options, *arguments)

    def order(self, order: Order) -> None:
        """Order a piece of work that no row stands for; the same order twice is one."""
        options, arguments = _work_of(order)
        self._client.enqueue(options, *arguments)

    def is_clinical_waiting(self) -> bool:
        """Whether a series waits to be contoured."""
        waiting = self._client.list_queued_workflows(
            queue_name="contour", name="contour_series", status="ENQUEUED", limit=1, load_input=False
        )
        return bool(waiting)

    def is_under_way(self, record: SeriesRecord) -> bool:
        """Whether the engine still has the work of a series' last generation before it or in hand."""
        found = self._client.list_workflows(
            workflow_ids=[_contouring_id(record.id, record.generation)], load_input=False, load_output=False
        )
        return any(workflow.status in UNDER_WAY for workflow in found)

    def has_in_hand(self, record: ApprovalRecord) -> bool:
        """Whether the engine still has the filing of an approval before it or in hand."""
        found = self._client.list_workflows(
            workflow_ids=[f"file:{record.id}:{record.attempt}"], load_input=False, load_output=False
        )
        return any(workflow.status in UNDER_WAY for workflow in found)

    def forget_orphans(
        self,
        series_ids: Callable[[], set[int]],
        delivery_ids: Callable[[], set[int]],
        approval_ids: Callable[[], set[int]],
    ) -> None:
        """Delete what the engine remembers of series, deliveries and approvals that the ledger has no more.

        Numbers may be given again: the work of a new series must not be taken for that of an old one.

        Args:
            series_ids: the numbers of all series, asked for after the engine's list, as new ones come meanwhile.
            delivery_ids: likewise of all deliveries.
            approval_ids: likewise of all approvals.
        """
        found = self._client.list_workflows(load_input=False, load_output=False)
        deliveries = delivery_ids()
        series = series_ids()
        owners = {
            "contour": series,
            "shadow": series,
            "deliver": deliveries,
            "prove": deliveries,
            "file": approval_ids(),
        }
        orphans = [
            workflow.workflow_id
            for workflow in found
            if (parts := workflow.workflow_id.split(":"))[0] in owners and int(parts[1]) not in owners[parts[0]]
        ]
        if orphans:
            self._client.delete_workflows(orphans)

    def cancel(self, record: SeriesRecord) -> None:
        """Take back the order to contour the last generation; a step that runs ends and nothing follows it."""
        self._client.cancel_workflow(_contouring_id(record.id, record.generation))

    def close(self) -> None:
        """Let go of the engine."""
        self._client.destroy()


class DurableEngine:
    """Runs the workflows in this process until it is stopped; there is one of it for each data folder.

    Args:
        engine: of the database that the ledger is in.
        steps: what the workflows do.
        assurances: what they do about storage commitment; none where nobody asks and is asked.
        learning: what they do with what was approved; none where nothing comes in.
        nights: what they do to adapt the model; none where nobody does.
        shadows: what they do in the shadow; none where nothing contours there.
    """

    def __init__(
        self,
        engine: sa.Engine,
        steps: Steps,
        assurances: Assurances | None = None,
        learning: Learning | None = None,
        nights: NightSteps | None = None,
        *,
        shadows: ShadowSteps | None = None,
    ) -> None:
        configuration: DBOSConfig = {
            "name": APPLICATION,
            "system_database_engine": engine,
            "system_database_url": _url_of(engine),
            "application_version": WORKFLOW_VERSION,
            "executor_id": APPLICATION,
            "serializer": JsonSerializer(),
            "enable_otlp": False,
            "log_level": logging.getLevelName(logging.WARNING),
        }
        DBOS(config=configuration)
        _register(steps)
        if assurances is not None:
            _register_assurances(assurances)
        if learning is not None:
            _register_learning(learning)
        if nights is not None:
            _register_nights(nights)
        if shadows is not None:
            _register_shadow(shadows)

    def start(self) -> None:
        """Create the engine's tables where they are missing, take up what was interrupted, and work the queues."""
        DBOS.launch()
        # One contouring at a time: the model fills the device. Deliveries never wait for each other.
        DBOS.register_queue("contour", worker_concurrency=1, polling_interval_sec=POLLING_S)
        DBOS.register_queue("deliver", polling_interval_sec=POLLING_S)
        # One case at a time, for one process files into the store; it needs no network, so contouring need not wait.
        DBOS.register_queue("file", worker_concurrency=1, polling_interval_sec=FILING_POLLING_S)

    def stop(self, *, wait: timedelta) -> None:
        """Take no new work and give what runs this time to end; what does not is taken up at the next start."""
        DBOS.destroy(workflow_completion_timeout_sec=round(wait.total_seconds()), destroy_registry=True)


def _work_of(order: Order) -> tuple[EnqueueOptions, tuple[Any, ...]]:
    """Return how the engine is told of an order, and what the workflow is called with."""
    if isinstance(order, NightOrder):
        # In the queue of the contouring, whose work goes first: the device is one.
        options = _options("adapt", "contour", f"adapt:{order.site}:{order.run}:{order.turn}")
        options["priority"] = NIGHT_PRIORITY
        if order.delay_s > 0:
            options["delay_seconds"] = order.delay_s
        return options, (order.site, order.run, order.turn, order.by, order.force)
    if isinstance(order, ShadowOrder):
        numbers = (order.series_id, order.generation, order.digest)
        options = _options("contour_in_shadow", "contour", f"shadow:{numbers[0]}:{numbers[1]}:{numbers[2]}")
        options["priority"] = SHADOW_PRIORITY
        return options, numbers
    if isinstance(order, ContouringOrder):
        identity = _contouring_id(order.series_id, order.generation)
        options = _options("contour_series", "contour", identity)
        options["priority"] = CLINICAL_PRIORITY
        return options, (order.series_id, order.generation)
    queue = "deliver"
    if isinstance(order, ApprovalOrder):
        name, kind, number, queue = "file_approval", "file", order.approval_id, "file"
    elif isinstance(order, DeliveryOrder):
        name, kind, number = "deliver_structure_set", "deliver", order.delivery_id
    elif isinstance(order, ProofOrder):
        name, kind, number = "prove_delivery", "prove", order.delivery_id
    else:
        # An answered request's row goes at once and its number is given again: its work has a name of its own.
        name, kind, number = "answer_commitment", f"commitment-{uuid4().hex}", order.request_id
    options = _options(name, queue, f"{kind}:{number}:{order.attempt}")
    if order.delay_s > 0:
        options["delay_seconds"] = order.delay_s  # a row that waits costs nothing, a workflow that sleeps a thread
    return options, (number, order.attempt)


def _options(workflow: str, queue: str, identity: str) -> EnqueueOptions:
    return {
        "workflow_name": workflow,
        "queue_name": queue,
        "workflow_id": identity,
        "app_version": WORKFLOW_VERSION,
    }


def _contouring_id(series_id: int, generation: int) -> str:
    # The same id would return the old workflow, so that late slices were never contoured: the generation is part of it.
    return f"contour:{series_id}:{generation}"


def _url_of(engine: sa.Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def _register(steps: Steps) -> None:
    step = _recorded

    @DBOS.workflow(name="contour_series", max_recovery_attempts=CONTOURING_RECOVERIES)
    def contour_series(series_id: int, generation: int) -> str:
        contoured = step("contour", steps.contour, series_id, generation)
        if contoured["outcome"] == "done":
            contoured = step("write", steps.write, series_id, generation, contoured)
        if contoured["outcome"] == "failed":
            step("set aside", steps.set_aside, series_id, generation, contoured["text"])
        return str(contoured["outcome"])

    @DBOS.workflow(name="deliver_structure_set", max_recovery_attempts=DELIVERY_RECOVERIES)
    def deliver_structure_set(delivery_id: int, attempt: int) -> str:
        return str(step("deliver", steps.deliver, delivery_id, attempt))


def _register_shadow(steps: ShadowSteps) -> None:
    @DBOS.workflow(name="contour_in_shadow", max_recovery_attempts=CONTOURING_RECOVERIES)
    def contour_in_shadow(series_id: int, generation: int, digest: str) -> str:
        return str(_recorded("shadow", steps.contour_in_shadow, series_id, generation, digest))


def _register_nights(steps: NightSteps) -> None:
    @DBOS.workflow(name="adapt", max_recovery_attempts=NIGHT_RECOVERIES)
    def adapt(site: str, run: str, turn: int, by: str, force: bool) -> str:
        return str(_recorded("turn", steps.turn, NightOrder(site, run, turn, by, force)))


def _register_assurances(steps: Assurances) -> None:
    @DBOS.workflow(name="prove_delivery", max_recovery_attempts=DELIVERY_RECOVERIES)
    def prove_delivery(delivery_id: int, attempt: int) -> str:
        return str(_recorded("prove", steps.prove, delivery_id, attempt))

    @DBOS.workflow(name="answer_commitment", max_recovery_attempts=DELIVERY_RECOVERIES)
    def answer_commitment(request_id: int, attempt: int) -> str:
        return str(_recorded("answer", steps.answer, request_id, attempt))


def _register_learning(steps: Learning) -> None:
    @DBOS.workflow(name="file_approval", max_recovery_attempts=FILING_RECOVERIES)
    def file_approval(approval_id: int, attempt: int) -> str:
        outcome = _recorded("file", steps.file, approval_id, attempt)
        if isinstance(outcome, dict):
            _recorded("give up", steps.give_up, approval_id, outcome["text"])
            return "failed"
        return str(outcome)


def _recorded(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a step so that it is done once: a restart finds its result and goes on behind it."""

    def guarded() -> Any:
        # A broad except, as in `watch`: whatever a step raises becomes a row, not a lost series.
        try:
            return function(*arguments)
        except NodeError as error:
            return {"outcome": "failed", "text": str(error)}
        except Exception as error:
            log.exception("a step failed", step=name)
            return {"outcome": "failed", "text": f"{name}: {type(error).__name__}"}

    return DBOS.run_step({"name": name}, guarded)
