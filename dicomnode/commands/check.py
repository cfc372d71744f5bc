"""Configuration, certificates, folder, disk, database, models, device, peers: a verdict each, and the golden case."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from dicomnode.children import build_contourer
from dicomnode.commands.echo import echo_peers
from dicomnode.config import Configuration, Tls
from dicomnode.contourer import Contourer
from dicomnode.disk import Level, room_of
from dicomnode.errors import ConfigurationError, ContouringError, NodeError
from dicomnode.golden import try_golden_case
from dicomnode.models import Model, models_of, names_in_service
from dicomnode.node import Books, certificate_files, watermarks_of
from dicomnode.spool import MIB
from dicomnode.structure_settings import NAMES_FILE, structure_settings
from dicomnode.tls.certificates import Certificates, end_in_words
from segmentation.errors import BundleError


@dataclass(frozen=True)
class Verdict:
    """What one check found."""

    subject: str
    passed: bool
    text: str


def check_node(configuration: Configuration) -> Iterator[Verdict]:
    """Yield the verdicts, each as soon as it is known."""
    yield Verdict(
        "configuration", passed=True, text=f"{len(configuration.peers)} peers, {len(configuration.rules)} rules"
    )
    try:
        names = _names(configuration)
    except ConfigurationError as error:
        yield Verdict("names of organs", passed=False, text=str(error))
        return
    yield names
    if configuration.tls.is_on:
        yield _certificates(configuration.tls, datetime.now(UTC))
    try:
        books = Books.open(configuration, create=True)
    except NodeError as error:
        yield Verdict("data folder", passed=False, text=str(error))
        return
    try:
        yield Verdict("data folder", passed=True, text=str(configuration.node.data_dir))
        yield _disk(configuration)
        yield _database(books)
        contourer = build_contourer(configuration)
        try:
            yield _device(configuration, contourer)
            yield from _models(configuration, contourer)
        finally:
            contourer.close()
    finally:
        books.close()
    yield from _peers(configuration)


def _names(configuration: Configuration) -> Verdict:
    named = configuration.contouring.structures_file
    remarks = structure_settings(named, NAMES_FILE).remarks()
    text = "; ".join(remarks) or "of TG-263"
    return Verdict("names of organs", passed=True, text=f"{named}: {text}" if named else text)


def _certificates(tls: Tls, now: datetime) -> Verdict:
    try:
        certificates = Certificates(certificate_files(tls))
    except ConfigurationError as error:
        return Verdict("certificates", passed=False, text=str(error))
    ends = certificates.ends()
    passed = all(end - now >= timedelta(days=tls.alarm_days) for end in ends.values())
    sentences = [end_in_words(whose, end, now) for whose, end in ends.items()]
    return Verdict("certificates", passed, f"SHA-256 {certificates.own.fingerprint}; {'; '.join(sentences)}")


def _disk(configuration: Configuration) -> Verdict:
    room, watermarks = room_of(configuration.node.data_dir), watermarks_of(configuration.receiving)
    level, least = watermarks.level(room), watermarks.refusing_below(room)
    text = f"{room.free // MIB} MiB free ({level.name.lower()}), instances are refused below {round(least) // MIB} MiB"
    return Verdict("disk", level is Level.ROOMY, text)


def _database(books: Books) -> Verdict:
    alarms = len(books.ledger.alarms())
    return Verdict("database", passed=True, text=f"{books.engine.dialect.name}, {alarms} open alarms")


def _device(configuration: Configuration, contourer: Contourer) -> Verdict:
    try:
        reply = contourer.ask({"ask": "device", "device": configuration.contouring.device})
    except ContouringError as error:
        return Verdict("device", passed=False, text=str(error))
    return Verdict("device", passed=True, text=reply["text"])


def _models(configuration: Configuration, contourer: Contourer) -> Iterator[Verdict]:
    models = models_of(configuration)
    for name in names_in_service(configuration):
        try:
            model = models.find(name)
        except (BundleError, ConfigurationError) as error:
            yield Verdict(f"model {name}", passed=False, text=str(error))
            continue
        manifest = model.manifest
        text = f"{manifest.version}, for {manifest.purpose}s, {len(manifest.organs)} organs, {model.digest[:12]}"
        yield Verdict(f"model {name}", passed=not model.faults, text="; ".join((text, *model.faults)))
        yield _golden(configuration, contourer, model)


def _golden(configuration: Configuration, contourer: Contourer, model: Model) -> Verdict:
    subject = f"golden case {model.manifest.name}"
    try:
        outcome = try_golden_case(configuration, contourer, model)
    except ContouringError as error:
        return Verdict(subject, passed=False, text=str(error))
    if outcome.is_first:
        return Verdict(subject, passed=True, text=f"contoured on {outcome.device} and kept: this is the first time")
    if outcome.faults:
        return Verdict(subject, passed=False, text="; ".join(outcome.faults))
    least = min(outcome.dice.values(), default=1.0)
    return Verdict(
        subject, passed=True, text=f"contoured on {outcome.device}, lowest DSC {least:.4f} with the kept one"
    )


def _peers(configuration: Configuration) -> Iterator[Verdict]:
    for ae_title, outcome in echo_peers(configuration):
        yield Verdict(f"peer {ae_title}", outcome.ok, outcome.detail)


def as_json(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as JSON has it."""
    return asdict(verdict)
