"""The ledger's tables, and the engine that opens the database they are in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.pool import ConnectionPoolEntry

from dicomnode.errors import LedgerUnavailable

VACUUM_SHARE = 4  # the file is written anew when more than a quarter of it is free
BUSY_TIMEOUT_MS = 5000  # how long a writer waits for another before the instance is refused
LEDGER_LOCK = 0x6C6564676572  # of PostgreSQL's advisory locks in this database: "ledger"


class Utc(sa.types.TypeDecorator[datetime]):
    """A UTC time; SQLite forgets the zone, so it is put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (the base's signature)
        """Refuse a time without a zone: nobody could say later when it was."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger takes times with a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData()


def _received_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("sop_class_uid", sa.String(64), nullable=False),
        sa.Column("series_instance_uid", sa.String(64), nullable=False),
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("calling_ae_title", sa.String(16), nullable=False),
        sa.Column("called_ae_title", sa.String(16), nullable=False),
        sa.Column("peer_address", sa.String(64), nullable=False),
        sa.Column("received", Utc, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("rule", sa.String, nullable=False),
    ]


series = sa.Table(
    "series",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("series_instance_uid", sa.String(64), nullable=False, unique=True),
    sa.Column("study_instance_uid", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("before", sa.String(16)),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("content", sa.String(64), nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("released", sa.Boolean, nullable=False),
    sa.Column("calling_ae_title", sa.String(16), nullable=False),
    sa.Column("called_ae_title", sa.String(16), nullable=False),
    sa.Column("first_received", Utc, nullable=False),
    sa.Column("last_received", Utc, nullable=False),
    sa.Column("completed", Utc),
    sa.Column("patient", sa.String(64), nullable=False, server_default=sa.text("''"), index=True),
)

instances = sa.Table(
    "instances",
    metadata,
    sa.Column("sop_instance_uid", sa.String(64), primary_key=True),
    *_received_columns(),
    sa.Column("last_received", Utc, nullable=False),
    sa.Index("instances_by_series", "series_instance_uid"),
)

structure_sets = sa.Table(
    "structure_sets",
    metadata,
    sa.Column("sop_instance_uid", sa.String(64), sa.ForeignKey("instances.sop_instance_uid"), primary_key=True),
    sa.Column("label", sa.String, nullable=False),
    sa.Column("approval_status", sa.String(16), nullable=False),
    sa.Column("roi_count", sa.Integer, nullable=False),
    sa.Column("referenced_series_uid", sa.String(64), nullable=False),
)

conflicts = sa.Table(
    "conflicts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sop_instance_uid", sa.String(64), nullable=False),
    *_received_columns(),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.UniqueConstraint("sop_instance_uid", "sha256"),
)

results = sa.Table(
    "results",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), nullable=False, index=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("sop_instance_uid", sa.String(64), nullable=False, unique=True),
    sa.Column("modality", sa.String(16), nullable=False),
    sa.Column("profile", sa.String(16), nullable=False),
    sa.Column("path", sa.String, nullable=False),
    sa.Column("label", sa.String(16), nullable=False),
    sa.Column("model_name", sa.String, nullable=False),
    sa.Column("model_version", sa.String, nullable=False),
    sa.Column("model_digest", sa.String(64), nullable=False),
    sa.Column("created", Utc, nullable=False),
    sa.Column("volumes_cm3", sa.JSON, nullable=False),
    sa.Column("not_found", sa.JSON, nullable=False),
    sa.Column("notes", sa.JSON, nullable=False),
    sa.Column("seconds", sa.JSON, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("result_id", sa.Integer, sa.ForeignKey("results.id"), nullable=False, index=True),
    sa.Column("peer", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("permanent_refusals", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("detail", sa.String, nullable=False),
    sa.Column("created", Utc, nullable=False),
    sa.Column("next_attempt", Utc),
    sa.Column("finished", Utc),
    sa.Column("proof", sa.String(16), nullable=False),
    sa.Column("proof_attempts", sa.Integer, nullable=False),
)

commitments = sa.Table(
    "commitments",
    metadata,
    sa.Column("transaction_uid", sa.String(64), primary_key=True),
    sa.Column("delivery_id", sa.Integer, sa.ForeignKey("deliveries.id"), nullable=False, index=True),
    sa.Column("asked", Utc, nullable=False),
)

commitment_requests = sa.Table(
    "commitment_requests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("transaction_uid", sa.String(64), nullable=False),
    sa.Column("peer", sa.String(16), nullable=False),
    sa.Column("references", sa.JSON, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("received", Utc, nullable=False),
    sa.Column("next_attempt", Utc, nullable=False),
)

alarms = sa.Table(
    "alarms",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("about", sa.String, nullable=False),
    sa.Column("raised", Utc, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("acknowledged", Utc),
)

patients = sa.Table(
    "patients",
    metadata,
    sa.Column("identity", sa.String(64), primary_key=True),
    sa.Column("pseudonym", sa.String(12), nullable=False, unique=True),
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "sop_instance_uid", sa.String(64), sa.ForeignKey("instances.sop_instance_uid"), nullable=False, unique=True
    ),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("ct_series_uid", sa.String(64), nullable=False, index=True),
    sa.Column("reviewed", sa.String(32), nullable=False),
    sa.Column("patient", sa.String(12), nullable=False, index=True),
    sa.Column("case_name", sa.String, nullable=False),
    sa.Column("received", Utc, nullable=False),
    sa.Column("next_attempt", Utc),
    sa.Column("finished", Utc),
)


audit_links = sa.Table(
    "audit_links",
    metadata,
    sa.Column("which", sa.String(8), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)


def open_database(url: str) -> sa.Engine:
    """Return an engine on the database that the ledger and the durable engine share.

    SQLite in WAL mode with synchronous=FULL: with NORMAL a power cut may take back what was committed. Transactions
    begin IMMEDIATE, so that two writers wait for each other instead of failing half-way.

    Args:
        url: of SQLAlchemy, `sqlite:///FILE` or `postgresql+psycopg://...`.
    """
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
            connection.isolation_level = "IMMEDIATE"
            cursor = connection.cursor()
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "secure_delete=ON",
                f"busy_timeout={BUSY_TIMEOUT_MS}",
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine


def take_turn(connection: sa.Connection) -> None:
    """Wait until no other transaction of the ledger runs, as SQLite's wait for each other by themselves.

    What a transaction of ours reads and then writes, as the state of a series, no other may change meanwhile; in
    PostgreSQL's READ COMMITTED one could. The lock ends with the transaction; the durable engine's own take none.
    """
    if connection.dialect.name == "postgresql":
        patience = sa.func.set_config("lock_timeout", f"{BUSY_TIMEOUT_MS}ms", True)  # of this transaction
        connection.execute(sa.select(patience, sa.func.pg_advisory_xact_lock(LEDGER_LOCK)))


def migrate(engine: sa.Engine) -> None:
    """Bring the ledger's own tables to this release's form; the durable engine looks after its own."""
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")


def compact(engine: sa.Engine) -> None:
    """Let nothing of deleted rows remain in SQLite's files, and give much of free space back.

    It overwrites what is deleted (secure_delete), but its journal still holds the pages as they were: it is emptied.
    PostgreSQL looks after itself (autovacuum).

    Raises:
        LedgerUnavailable: somebody reads for longer than the busy timeout, or there is no room.
    """
    if engine.dialect.name != "sqlite":
        return
    try:
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            pages, free = (
                connection.exec_driver_sql(f"PRAGMA {n}").scalar_one() for n in ("page_count", "freelist_count")
            )
            if free * VACUUM_SHARE > pages:
                connection.exec_driver_sql("VACUUM")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
    except sa.exc.SQLAlchemyError as error:
        raise LedgerUnavailable(f"the ledger cannot be compacted: {type(error.__cause__ or error).__name__}") from error
    if busy:
        raise LedgerUnavailable("the ledger's journal is in use and still holds what was deleted: purge again")
