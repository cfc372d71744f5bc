"""The parts of a node on one data folder, put together: for the daemon, and without a network for the operator."""

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from adaptation.cases import CaseStore
from dicomnode.audit.auditor import Auditor
from dicomnode.audit.syslog import Repository
from dicomnode.audit.trail import Trail
from dicomnode.chapters.page import AlarmListener
from dicomnode.config import Audit, Configuration, Delivering, Receiving, Tls
from dicomnode.credentials import credential, file_named
from dicomnode.disk import Watermarks
from dicomnode.errors import ConfigurationError, LedgerUnavailable, NodeError
from dicomnode.examination import Examiner
from dicomnode.feeding import Feeding
from dicomnode.intake import Intake, Rows
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms, load_or_create_key
from dicomnode.models import models_of
from dicomnode.outgoing.requestor import Timeouts, TlsSettings
from dicomnode.sameness import Decode, is_same
from dicomnode.spool import MIB, Spool, make_directory
from dicomnode.structure_settings import NAMES_FILE, structure_settings
from dicomnode.tables import migrate, open_database
from dicomnode.tls.contexts import Files, calling_context
from dicomnode.workflows import WorkQueue, create_engine_tables
from segmentation.durable import write_whole

LEDGER_FILE = "dicomnode.sqlite"


def database_url(configuration: Configuration) -> str:
    """Return where the ledger is: what the configuration says, else a file in the data folder."""
    return configuration.node.database_url or f"sqlite:///{configuration.node.data_dir / LEDGER_FILE}"


def key_file(configuration: Configuration) -> Path:
    """Return where the key of the pseudonyms lies: a credential of the service, else a file in the data folder."""
    return credential("pseudonym.key") or configuration.node.data_dir / "pseudonym.key"


def open_key(configuration: Configuration) -> bytes:
    """Return the key of the pseudonyms; at the first start it is made.

    A data folder has one key for ever: a second one would give everything a second name. So a command that was not
    handed the service's credential is refused.

    Raises:
        ConfigurationError: it cannot be read or made, or is not the one of this data folder.
        OSError: the data folder cannot be used.
    """
    path, mark = key_file(configuration), configuration.node.data_dir / "pseudonym.sha256"
    if mark.exists() and not path.exists():
        raise ConfigurationError([f"{path}: the key of the pseudonyms is missing; is it a credential of the service?"])
    key = load_or_create_key(path)
    digest = hashlib.sha256(key).hexdigest().encode()
    if not mark.exists():
        write_whole(mark, digest)
    elif mark.read_bytes() != digest:
        raise ConfigurationError([f"{path}: is not the key of the pseudonyms that this data folder began with"])
    return key


def cases_folder(data_dir: Path) -> Path:
    """Return where the cases lie."""
    return data_dir / "adaptation" / "cases"


def case_store(configuration: Configuration) -> CaseStore:
    """Return where cases to learn from are kept."""
    return CaseStore(cases_folder(configuration.node.data_dir), configuration.adaptation.parts)


def timeouts_of(delivering: Delivering, tls: TlsSettings | None = None) -> Timeouts:
    """Return how long peers may take when this node calls them, and with which TLS settings it does."""
    return Timeouts(
        connection_s=delivering.connection_timeout_s,
        acse_s=delivering.acse_timeout_s,
        dimse_s=delivering.dimse_timeout_s,
        network_s=delivering.network_timeout_s,
        tls=tls,
    )


def certificate_files(tls: Tls) -> Files:
    """Return where the certificates are: an absolute path, or what systemd has put into the credentials' folder.

    Raises:
        ConfigurationError: there is no such folder.
    """
    return Files(
        file_named("tls.certificate_file", tls.certificate_file),
        file_named("tls.key_file", tls.key_file),
        file_named("tls.ca_file", tls.ca_file),
    )


def tls_settings_of(tls: Tls) -> TlsSettings | None:
    """Return what a command of the operator's calls peers with: read when it is needed, so that others need no key."""
    return (lambda: calling_context(certificate_files(tls))) if tls.is_on else None


def watermarks_of(receiving: Receiving) -> Watermarks:
    """Return below which free space something happens."""
    return Watermarks(
        receiving.minimum_free_mib, receiving.minimum_free_percent, receiving.alarm_free_percent, receiving.reserve_mib
    )


def repository_of(audit: Audit) -> Repository | None:
    """Return where audit messages go, if they go anywhere.

    Raises:
        ConfigurationError: if it names a credential that this process was not given.
    """
    if not audit.syslog_transport:
        return None
    return Repository(
        audit.syslog_transport,
        audit.syslog_host,
        audit.syslog_port,
        _repository_file(audit, "syslog_ca_file"),
        _repository_file(audit, "syslog_certificate_file"),
        _repository_file(audit, "syslog_key_file"),
    )


def open_intake(
    configuration: Configuration, rows: Rows, feeding: Feeding, decode: Decode, fetched: Container[str] = ()
) -> tuple[Spool, Intake]:
    """Return what takes instances into the data folder, and the spool under it.

    Args:
        configuration: of the node.
        rows: where the rows go: the registrar.
        feeding: is told which association feeds which series.
        decode: digests the pixels of a compressed frame.
        fetched: series that are being fetched only to be learnt from.
    """
    receiving = configuration.receiving
    spool = Spool(
        configuration.node.data_dir,
        minimum_free_mib=receiving.minimum_free_mib,
        minimum_free_percent=receiving.minimum_free_percent,
    )
    same = partial(is_same, decode=decode)
    limit = receiving.message_limit_mib
    return spool, Intake(spool, rows, configuration.rules, feeding, same, message_limit_mib=limit, fetched=fetched)


def _repository_file(audit: Audit, key: str) -> Path | None:
    name = getattr(audit, key)
    return file_named(f"audit.{key}", name) if name else None


@dataclass(frozen=True)
class Books:
    """What the operator's commands and the daemon share: the ledger and who may change it.

    Args:
        configuration: of the node.
        engine: of the database.
        queue: which puts work beside rows.
        ledger: what is known.
        pseudonyms: by which logs speak of UIDs.
        examiner: decides what a series needs.
        trail: the audit's files.
        auditor: writes to them.
    """

    configuration: Configuration
    engine: sa.Engine
    queue: WorkQueue
    ledger: Ledger
    pseudonyms: Pseudonyms
    examiner: Examiner
    trail: Trail
    auditor: Auditor

    @classmethod
    def open(cls, configuration: Configuration, *, create: bool = False, on_alarm: AlarmListener | None = None) -> Self:
        """Open the books of a data folder.

        Args:
            configuration: of the node.
            create: make them where they are missing; a command that only looks does not.
            on_alarm: is told of each alarm.

        Raises:
            NodeError: if the folder or the database cannot be used.
        """
        data_dir = configuration.node.data_dir
        if not create and not data_dir.is_dir():
            raise NodeError(f"there is no data folder {data_dir}: the node has not run with this configuration")
        try:
            make_directory(data_dir)
            if not configuration.node.database_url:  # SQLite gives its other files the mode of this one
                (data_dir / LEDGER_FILE).touch(mode=0o600)
            pseudonyms = Pseudonyms(open_key(configuration))
        except OSError as error:
            raise NodeError(f"the data folder {data_dir} cannot be used: {error.strerror}") from error
        engine = open_database(database_url(configuration))
        try:
            migrate(engine)
            create_engine_tables(engine)
        except sa.exc.SQLAlchemyError as error:
            raise LedgerUnavailable(f"the database cannot be used: {error.__cause__ or error}") from error
        queue = WorkQueue(engine)
        ledger = Ledger(engine, enqueue=queue.enqueue, on_alarm=on_alarm)
        examiner = Examiner(
            ledger,
            data_dir=data_dir,
            rules=configuration.rules,
            peers=configuration.peers,
            structures=structure_settings(configuration.contouring.structures_file, NAMES_FILE),
            models=models_of(configuration),
            minimum_slices=configuration.receiving.minimum_slices,
            pseudonyms=pseudonyms,
            blind_share=configuration.contouring.blind_share,
        )
        try:
            trail = Trail(data_dir / "audit", ledger, maximum_bytes=configuration.audit.maximum_file_mib * MIB)
        except OSError as error:
            raise NodeError(f"the data folder {data_dir} cannot be used: {error.strerror}") from error
        auditor = Auditor(trail, pseudonyms, configuration.node.ae_title, configuration.audit)
        return cls(configuration, engine, queue, ledger, pseudonyms, examiner, trail, auditor)

    def close(self) -> None:
        """Let go of the database."""
        self.queue.close()
        self.engine.dispose()
