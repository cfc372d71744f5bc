"""An audit event, and the XML message that PS3.15 A.5 gives it (pure)."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from xml.etree.ElementTree import Element, SubElement, tostring

from dicomnode.outgoing.data_set import IMPLICIT_VR_LE, encode, identifier_of

Code = tuple[str, str]
"""Code value and code meaning in the coding scheme DCM (PS3.16 annex D)."""

STUDY_INSTANCE_UID: Code = ("110180", "Study Instance UID")
SOP_CLASS_UID: Code = ("110181", "SOP Class UID")
PATIENT_NUMBER: Code = ("2", "Patient Number")  # RFC 3881 5.5.4
NOBODY = "none"  # a message must name its object, also where the patient has no ID


class Kind(Enum):
    """What happened: EventID, EventTypeCode if there is one, EventActionCode (PS3.15 A.5.3)."""

    APPLICATION_START = (("110100", "Application Activity"), ("110120", "Application Start"), "E")
    APPLICATION_STOP = (("110100", "Application Activity"), ("110121", "Application Stop"), "E")
    AUDIT_LOG_USED = (("110101", "Audit Log Used"), None, "R")
    BEGIN_TRANSFERRING = (("110102", "Begin Transferring DICOM Instances"), None, "E")
    INSTANCES_ACCESSED = (("110103", "DICOM Instances Accessed"), None, "R")
    INSTANCES_RECEIVED = (("110104", "DICOM Instances Transferred"), None, "C")
    INSTANCES_SENT = (("110104", "DICOM Instances Transferred"), None, "R")
    STUDY_DELETED = (("110105", "DICOM Study Deleted"), None, "D")
    QUERY = (("110112", "Query"), None, "E")
    STRANGER = (("110113", "Security Alert"), ("110126", "Node Authentication"), "E")
    HOSTILE_INPUT = (("110113", "Security Alert"), ("110132", "Use of Restricted Function"), "E")
    SOFTWARE_CONFIGURATION = (("110113", "Security Alert"), ("110131", "Software Configuration"), "E")
    OPERATOR = (("110114", "User Authentication"), ("110122", "Login"), "E")


class Role(Enum):
    """What somebody did in an event (RoleIDCode)."""

    APPLICATION = ("110150", "Application")
    SOURCE = ("110153", "Source Role ID")
    DESTINATION = ("110152", "Destination Role ID")


class Outcome(Enum):
    """How it ended (EventOutcomeIndicator)."""

    SUCCESS = "0"
    MINOR_FAILURE = "4"
    SERIOUS_FAILURE = "8"


@dataclass(frozen=True)
class Party:
    """Somebody who took part.

    Args:
        user_id: AE title, or name of a user of this machine.
        role: what they did; None for a person.
        address: IP address or name of the machine, empty where it is not known.
        is_requestor: whether they asked for it.
        user_name: of the person behind it, if there is one.
    """

    user_id: str
    role: Role | None
    address: str = ""
    is_requestor: bool = False
    user_name: str = ""


@dataclass(frozen=True)
class Study:
    """Whose images it was about.

    Args:
        study_instance_uid: of the study.
        patient_id: as the instances have it.
        patient_name: likewise.
        instances: how many of each SOP class, by its UID.
        is_pseudonymous: whether the three are pseudonyms.
    """

    study_instance_uid: str
    patient_id: str
    patient_name: str
    instances: Mapping[str, int] = field(default_factory=dict)
    is_pseudonymous: bool = False


@dataclass(frozen=True)
class Query:
    """What was asked for.

    Args:
        sop_class_uid: of the information model.
        level: Query/Retrieve Level.
        keys: keyword -> value that had to match; empty: any, and to be returned.
    """

    sop_class_uid: str
    level: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Event:
    """Something that is to be audited.

    Args:
        kind: what happened.
        when: with a zone.
        parties: who took part.
        outcome: how it ended.
        text: what else there is to say, without identity.
        study: whose images it was about.
        query: what was asked for.
    """

    kind: Kind
    when: datetime
    parties: tuple[Party, ...]
    outcome: Outcome = Outcome.SUCCESS
    text: str = ""
    study: Study | None = None
    query: Query | None = None


def pseudonymous(event: Event, pseudonym_of: Callable[[str], str], clean: Callable[[str], str]) -> Event:
    """Return the event with pseudonyms for the patient, the study and what a query asks for, the same as the logs have.

    Args:
        event: with real identifiers.
        pseudonym_of: names a UID or an ID.
        clean: replaces UIDs in a text.
    """
    study = event.study
    if study is not None:
        patient = pseudonym_of(study.patient_id) if study.patient_id else ""
        study = Study(pseudonym_of(study.study_instance_uid), patient, "", study.instances, is_pseudonymous=True)
    query = event.query
    if query is not None:
        query = replace(query, keys={keyword: value and pseudonym_of(value) for keyword, value in query.keys.items()})
    return replace(event, study=study, query=query, text=clean(event.text))


def audit_message(event: Event, *, source_id: str, site: str) -> str:
    """Return the message as XML on one line, without an XML declaration.

    Args:
        event: what happened.
        source_id: AE title of the node that tells it.
        site: name of the enterprise, may be empty.
    """
    root = Element("AuditMessage")
    event_id, event_type, action = event.kind.value
    identification = SubElement(
        root,
        "EventIdentification",
        EventActionCode=action,
        EventDateTime=event.when.astimezone(UTC).isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=event.outcome.value,
    )
    _code(identification, "EventID", event_id)
    if event_type:
        _code(identification, "EventTypeCode", event_type)
    if event.text:
        SubElement(identification, "EventOutcomeDescription").text = printable(event.text)
    for party in event.parties:
        _add_party(root, party)
    source = SubElement(root, "AuditSourceIdentification", AuditSourceID=printable(source_id))
    if site:
        source.set("AuditEnterpriseSiteID", printable(site))
    SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})  # an application server
    if event.query is not None:
        _add_query(root, event.query)
    if event.study is not None:
        _add_study(root, event.study)
        _add_patient(root, event.study)
    return tostring(root, encoding="unicode")


def printable(text: str) -> str:
    """Return the text without what XML forbids or what would end a line; a peer may have chosen it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _add_party(root: Element, party: Party) -> None:
    participant = SubElement(
        root, "ActiveParticipant", UserID=printable(party.user_id), UserIsRequestor=str(party.is_requestor).lower()
    )
    if party.role is not None:
        participant.set("AlternativeUserID", f"AETITLES={printable(party.user_id)}")
        _code(participant, "RoleIDCode", party.role.value)
    if party.user_name:
        participant.set("UserName", printable(party.user_name))
    if party.address:
        is_name = not set(party.address.lower()) <= set("0123456789abcdef.:%")
        participant.set("NetworkAccessPointID", printable(party.address))
        participant.set("NetworkAccessPointTypeCode", "1" if is_name else "2")


def _add_study(root: Element, study: Study) -> None:
    item = _object(root, study.study_instance_uid, "2", "3")
    _code(item, "ParticipantObjectIDTypeCode", STUDY_INSTANCE_UID)
    SubElement(item, "ParticipantObjectName").text = printable(study.study_instance_uid)
    description = SubElement(item, "ParticipantObjectDescription")
    for sop_class, count in sorted(study.instances.items()):
        SubElement(description, "SOPClass", UID=sop_class, NumberOfInstances=str(count))
    SubElement(description, "Anonymized").text = str(study.is_pseudonymous).lower()


def _add_query(root: Element, query: Query) -> None:
    """Add the query as PS3.15 A.5.3.10 wants it: its identifier, encoded, and in which transfer syntax that is."""
    item = _object(root, query.sop_class_uid, "2", "3")
    _code(item, "ParticipantObjectIDTypeCode", SOP_CLASS_UID)
    identifier = encode(identifier_of(query.level, query.keys), IMPLICIT_VR_LE)
    SubElement(item, "ParticipantObjectQuery").text = b64encode(identifier).decode("ascii")
    syntax = b64encode(IMPLICIT_VR_LE.encode("ascii")).decode("ascii")
    SubElement(item, "ParticipantObjectDetail", type="TransferSyntax", value=syntax)


def _add_patient(root: Element, study: Study) -> None:
    item = _object(root, study.patient_id or NOBODY, "1", "1")
    _code(item, "ParticipantObjectIDTypeCode", PATIENT_NUMBER, scheme="RFC-3881")
    SubElement(item, "ParticipantObjectName").text = printable(study.patient_name or study.patient_id or NOBODY)


def _object(root: Element, identifier: str, type_code: str, role: str) -> Element:
    return SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=printable(identifier),
        ParticipantObjectTypeCode=type_code,
        ParticipantObjectTypeCodeRole=role,
    )


def _code(parent: Element, name: str, code: Code, scheme: str = "DCM") -> None:
    value, meaning = code
    SubElement(parent, name, {"csd-code": value, "codeSystemName": scheme, "originalText": meaning})
