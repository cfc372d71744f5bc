"""One TOML file, read once into frozen models; every fault in one message."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydicom.datadict import tag_for_keyword

from adaptation.admission_limits import AdmissionLimits
from adaptation.limits import GateLimits, LookLimits, PartLimits, RunLimits, WatchLimits
from adaptation.night_settings import NightSettings
from dicomnode.errors import ConfigurationError
from dicomnode.peers import Peer, ae_title_fault
from dicomnode.routing import DEFAULT_RULES, Rule

SHIPPED_BUNDLES = frozenset({"starter", "demo"})


def _ae_title(text: str) -> str:
    if fault := ae_title_fault(text):
        raise ValueError(fault)
    return text


def _named_file(text: object) -> object:
    return None if text == "" else text  # TOML has no null: empty is what is not named


AETitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=0, le=65535)]


class _Section(BaseModel):
    """A table of the file: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Node(_Section):
    """Who we are and where our files lie; what each key means stands in `etc/dicomnode.toml`."""

    ae_title: AETitle = "DICOMNODE"
    host: str = ""
    port: Port = 11112
    data_dir: Path = Path("/var/lib/dicomnode")
    database_url: str = ""


class Receiving(_Section):
    """How we listen, and when a series is whole."""

    quiet_s: PositiveFloat = 15.0
    minimum_slices: PositiveInt = 20
    maximum_associations: PositiveInt = 16
    maximum_connections: Annotated[int, Field(gt=0, le=400)] = 64
    maximum_connections_of_one_address: PositiveInt = 24
    acse_timeout_s: PositiveFloat = 10.0
    pdu_timeout_s: PositiveFloat = 10.0
    dimse_timeout_s: PositiveFloat = 30.0
    network_timeout_s: PositiveFloat = 30.0
    message_limit_mib: PositiveInt = 128
    minimum_free_mib: NonNegativeInt = 2048
    minimum_free_percent: Annotated[float, Field(ge=0, lt=100)] = 5.0
    alarm_free_percent: Annotated[float, Field(ge=0, lt=100)] = 15.0
    reserve_mib: NonNegativeInt = 64


class Tls(_Section):
    """Our certificate, whom we believe that others are who they say, and where we listen for them."""

    certificate_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    port: Port = 2762
    only: bool = False
    alarm_days: NonNegativeInt = 30

    @property
    def is_on(self) -> bool:
        """Whether there is a certificate to speak TLS with."""
        return bool(self.certificate_file)


class Contouring(_Section):
    """Which models there are, and what the contouring process may use."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    engine: Literal["auto", "torch", "openvino"] = "auto"
    timeout_s: PositiveFloat = 1800.0
    memory_limit_mib: NonNegativeInt = 0
    hold_below_dsc: Annotated[float, Field(ge=0, le=1)] = 0.0
    hold_implausible: bool = False
    blind_share: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    bundle_dirs: tuple[Path, ...] = ()
    structures_file: Annotated[Path | None, BeforeValidator(_named_file)] = None


class ModelVersions(_Section):
    """Where the versions of models lie, and how many are kept."""

    registry: Annotated[Path | None, BeforeValidator(_named_file)] = None
    keep: PositiveInt = 5


class Delivering(_Section):
    """How results are sent, and for how long it is tried."""

    first_retry_s: PositiveFloat = 10.0
    longest_retry_s: PositiveFloat = 900.0
    give_up_after_h: PositiveFloat = 24.0
    connection_timeout_s: PositiveFloat = 10.0
    acse_timeout_s: PositiveFloat = 10.0
    dimse_timeout_s: PositiveFloat = 60.0
    network_timeout_s: PositiveFloat = 30.0
    proof_wait_s: NonNegativeFloat = 10.0
    proof_give_up_after_h: PositiveFloat = 24.0


class Fetching(_Section):
    """How long a peer may take from which a series is fetched."""

    timeout_s: PositiveFloat = 1800.0
    silence_s: PositiveFloat = 120.0


class Alarms(_Section):
    """Who is told of an alarm beside the log and `status`."""

    webhook_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    email_host: str = ""
    email_port: Port = 25
    email_from: str = ""
    email_to: tuple[str, ...] = ()
    timeout_s: PositiveFloat = 10.0


class Audit(_Section):
    """How the audit is kept, and which repository gets it too."""

    identities: bool = False
    site: str = ""
    keep_days: NonNegativeInt = 0
    maximum_file_mib: PositiveInt = 16
    syslog_transport: Literal["", "udp", "tcp", "tls"] = ""
    syslog_host: str = ""
    syslog_port: Port = 6514
    syslog_ca_file: str = ""
    syslog_certificate_file: str = ""
    syslog_key_file: str = ""


class Adaptation(_Section):
    """What is learnt from, and where a CT is fetched that is not here."""

    collect: bool = True
    fetch_from: tuple[AETitle, ...] = ()
    fetch_after_s: NonNegativeFloat = 60.0
    longest_retry_h: PositiveFloat = 6.0
    parts: PartLimits = PartLimits()
    admission: AdmissionLimits = AdmissionLimits()


class Retention(_Section):
    """How old what may become; 0 days: it is kept for ever."""

    daily_at: time = time(4, 30)
    delivered_days: NonNegativeInt = 90
    unfinished_days: NonNegativeInt = 365
    ignored_days: NonNegativeInt = 30
    structure_sets_days: NonNegativeInt = 90
    approved_days: NonNegativeInt = 0
    fetched_days: NonNegativeInt = 30
    cases_days: NonNegativeInt = 365
    results_days: NonNegativeInt = 365
    conflicts_days: NonNegativeInt = 365
    ledger_days: NonNegativeInt = 730


class Metrics(_Section):
    """Where Prometheus finds the metrics."""

    port: Port = 0
    textfile: str = ""
    every_s: PositiveFloat = 15.0


class Checking(_Section):
    """When the constancy test is done."""

    daily_at: time = time(6, 30)


class Nights(_Section):
    """When the node adapts its model, how, and what is demanded of what comes out."""

    adapt: bool = False
    daily_at: time = time(21, 0)
    late_h: Annotated[float, Field(ge=0, le=23)] = 6.0
    model: str = "starter"
    source_dir: Annotated[Path | None, BeforeValidator(_named_file)] = None
    auto_promote: bool = False
    training: NightSettings = NightSettings()
    run: RunLimits = RunLimits()
    looks: LookLimits = LookLimits()
    gate: GateLimits = GateLimits()


class Watching(_Section):
    """When the watch on approved contours looks, and what it complains of."""

    daily_at: time = time(7, 0)
    monthly_report: bool = True
    auto_rollback: bool = False
    limits: WatchLimits = WatchLimits()


class LogSettings(_Section):
    """How the log looks."""

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Configuration(_Section):
    """Everything that the operator can set."""

    node: Node = Node()
    receiving: Receiving = Receiving()
    tls: Tls = Tls()
    peers: tuple[Peer, ...] = ()
    rules: tuple[Rule, ...] = DEFAULT_RULES
    contouring: Contouring = Contouring()
    models: ModelVersions = ModelVersions()
    delivering: Delivering = Delivering()
    fetching: Fetching = Fetching()
    alarms: Alarms = Alarms()
    audit: Audit = Audit()
    adaptation: Adaptation = Adaptation()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()
    checking: Checking = Checking()
    nights: Nights = Nights()
    watching: Watching = Watching()
    logging: LogSettings = LogSettings()

    @property
    def registry_dir(self) -> Path:
        """The folder of the versions of models."""
        return self.models.registry or self.node.data_dir / "models"

    @classmethod
    def default(cls, data_dir: Path) -> Self:
        """Return the embedded defaults: a node on loopback whose one peer, TPS, listens beside it on port 11113."""
        peer = Peer("TPS", "127.0.0.1", 11113, may=("send_ct", "send_approvals", "receive_results"))
        return cls(node=Node(host="127.0.0.1", data_dir=data_dir), peers=(peer,))


def load_configuration(path: Path) -> Configuration:
    """Read and check the whole file.

    Raises:
        ConfigurationError: with every fault that was found, each in a sentence that names the key.
    """
    document = _read(path)
    faults = []
    try:
        return _checked(Configuration.model_validate(document))
    except ValidationError as error:
        faults += [_in_words(each) for each in error.errors()]
    raise ConfigurationError([*faults, *_faults_of_the_rest(document)])


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigurationError([f"{path}: is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: is no valid TOML: {error}"]) from None


def _checked(configuration: Configuration) -> Configuration:
    """Return the configuration if its parts agree with each other."""
    names = [peer.ae_title for peer in configuration.peers]
    receivers = {
        peer.ae_title
        for peer in configuration.peers
        if peer.allows("receive_results") or peer.allows("receive_segmentations")
    }
    faults = [
        *_repeated("peers", names),
        *_repeated("rules", [rule.name for rule in configuration.rules]),
        *_rule_faults(configuration.rules, set(names), receivers),
        *_bundle_faults(configuration),
        *_tls_faults(configuration.tls, configuration.node.port, configuration.peers),
        *_alarm_faults(configuration.alarms),
        *_audit_faults(configuration.audit),
        *_fetch_faults(configuration.adaptation.fetch_from, configuration.peers),
    ]
    if configuration.delivering.first_retry_s > configuration.delivering.longest_retry_s:
        faults.append("delivering.first_retry_s: must not be longer than longest_retry_s")
    if faults:
        raise ConfigurationError(faults)
    return configuration


def _faults_of_the_rest(document: Mapping[str, Any]) -> list[str]:
    """Return what the parts that are valid by themselves say against each other, so that one message has all."""
    peers, rules = document.get("peers"), document.get("rules")
    sound_peers = [one for one in peers if _is_sound("peers", one)] if isinstance(peers, list) else []
    sound_rules = [one for one in rules if _is_sound("rules", one)] if isinstance(rules, list) else []
    if len(sound_peers) != len(peers or ()):
        # A rule may well name a peer whose entry has the fault: what it names cannot be judged yet.
        sound_rules = [{key: value for key, value in rule.items() if key != "send_to"} for rule in sound_rules]
    contouring = document.get("contouring") if _is_sound("contouring", document.get("contouring")) else {}
    tls = document.get("tls", {})
    if not _is_sound("tls", tls):
        # Nor can it be judged whether a peer that wants TLS may have it.
        tls = {}
        sound_peers = [{key: one[key] for key in one.keys() - {"tls", "certificates"}} for one in sound_peers]
    rest = {"tls": tls, "peers": sound_peers, "rules": sound_rules, "contouring": contouring}
    # A bundle may be one of the registry's alone.
    rest |= {
        name: document[name] for name in ("node", "models") if name in document and _is_sound(name, document[name])
    }
    try:
        _checked(Configuration.model_validate(rest))
    except ConfigurationError as error:
        return list(error.faults)
    return []


def _is_sound(section: str, value: object) -> bool:
    try:
        Configuration.model_validate({section: [value] if section in {"peers", "rules"} else value})
    except ValidationError:
        return False
    return True


def _in_words(error: ErrorDetails) -> str:
    """Return a fault that pydantic found as a sentence that begins with the key."""
    key = ""
    for part in error["loc"]:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else str(part)
    said = {"extra_forbidden": "is no key of this configuration", "missing": "is missing"}
    text = said.get(error["type"], error["msg"].removeprefix("Value error, ").replace("Input should be", "must be"))
    return f"{key}: {text}"


def _repeated(section: str, names: Iterable[str]) -> list[str]:
    names = list(names)
    return [f"{section}: {name} is there more than once" for name in sorted({n for n in names if names.count(n) > 1})]


def _rule_faults(rules: Iterable[Rule], known: set[str], receivers: set[str]) -> list[str]:
    faults = []
    for rule in rules:
        faults += [
            f"rules, {rule.name}: {name} is neither a keyword of the DICOM dictionary nor gggg,eeee"
            for name in rule.attributes
            if not re.fullmatch(r"[0-9a-fA-F]{4},[0-9a-fA-F]{4}", name) and tag_for_keyword(name) is None
        ]
        for ae_title in rule.send_to:
            if ae_title not in known:
                faults.append(f"rules, {rule.name}: send_to names {ae_title}, which is no peer")
            elif ae_title not in receivers:
                faults.append(f"rules, {rule.name}: send_to names {ae_title}, which may not receive_results")
    return faults


def _bundle_faults(configuration: Configuration) -> list[str]:
    folders, registry = configuration.contouring.bundle_dirs, configuration.registry_dir
    faults = [f"contouring.bundle_dirs: {folder} is no folder" for folder in folders if not folder.is_dir()]
    for rule in configuration.rules:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", rule.bundle):
            faults.append(f"rules, {rule.name}: {rule.bundle!r} is no name of a bundle")
        elif rule.bundle not in SHIPPED_BUNDLES and not any(
            (folder / rule.bundle).is_dir() for folder in (*folders, registry)
        ):
            faults.append(f"rules, {rule.name}: bundle {rule.bundle} is not shipped and in none of the bundle_dirs")
    return faults


def _tls_faults(tls: Tls, plain_port: int, peers: Iterable[Peer]) -> list[str]:
    faults = []
    if len({bool(name) for name in (tls.certificate_file, tls.key_file, tls.ca_file)}) > 1:
        faults.append("tls: certificate_file, key_file and ca_file belong together: one is set and another is not")
    if tls.only and not tls.is_on:
        faults.append("tls.only: there is no certificate_file, so that nobody could call")
    if tls.is_on and not tls.only and tls.port == plain_port != 0:
        faults.append("tls.port: must not be node.port (PS3.15 B.12), unless only is true")
    for peer in peers:
        if peer.proves_itself and not tls.is_on:
            faults.append(f"peers, {peer.ae_title}: tls and certificates need a certificate_file in [tls]")
        if tls.only and not peer.proves_itself:
            faults.append(f"peers, {peer.ae_title}: tls.only leaves no port that it may call: set tls or certificates")
    return faults


def _alarm_faults(alarms: Alarms) -> list[str]:
    if bool(alarms.email_host) != bool(alarms.email_to):
        return ["alarms: email_host and email_to belong together: one is set and the other is not"]
    if alarms.email_host and not alarms.email_from:
        return ["alarms.email_from: is missing"]
    return []


def _fetch_faults(fetch_from: Iterable[str], peers: Iterable[Peer]) -> list[str]:
    known = {peer.ae_title: peer for peer in peers}
    faults = []
    for ae_title in fetch_from:
        if ae_title not in known:
            faults.append(f"adaptation.fetch_from: {ae_title} is no peer")
        elif not (known[ae_title].allows("answer_queries") and known[ae_title].allows("send_ct")):
            faults.append(f"adaptation.fetch_from: {ae_title} needs answer_queries and send_ct in may")
    return faults


def _audit_faults(audit: Audit) -> list[str]:
    if bool(audit.syslog_transport) != bool(audit.syslog_host):
        return ["audit: syslog_transport and syslog_host belong together: one is set and the other is not"]
    if bool(audit.syslog_certificate_file) != bool(audit.syslog_key_file):
        return ["audit: syslog_certificate_file and syslog_key_file belong together: one is set and the other is not"]
    return []
